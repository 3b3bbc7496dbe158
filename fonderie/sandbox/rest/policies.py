"""IAM policies of any resource: read, written under their etag, and asked what the caller may do.

Source: IAM's `getIamPolicy`, `setIamPolicy` and `testIamPermissions`, which all services share; Cloud Storage has a
form of its own.
"""

from __future__ import annotations

import base64
from typing import Any

from fonderie.sandbox.cloud.documents import Document
from fonderie.sandbox.lifecycle import members, object_requests
from fonderie.sandbox.lifecycle.world import World
from fonderie.sandbox.rest.discovery import Call, RejectedError
from fonderie.sandbox.rest.judgement import resource

_MODIFIED = "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff."


class Policies:
    """The policies kept in the cloud file, which Terraform's members and bindings are parts of."""

    def __init__(self, world: World, access: Any) -> None:
        self._world, self._access = world, access

    def handle(self, call: Call) -> Document:
        """Answer one call."""
        path = resource(call, self._world)
        self._there(path)
        match call.method.rpartition(".")[2]:
            case "getIamPolicy":
                return self._shown(call, path)
            case "setIamPolicy":
                return self._set(call, path)
        asked = call.body.get("permissions") or call.query.get("permissions", "").split(",")
        held = [each for each in asked if each and self._allows(call, each, path)]
        kind = {"kind": "storage#testIamPermissionsResponse"} if call.method.startswith("storage.") else {}
        return {**kind, "permissions": held} if held else {**kind}

    def _allows(self, call: Call, permission: str, path: str) -> bool:
        return self._access is None or bool(self._access.holds(call.caller, permission, path))

    def _there(self, path: str) -> None:
        parts = path.split("/")
        types = self._world.names.types_of(path)
        if parts[0] == "projects" and len(parts) == 2:
            if parts[1] not in self._world.cloud.projects():
                raise RejectedError(404, "NOT_FOUND", f"Project '{parts[1]}' not found or deleted.")
        elif path.startswith("b/") or types:
            type = types[0] if types else "google_storage_bucket"
            if not object_requests.exists(self._world, type, path):
                raise RejectedError(404, "NOT_FOUND", f"Resource not found (resource={path}).")

    def _shown(self, call: Call, path: str) -> Document:
        version, policy = self._world.cloud.policy(path)
        bindings = [
            {key: value for key, value in binding.items() if value is not None} for binding in policy["bindings"]
        ]
        conditional = any("condition" in binding for binding in bindings)
        shown: Document = {"version": 3 if conditional else 1, "etag": _etag(version)}
        if bindings:
            shown["bindings"] = bindings
        if policy.get("auditConfigs") and not call.method.startswith("storage."):
            shown["auditConfigs"] = [_audit(each) for each in policy["auditConfigs"]]
        if call.method.startswith("storage."):
            shown |= {"kind": "storage#policy", "resourceId": f"projects/_/buckets/{path.removeprefix('b/')}"}
        return shown

    def _set(self, call: Call, path: str) -> Document:
        wanted = call.body.get("policy", {}) if "policy" in call.body else call.body
        written = [
            {"role": binding["role"], "condition": _condition(binding), "members": binding.get("members", [])}
            for binding in wanted.get("bindings", [])
        ]
        for member in {member for binding in written for member in binding["members"]}:
            if why := members.refusal(self._world, member):
                raise RejectedError(400, "INVALID_ARGUMENT", why)
        with self._world.cloud.transaction():
            version, before = self._world.cloud.policy(path)
            if wanted.get("etag") and wanted["etag"] != _etag(version):
                raise RejectedError(409, "ABORTED", _MODIFIED)
            audit = before.get("auditConfigs")
            if "auditConfigs" in wanted:
                audit = [_kept_audit(each) for each in wanted["auditConfigs"]]
            policy = {**before, "bindings": written} | ({"auditConfigs": audit} if audit else {})
            self._world.cloud.set_policy(path, policy, version=version)
        return self._shown(call, path)


def _etag(version: int) -> str:
    return base64.b64encode(f"v{version:06d}".encode()).decode()


def _condition(binding: Document) -> Document | None:
    condition = binding.get("condition")
    return {name: condition.get(name, "") for name in ("title", "description", "expression")} if condition else None


def _audit(kept: Document) -> Document:
    """An audit configuration in the API's words; kept are the provider's."""
    logs = [{"logType": log["log_type"], "exemptedMembers": log.get("exempted_members") or []} for log in kept["logs"]]
    shown = [{name: value for name, value in log.items() if value} for log in logs]
    return {"service": kept["service"], "auditLogConfigs": shown}


def _kept_audit(shown: Document) -> Document:
    logs = shown.get("auditLogConfigs", [])
    kept = [{"log_type": log["logType"], "exempted_members": log.get("exemptedMembers", [])} for log in logs]
    return {"service": shown["service"], "logs": kept}
