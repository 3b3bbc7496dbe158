"""Vertex AI's endpoints: what is deployed on one, and the split of its traffic.

Source: REST reference of `projects.locations.endpoints`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from fonderie.sandbox.cloud.documents import Documents
from fonderie.sandbox.lifecycle.world import World
from fonderie.sandbox.rest.discovery import Call, RejectedError

_TYPE = "google_vertex_ai_endpoint"
_KEPT = ("deployedModels", "trafficSplit", "etag")


@dataclass
class Endpoints:
    """Endpoints by name. A split must name deployed models only and come to 100."""

    endpoints: MutableMapping[str, dict[str, Any]] = field(default_factory=dict)
    full: RejectedError | None = None  # what a deploy is refused with

    def handle(self, call: Call) -> dict[str, Any]:
        """Answer one call."""
        name = call.path.get("name") or call.path.get("endpoint") or ""
        if ".operations." in call.method:
            return {"name": name, "done": True, "response": {}}  # every operation of the sandbox ends at once
        if name not in self.endpoints:
            raise RejectedError(404, "NOT_FOUND", f"Endpoint `{name}` is not found.")
        match call.method.removeprefix("aiplatform.projects.locations.endpoints."):
            case "get":
                return self.endpoints[name]
            case "patch":
                return self._patch(name, self.endpoints[name], call)
            case "deployModel":
                return self._deploy(name, self.endpoints[name], call)
            case "undeployModel":
                return self._undeploy(name, self.endpoints[name], call)
        raise RejectedError(501, "UNIMPLEMENTED", f"the sandbox has no {call.method}")

    def _patch(self, name: str, endpoint: dict[str, Any], call: Call) -> dict[str, Any]:
        if call.query.get("updateMask") != "trafficSplit":
            raise RejectedError(400, "INVALID_ARGUMENT", f"the sandbox updates no {call.query.get('updateMask')}")
        if call.body.get("etag", endpoint["etag"]) != endpoint["etag"]:
            raise RejectedError(409, "ABORTED", "The etag does not match: the endpoint was changed.")
        split = call.body["trafficSplit"]
        deployed = {model["id"] for model in endpoint["deployedModels"]}
        if not set(split) <= deployed or sum(split.values()) != 100:
            raise RejectedError(400, "INVALID_ARGUMENT", "Traffic split must name deployed models and sum up to 100.")
        endpoint["trafficSplit"] = {model: share for model, share in split.items() if share}
        endpoint["etag"] += "1"
        self.endpoints[name] = endpoint
        return endpoint

    def _deploy(self, name: str, endpoint: dict[str, Any], call: Call) -> dict[str, Any]:
        if self.full:
            raise self.full
        asked = call.body["deployedModel"]
        model, _, version = asked["model"].partition("@")
        number = str(100 + len(endpoint["deployedModels"]) + endpoint["etag"].count("1"))
        made = {**asked, "id": number, "model": model, "modelVersionId": version}
        asked_split = call.body.get("trafficSplit") or ({"0": 100} if not endpoint["deployedModels"] else {})
        split = {number if each == "0" else each: share for each, share in asked_split.items()}
        deployed = {model["id"] for model in (*endpoint["deployedModels"], made)}
        if not set(split) <= deployed or sum(split.values()) != 100:
            raise RejectedError(400, "INVALID_ARGUMENT", "Traffic split must name deployed models and sum up to 100.")
        endpoint["deployedModels"].append(made)
        endpoint["trafficSplit"] = {model: share for model, share in split.items() if share}
        endpoint["etag"] += "1"
        self.endpoints[name] = endpoint
        return _finished(endpoint, "DeployModelResponse", {"deployedModel": made})

    def _undeploy(self, name: str, endpoint: dict[str, Any], call: Call) -> dict[str, Any]:
        gone = call.body["deployedModelId"]
        if endpoint["trafficSplit"].get(gone):
            raise RejectedError(400, "FAILED_PRECONDITION", "The traffic split must be updated before undeploying.")
        endpoint["deployedModels"] = [model for model in endpoint["deployedModels"] if model["id"] != gone]
        endpoint["etag"] += "1"
        self.endpoints[name] = endpoint
        return _finished(endpoint, "UndeployModelResponse", {})


def _finished(endpoint: dict[str, Any], kind: str, response: dict[str, Any]) -> dict[str, Any]:
    """A long-running operation that is done at once."""
    told = {"@type": f"type.googleapis.com/google.cloud.aiplatform.v1.{kind}", **response}
    return {"name": f"{endpoint['name']}/operations/1", "done": True, "response": told}


@dataclass(frozen=True)
class EndpointsOfTheCloud(MutableMapping[str, dict[str, Any]]):
    """Endpoints that Terraform made. What is deployed is kept beside their attributes, and shown in them."""

    world: World

    def __getitem__(self, name: str) -> dict[str, Any]:
        path = self.world.names.canonical(name)
        thing = self.world.cloud.live(_TYPE, path)
        if thing is None:
            raise KeyError(name)
        shown = {"name": path, "displayName": str(thing.attributes.get("display_name") or "")}
        if thing.attributes.get("create_time"):
            shown["createTime"] = thing.attributes["create_time"]
        if labels := thing.attributes.get("effective_labels"):
            shown["labels"] = labels
        told = Documents(self.world.cloud, "endpoint").get(path, {})
        return {"deployedModels": [], "trafficSplit": {}, "etag": "e", **shown, **told}

    def __setitem__(self, name: str, endpoint: dict[str, Any]) -> None:
        path = self.world.names.canonical(name)
        Documents(self.world.cloud, "endpoint")[path] = {key: endpoint[key] for key in _KEPT}
        thing = self.world.cloud.live(_TYPE, path)
        if thing is not None:
            models = [
                {"id": model["id"], "model": model["model"], "model_version_id": model.get("modelVersionId", "")}
                for model in endpoint["deployedModels"]
            ]
            attributes = {"deployed_models": models, "traffic_split": json.dumps(endpoint["trafficSplit"])}
            self.world.cloud.change(_TYPE, path, {**thing.attributes, **attributes})

    def __delitem__(self, name: str) -> None:
        del Documents(self.world.cloud, "endpoint")[self.world.names.canonical(name)]

    def __iter__(self) -> Iterator[str]:
        return (thing.path for thing in self.world.cloud.things(_TYPE))

    def __len__(self) -> int:
        return len(self.world.cloud.things(_TYPE))
