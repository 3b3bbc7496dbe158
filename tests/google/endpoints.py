"""Vertex AI's endpoints for the tests: what is deployed on one, and the split of its traffic."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.google.discovery import Call, RejectedError


@dataclass
class Endpoints:
    """Endpoints by name. A split must name deployed models only and come to 100."""

    endpoints: dict[str, dict[str, Any]] = field(default_factory=dict)
    full: RejectedError | None = None  # what a deploy is refused with

    def handle(self, call: Call) -> dict[str, Any]:
        """Answer one call."""
        name = call.path.get("name") or call.path["endpoint"]
        if name not in self.endpoints:
            raise RejectedError(404, "NOT_FOUND", f"Endpoint `{name}` is not found.")
        match call.method.removeprefix("aiplatform.projects.locations.endpoints."):
            case "get":
                return self.endpoints[name]
            case "patch":
                return self._patch(self.endpoints[name], call)
            case "deployModel":
                return self._deploy(self.endpoints[name], call)
            case "undeployModel":
                return self._undeploy(self.endpoints[name], call)
        raise RejectedError(501, "UNIMPLEMENTED", f"the stand-in has no {call.method}")

    @staticmethod
    def _patch(endpoint: dict[str, Any], call: Call) -> dict[str, Any]:
        if call.query.get("updateMask") != "trafficSplit":
            raise RejectedError(400, "INVALID_ARGUMENT", f"the stand-in updates no {call.query.get('updateMask')}")
        if call.body.get("etag", endpoint["etag"]) != endpoint["etag"]:
            raise RejectedError(409, "ABORTED", "The etag does not match: the endpoint was changed.")
        split = call.body["trafficSplit"]
        deployed = {model["id"] for model in endpoint["deployedModels"]}
        if not set(split) <= deployed or sum(split.values()) != 100:
            raise RejectedError(400, "INVALID_ARGUMENT", "Traffic split must name deployed models and sum up to 100.")
        endpoint["trafficSplit"] = {model: share for model, share in split.items() if share}
        endpoint["etag"] += "1"
        return endpoint

    def _deploy(self, endpoint: dict[str, Any], call: Call) -> dict[str, Any]:
        if self.full:
            raise self.full
        asked = call.body["deployedModel"]
        name, _, version = asked["model"].partition("@")
        number = str(100 + len(endpoint["deployedModels"]) + endpoint["etag"].count("1"))
        made = {**asked, "id": number, "model": name, "modelVersionId": version}
        split = {number if model == "0" else model: share for model, share in call.body["trafficSplit"].items()}
        deployed = {model["id"] for model in (*endpoint["deployedModels"], made)}
        if not set(split) <= deployed or sum(split.values()) != 100:
            raise RejectedError(400, "INVALID_ARGUMENT", "Traffic split must name deployed models and sum up to 100.")
        endpoint["deployedModels"].append(made)
        endpoint["trafficSplit"] = {model: share for model, share in split.items() if share}
        endpoint["etag"] += "1"
        return _finished(endpoint, "DeployModelResponse", {"deployedModel": made})

    @staticmethod
    def _undeploy(endpoint: dict[str, Any], call: Call) -> dict[str, Any]:
        gone = call.body["deployedModelId"]
        if endpoint["trafficSplit"].get(gone):
            raise RejectedError(400, "FAILED_PRECONDITION", "The traffic split must be updated before undeploying.")
        endpoint["deployedModels"] = [model for model in endpoint["deployedModels"] if model["id"] != gone]
        endpoint["etag"] += "1"
        return _finished(endpoint, "UndeployModelResponse", {})


def _finished(endpoint: dict[str, Any], kind: str, response: dict[str, Any]) -> dict[str, Any]:
    """A long-running operation that is done at once."""
    told = {"@type": f"type.googleapis.com/google.cloud.aiplatform.v1.{kind}", **response}
    return {"name": f"{endpoint['name']}/operations/1", "done": True, "response": told}
