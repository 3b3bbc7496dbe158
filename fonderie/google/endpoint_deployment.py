"""Model versions on an endpoint of Vertex AI: the champion is brought there, other versions are undeployed.

Terraform makes the endpoint empty (`infra/constructs/endpoint.py`); which version is on it follows the registry, and on
how many machines follows the environment's settings.
Source: Vertex AI REST reference, projects.locations.endpoints (deployModel, undeployModel; traffic "0" is the new one).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fonderie.core.errors import BadInputError, ConflictError
from fonderie.google import Access, words
from ml.registry.interface import Alias, Aliases

_LONGEST_S = 1_800
_NEW = "0"  # how a request calls the model that it deploys


@dataclass(frozen=True)
class Machines:
    """What a version runs on; replicas scale between the two numbers."""

    machine_type: str
    min_replicas: int
    max_replicas: int

    def __str__(self) -> str:
        return f"{self.min_replicas} to {self.max_replicas} {self.machine_type}"


@dataclass(frozen=True)
class Deployed:
    """A version on the endpoint, and its per cent of the traffic."""

    id: str
    version: int
    machines: Machines
    share: int


class VertexDeployment:
    """The versions of one model on its endpoint. `account` is what the container runs as."""

    def __init__(self, access: Access, endpoint: str, model: str, *, account: str) -> None:
        self._client = access.vertex("EndpointServiceClient")
        self._endpoint, self._account = endpoint, account
        self._model = f"{access.parent}/models/{model.replace('_', '-')}"

    def deployed(self) -> tuple[Deployed, ...]:
        """The versions on the endpoint and their machines. Raises FonderieError."""
        endpoint = self._get()
        return tuple(_deployed(one, endpoint) for one in endpoint.deployed_models)

    def bring(self, aliases: Aliases, machines: Machines) -> list[str]:
        """Deploy the champion on `machines` unless it is, give it the traffic, and undeploy the other versions.

        A challenger on the endpoint keeps its share; the previous champion stays, without traffic, for a rollback.
        What was done, in words; empty when all is up to date. Raises BadInputError without a champion.
        """
        champion = aliases.at(Alias.CHAMPION)
        if champion is None:
            raise BadInputError("there is no champion to deploy", where=self._model, hint="fonderie run training")
        done = []
        if not any((one.version, one.machines) == (champion, machines) for one in self.deployed()):
            self._deploy(champion, machines)
            done.append(f"version {champion} deployed on {machines}")
        done += self._route(champion, aliases.at(Alias.CHALLENGER), machines)
        needed = {champion, aliases.at(Alias.PREVIOUS_CHAMPION), aliases.at(Alias.CHALLENGER)}
        for one in self.deployed():
            if one.share == 0 and (one.version not in needed or (one.version == champion and one.machines != machines)):
                self._undeploy(one)
                done.append(f"version {one.version} on {one.machines} undeployed")
        return done

    def _deploy(self, version: int, machines: Machines) -> None:
        """Beside what is there: the others keep the traffic until this one is ready; on an empty endpoint it is its."""
        there = {one.id: one.share for one in self.deployed() if one.share}
        model = {
            "model": f"{self._model}@{version}",
            "display_name": f"v{version}",
            "service_account": self._account,
            "dedicated_resources": {
                "machine_spec": {"machine_type": machines.machine_type},
                "min_replica_count": machines.min_replicas,
                "max_replica_count": machines.max_replicas,
            },
        }
        split = {**there, _NEW: 0} if there else {_NEW: 100}
        with words(self._endpoint):
            asked = {"endpoint": self._endpoint, "deployed_model": model, "traffic_split": split}
            self._client.deploy_model(request=asked).result(timeout=_LONGEST_S)

    def _route(self, champion: int, challenger: int | None, machines: Machines) -> list[str]:
        """All traffic to the champion but what a challenger has."""
        endpoint = self._get()
        there = [_deployed(one, endpoint) for one in endpoint.deployed_models]
        held = {one.id: one.share for one in there if one.version == challenger != champion}
        mine = next(one.id for one in there if (one.version, one.machines) == (champion, machines))
        wanted = {**dict.fromkeys((one.id for one in there), 0), **held, mine: 100 - sum(held.values())}
        if wanted == {one.id: one.share for one in there}:
            return []
        with words(self._endpoint):
            self._client.update_endpoint(
                endpoint={"name": self._endpoint, "traffic_split": wanted, "etag": endpoint.etag},
                update_mask={"paths": ["traffic_split"]},
            )
        return [f"version {champion} answers {wanted[mine]} % of the requests"]

    def _undeploy(self, one: Deployed) -> None:
        with words(self._endpoint):
            asked = {"endpoint": self._endpoint, "deployed_model_id": one.id}
            self._client.undeploy_model(request=asked).result(timeout=_LONGEST_S)

    def _get(self) -> Any:
        with words(self._endpoint):
            return self._client.get_endpoint(name=self._endpoint)


def _deployed(model: Any, endpoint: Any) -> Deployed:
    resources = model.dedicated_resources
    machines = Machines(
        resources.machine_spec.machine_type, int(resources.min_replica_count), int(resources.max_replica_count)
    )
    try:
        version = int(model.model_version_id)
    except ValueError as error:
        raise ConflictError(
            f"unknown model {model.id} on the endpoint", where=endpoint.name, hint="undeploy it by hand"
        ) from error
    return Deployed(model.id, version, machines, int(endpoint.traffic_split.get(model.id, 0)))
