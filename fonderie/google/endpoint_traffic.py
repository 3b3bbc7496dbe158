"""The traffic split of an endpoint on Vertex AI, by model version.

Terraform makes the endpoint and ignores its split (`infra/constructs/endpoint.py`): who answers what is decided here.
Source: Vertex AI REST reference, projects.locations.endpoints (deployedModels, trafficSplit: whole per cent, sum 100).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fonderie.core.errors import BadInputError, ConflictError
from fonderie.google import Access, words
from ml.serving.canary.canary import Canary, Status


class VertexTraffic:
    """The split of one endpoint, `projects/P/locations/R/endpoints/N`."""

    def __init__(self, access: Access, endpoint: str) -> None:
        self._client = access.vertex("EndpointServiceClient")
        self._endpoint = endpoint

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
            raise BadInputError(f"{dict(shares)} do not add up to 100 %", where=self._endpoint)
        endpoint = self._get()
        ids = {str(deployed.model_version_id): deployed.id for deployed in endpoint.deployed_models}
        absent = sorted(set(shares) - set(ids))
        if absent:
            there = ", ".join(sorted(ids)) or "none"
            raise BadInputError(
                f"version {', '.join(absent)} is not deployed", where=self._endpoint, hint=f"deployed: {there}"
            )
        wanted = dict.fromkeys((deployed.id for deployed in endpoint.deployed_models), 0)
        wanted |= {ids[version]: share for version, share in shares.items()}
        with words(self._endpoint):
            self._client.update_endpoint(
                endpoint={"name": self._endpoint, "traffic_split": wanted, "etag": endpoint.etag},
                update_mask={"paths": ["traffic_split"]},
            )
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

    def _get(self) -> Any:
        with words(self._endpoint):
            return self._client.get_endpoint(name=self._endpoint)
