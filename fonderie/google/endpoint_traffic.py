"""An endpoint of Vertex AI: which versions of a model are on it, on which machines, and who answers how much.

Terraform makes the endpoint empty and ignores its split (`infra/constructs/endpoint.py`). Which version is on it
follows the registry, on how many machines the environment's settings, and the split is decided here.
Source: Vertex AI REST reference, projects.locations.endpoints (deployModel, undeployModel; trafficSplit: whole per
cent, sum 100; "0" is the model that a request deploys).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fonderie.core.errors import BadInputError, ConflictError
from fonderie.google import Access, google_errors
from ml.registry.interface import Alias, Aliases
from ml.serving.canary.canary import Canary, Status

_LONGEST_S = 1_800
_NEW = "0"


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


class VertexEndpoint:
    """The endpoint `projects/P/locations/R/endpoints/N` of one model. `account` is what its containers run as."""

    def __init__(self, access: Access, endpoint: str, model: str, *, account: str) -> None:
        self._client = access.vertex("EndpointServiceClient")
        self._endpoint, self._account = endpoint, account
        self._model = f"{access.parent}/models/{model.replace('_', '-')}"

    def split(self) -> dict[str, int]:
        """Per cent by version; a version that is deployed twice counts once, with the sum."""
        endpoint = self._get()
        shares: dict[str, int] = {}
        for deployed in endpoint.deployed_models:
            version = str(deployed.model_version_id)
            shares[version] = shares.get(version, 0) + int(endpoint.traffic_split.get(deployed.id, 0))
        return shares

    def set(self, shares: Mapping[str, int]) -> dict[str, int]:
        """Give each version its share of the traffic, the rest nothing; the split that holds now.

        Raises BadInputError for shares that are not 100 together or a version that is not deployed, ConflictError when
        the endpoint was changed in between (its etag).
        """
        if sum(shares.values()) != 100 or min(shares.values()) < 0:
            what = f"the shares must be 0 or more and add up to 100, not {sum(shares.values())}: {dict(shares)}"
            raise BadInputError(what, where=self._endpoint)
        endpoint = self._get()
        ids = {str(deployed.model_version_id): deployed.id for deployed in endpoint.deployed_models}
        absent = sorted(set(shares) - set(ids))
        if absent:
            there = ", ".join(sorted(ids)) or "none"
            raise BadInputError(
                f"version {', '.join(absent)} is not deployed", where=self._endpoint, hint=f"deployed: {there}"
            )
        wanted = dict.fromkeys((deployed.id for deployed in endpoint.deployed_models), 0)
        self._put(endpoint, wanted | {ids[version]: share for version, share in shares.items()})
        held = self.split()
        if any(held.get(version, 0) != share for version, share in shares.items()):
            raise ConflictError(f"the split is {held}, expected {dict(shares)}", where=self._endpoint, hint="try again")
        return held

    def follow(self, canary: Canary) -> dict[str, int]:
        """The split a canary asks for; its steps must be whole per cent."""
        percent = 100 if canary.status is Status.PROMOTED else round(canary.percent)
        if percent != canary.percent:
            raise BadInputError(f"{canary.percent:g} % is not a whole percentage", where=self._endpoint)
        return self.set({canary.champion: 100 - percent, canary.challenger: percent})

    def deployed(self) -> tuple[Deployed, ...]:
        """What is there now. Raises ConflictError for a model that is not ours."""
        return _deployed(self._get())

    def bring(self, aliases: Aliases, machines: Machines) -> list[str]:
        """Deploy the champion on `machines` unless it is, give it the traffic, and take away what is not needed.

        A challenger on the endpoint keeps its share; the previous champion stays, without traffic, for a rollback.
        What was done, in words; nothing when all is up to date. Raises BadInputError without a champion.
        """
        champion = aliases.at(Alias.CHAMPION)
        if champion is None:
            raise BadInputError(
                "there is no champion to deploy",
                where=self._model,
                hint=f"fonderie run training {self._model} --month YYYY-MM",
            )
        done = []
        if not any((model.version, model.machines) == (champion, machines) for model in self.deployed()):
            self._deploy(champion, machines)
            done.append(f"version {champion} deployed on {machines}")
        done += self._route(champion, aliases.at(Alias.CHALLENGER), machines)
        needed = {champion, aliases.at(Alias.PREVIOUS_CHAMPION), aliases.at(Alias.CHALLENGER)}
        for model in self.deployed():
            outdated = model.version == champion and model.machines != machines
            if model.share == 0 and (outdated or model.version not in needed):
                self._undeploy(model)
                done.append(f"version {model.version} on {model.machines} undeployed")
        return done

    def _deploy(self, version: int, machines: Machines) -> None:
        """Beside what is there: the others keep the traffic until this one is ready; on an empty endpoint it is its."""
        shares = {model.id: model.share for model in self.deployed() if model.share}
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
        split = {**shares, _NEW: 0} if shares else {_NEW: 100}
        request = {"endpoint": self._endpoint, "deployed_model": model, "traffic_split": split}
        with google_errors(self._endpoint):
            self._client.deploy_model(request=request).result(timeout=_LONGEST_S)

    def _route(self, champion: int, challenger: int | None, machines: Machines) -> list[str]:
        """All traffic to the champion but what a challenger has."""
        endpoint = self._get()
        models = _deployed(endpoint)
        held = {model.id: model.share for model in models if model.version == challenger != champion}
        target = next(model.id for model in models if (model.version, model.machines) == (champion, machines))
        wanted = {**dict.fromkeys((model.id for model in models), 0), **held, target: 100 - sum(held.values())}
        if wanted == {model.id: model.share for model in models}:
            return []
        self._put(endpoint, wanted)
        return [f"version {champion} answers {wanted[target]} % of the requests"]

    def _undeploy(self, model: Deployed) -> None:
        request = {"endpoint": self._endpoint, "deployed_model_id": model.id}
        with google_errors(self._endpoint):
            self._client.undeploy_model(request=request).result(timeout=_LONGEST_S)

    def _put(self, endpoint: Any, split: Mapping[str, int]) -> None:
        """Set the split by id of the deployed model, if the endpoint is still the one that was read."""
        with google_errors(self._endpoint):
            self._client.update_endpoint(
                endpoint={"name": self._endpoint, "traffic_split": split, "etag": endpoint.etag},
                update_mask={"paths": ["traffic_split"]},
            )

    def _get(self) -> Any:
        with google_errors(self._endpoint):
            return self._client.get_endpoint(name=self._endpoint)


def _deployed(endpoint: Any) -> tuple[Deployed, ...]:
    return tuple(_model(model, endpoint) for model in endpoint.deployed_models)


def _model(model: Any, endpoint: Any) -> Deployed:
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
