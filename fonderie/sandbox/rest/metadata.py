"""Vertex ML Metadata: stores, and contexts with their children.

Source: REST reference of `projects.locations.metadataStores`.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from fonderie.sandbox.rest.discovery import Call, RejectedError

CONTEXT_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,127}")
NOW = "2026-11-23T10:00:00Z"


@dataclass
class Metadata:
    """Stores by name, contexts by name; a child knows its parents."""

    stores: MutableMapping[str, dict[str, Any]] = field(default_factory=dict)
    contexts: MutableMapping[str, dict[str, Any]] = field(default_factory=dict)
    now: Callable[[], str] = lambda: NOW

    def handle(self, call: Call) -> dict[str, Any]:
        """Answer one call."""
        match call.method.removeprefix("aiplatform.projects.locations.metadataStores."):
            case "get":
                return {"name": self._store(call.path["name"])}
            case "create":
                name = f"{call.path['parent']}/metadataStores/{call.query['metadataStoreId']}"
                self.stores[name] = {"name": name}
                made = {"@type": "type.googleapis.com/google.cloud.aiplatform.v1.MetadataStore", "name": name}
                return {"name": f"{name}/operations/1", "done": True, "response": made}
            case "contexts.create":
                return self._create(call)
            case "contexts.get":
                return self._context(call.path["name"])
            case "contexts.list":
                return {"contexts": self._listed(call.query.get("filter", ""))}
            case "executions.list" | "artifacts.list":
                return {}  # nobody makes any here; Google's library looks for those of its first version
            case "artifacts.get":
                raise RejectedError(404, "NOT_FOUND", f"Artifact {call.path['name']} is not found.")
            case "contexts.addContextChildren":
                parent = self._context(call.path["context"])["name"]
                for child in call.body["childContexts"]:
                    context = self._context(child)
                    parents = context.setdefault("parentContexts", [])
                    if parent not in parents:
                        parents.append(parent)
                        self.contexts[child] = context
                return {}
            case "operations.get":
                return {"name": call.path["name"], "done": True, "response": {}}
        raise RejectedError(501, "UNIMPLEMENTED", f"the sandbox has no {call.method}")

    def _store(self, name: str) -> str:
        if name not in self.stores:
            raise RejectedError(404, "NOT_FOUND", f"MetadataStore {name} is not found.")
        return name

    def _create(self, call: Call) -> dict[str, Any]:
        identifier = call.query["contextId"]
        if not CONTEXT_ID.fullmatch(identifier):
            raise RejectedError(400, "INVALID_ARGUMENT", f"Context id {identifier} is invalid.")
        name = f"{self._store(call.path['parent'])}/contexts/{identifier}"
        if name in self.contexts:
            raise RejectedError(409, "ALREADY_EXISTS", f"Context with name {name} already exists.")
        now = self.now()
        self.contexts[name] = copy.deepcopy(call.body) | {"name": name, "createTime": now, "updateTime": now}
        return self.contexts[name]

    def _context(self, name: str) -> dict[str, Any]:
        if name not in self.contexts:
            raise RejectedError(404, "NOT_FOUND", f"Context {name} is not found.")
        return self.contexts[name]

    def _listed(self, wanted: str) -> list[dict[str, Any]]:
        """Those whose kind the filter names, below the parent that it names, if it names one."""
        kinds = re.findall(r'schema_title\s*=\s*"([^"]+)"', wanted)
        below = re.findall(r'"([^"]*/contexts/[^"]+)"', wanted)
        found = [each for each in self.contexts.values() if not kinds or each["schemaTitle"] in kinds]
        return [each for each in found if not below or set(below) & set(each.get("parentContexts", []))]
