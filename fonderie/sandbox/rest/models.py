"""Vertex AI's model registry: models, versions and their aliases.

Source: REST reference of `projects.locations.models`; "Model versioning".
"""

from __future__ import annotations

import copy
import re
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any

from fonderie.sandbox.rest.discovery import Call, RejectedError

ALIAS = re.compile(r"[a-z][a-zA-Z0-9-]{0,126}[a-z0-9]")  # as the field's description has it
LABEL = re.compile(r"[a-z0-9_-]{0,63}")


@dataclass
class Models:
    """Versions by model, oldest first. An alias is on one version of a model only; `default` is always on one."""

    versions: MutableMapping[str, list[dict[str, Any]]] = field(default_factory=dict)

    def handle(self, call: Call) -> dict[str, Any]:
        """Answer one call."""
        match call.method.removeprefix("aiplatform.projects.locations.models."):
            case "upload":
                return self._upload(call.path["parent"], call.body)
            case "get":
                return self._version(call.path["name"])
            case "operations.get":
                return {"name": call.path["name"], "done": True, "response": {}}  # every upload ends at once
            case "list":
                names = [name for name in self.versions if name.startswith(f"{call.path['parent']}/models/")]
                return {"models": [self._version(name) for name in names]}
            case "listVersions":
                return {"models": self._all(call.path["name"])}
            case "mergeVersionAliases":
                return self._merge(call.path["name"], call.body["versionAliases"])
        raise RejectedError(501, "UNIMPLEMENTED", f"the sandbox has no {call.method}")

    def _upload(self, parent: str, body: dict[str, Any]) -> dict[str, Any]:
        model = copy.deepcopy(body["model"])
        for key, value in model.get("labels", {}).items():
            if not LABEL.fullmatch(key) or not LABEL.fullmatch(value):
                raise RejectedError(400, "INVALID_ARGUMENT", f"Label {key}={value} is not valid.")
        if not model.get("containerSpec", {}).get("imageUri"):
            raise RejectedError(400, "INVALID_ARGUMENT", "Required field is not set: model.container_spec.image_uri")
        name = body.get("parentModel") or f"{parent}/models/{body.get('modelId', '1234567890')}"
        if body.get("parentModel"):
            self._all(name)
        elif name in self.versions:
            raise RejectedError(409, "ALREADY_EXISTS", f"Model {name} already exists.")
        versions = self.versions.get(name, [])
        aliases = model.pop("versionAliases", [])
        number = str(len(versions) + 1)
        created = {**model, "name": name, "versionId": number, "versionAliases": [], "etag": f"e{number}"}
        versions.append(created)
        _move(versions, created, [*aliases, *(["default"] if number == "1" else [])])
        self.versions[name] = versions
        response = {
            "@type": "type.googleapis.com/google.cloud.aiplatform.v1.UploadModelResponse",
            "model": name,
            "modelVersionId": number,
        }
        return {"name": f"{name}/operations/{number}", "done": True, "response": response}

    def _all(self, name: str) -> list[dict[str, Any]]:
        if name not in self.versions:
            raise RejectedError(404, "NOT_FOUND", f"The Model does not exist: {name}")
        return self.versions[name]

    def _version(self, name: str) -> dict[str, Any]:
        name, _, reference = name.partition("@")
        return _of(self._all(name), name, reference)

    def _merge(self, name: str, aliases: list[str]) -> dict[str, Any]:
        name, _, reference = name.partition("@")
        versions = self._all(name)
        version = _of(versions, name, reference)
        for alias in aliases:
            if alias.startswith("-"):
                version["versionAliases"] = [kept for kept in version["versionAliases"] if kept != alias[1:]]
        _move(versions, version, [alias for alias in aliases if not alias.startswith("-")])
        self.versions[name] = versions
        return version


def _of(versions: list[dict[str, Any]], name: str, reference: str) -> dict[str, Any]:
    for version in versions:
        if (reference or "default") in (version["versionId"], *version["versionAliases"]):
            return version
    raise RejectedError(404, "NOT_FOUND", f"The Model version does not exist: {name}@{reference}")


def _move(versions: list[dict[str, Any]], version: dict[str, Any], aliases: list[str]) -> None:
    for alias in aliases:
        if not ALIAS.fullmatch(alias):
            raise RejectedError(400, "INVALID_ARGUMENT", f"The version alias is not valid: {alias}")
        for other in versions:
            other["versionAliases"] = [kept for kept in other["versionAliases"] if kept != alias]
        version["versionAliases"].append(alias)
