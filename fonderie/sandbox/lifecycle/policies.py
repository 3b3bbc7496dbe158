"""IAM members, bindings and audit configs: parts of a policy that is read, changed and written back under its etag.

As the provider does it: one writer of a policy at a time within a process, and five tries when another process was
first. Source: the recorded cases of the `_iam_member` types; IAM's "read-modify-write" documentation.
"""

from __future__ import annotations

import base64
import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from fonderie.sandbox.iam.caller import ANYONE
from fonderie.sandbox.iam.conditions import syntax_error
from fonderie.sandbox.lifecycle import members, object_requests, permissions
from fonderie.sandbox.lifecycle.faults import InjectedError
from fonderie.sandbox.lifecycle.interface import UNKNOWN, ApiError, Diagnostic, ProviderConfig, State
from fonderie.sandbox.lifecycle.resource_paths import Names, iam_parent, placeholders
from fonderie.sandbox.lifecycle.world import World, google_error, text
from fonderie.sandbox.rules.iam import unknown_role

Policy = dict[str, Any]
_GAPS_S = (1.0, 2.0, 4.0, 8.0, 16.0)
_MODIFIED = "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff."


def is_part(type: str) -> bool:
    """Whether a type is part of a policy and no object by itself."""
    return iam_parent(type) is not None


def target(names: Names, type: str, state: State, provider: ProviderConfig) -> tuple[str, str]:
    """Type and path of the object whose policy a part belongs to."""
    parent, values = iam_parent(type) or "", names.values(type, state, provider)
    if parent == "google_project":
        return parent, f"projects/{values.get('project', '')}"
    if parent not in names.facts.raw["types"]:
        return parent, f"{parent}/{'/'.join(sorted(values.values()))}"
    holes = placeholders(names.path_template(parent))
    value = values.get(_main(names, type), "").removeprefix("b/")
    given = {**values, holes[-1]: value} if holes and "/" not in value else values
    if parent == "google_storage_bucket":
        return parent, f"b/{value}"
    return parent, names.refer(parent, value, values) if "/" in value else names.path(parent, given)


def _main(names: Names, type: str) -> str:
    """The attribute that names the object: `topic`, `crypto_key_id`, `table_id`."""
    others = ("role", "member", "members", "location", "region", "project")
    required = [name for name, fact in names.facts.type(type).attributes.items() if fact.required]
    return next((name for name in reversed(required) if "." not in name and name not in others), "name")


class Policies:
    """The lifecycle of parts of policies."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def target(self, type: str, state: State, provider: ProviderConfig) -> tuple[str, str]:
        """Type and path of the object whose policy it is."""
        return target(self._world.names, type, state, provider)

    def make(self, type: str, planned: State, provider: ProviderConfig, prior: State | None = None) -> State:
        """Add a part to its policy, or take over one that is there. Raises ApiError."""
        parent, path = self.target(type, planned, provider)
        action = "create" if prior is None else "update"
        permissions.demand_on_policy(self._world, type, action, (parent, path), provider, _roles(planned, prior))
        if parent != "google_project" and not object_requests.exists(self._world, parent, path):
            raise self._error(type, "setting", 404, f"Resource not found (resource={path}).", "notFound")
        self._check_members(type, members_of(planned), path)
        if provider.caller != ANYONE:
            self._check_role(type, planned, path)
        version = self._modify(type, path, lambda policy: _put(policy, type, planned))
        return self._state(type, planned, path, version, provider)

    def read(self, type: str, state: State, provider: ProviderConfig) -> State | None:
        """The part as it is; None when it, or the object, is gone. Raises ApiError."""
        parent, path = self.target(type, state, provider)
        permissions.demand_on_policy(self._world, type, "read", (parent, path), provider)
        if parent != "google_project" and not object_requests.exists(self._world, parent, path):
            return None
        version, policy = self._world.cloud.policy(path)
        found = _find(policy, type, state)
        return None if found is None else self._state(type, {**state, **found}, path, version, provider)

    def remove(self, type: str, state: State, provider: ProviderConfig) -> list[Diagnostic]:
        """Take a part out of its policy; nothing happens when it is not there. Raises ApiError."""
        parent, path = self.target(type, state, provider)
        permissions.demand_on_policy(self._world, type, "delete", (parent, path), provider, _roles(state))
        if parent == "google_project" or object_requests.exists(self._world, parent, path):
            self._modify(type, path, lambda policy: _drop(policy, type, state))
        return []

    def parse(self, type: str, id: str, provider: ProviderConfig) -> State:
        """A state from an import id: `resource role member`, with blanks. Raises ApiError."""
        words = id.split(" ")
        fields = self._fields(type)
        if len(words) < len(fields):
            form = " ".join(fields)
            raise ApiError.because(f"Wrong number of parts to import id {id}; expected '{form}'.")
        state: State = dict(zip(fields[1:], words[1:], strict=False))
        if "members" in self._world.facts.type(type).attributes:
            state["members"] = UNKNOWN
        state |= self._place(type, words[0], provider)
        title = " ".join(words[len(fields) :])
        if title:
            state["condition"] = self._condition(type, state, title, provider)
        return state

    # -- the parts

    def _fields(self, type: str) -> list[str]:
        if type.endswith("_audit_config"):
            return ["resource", "service"]
        return ["resource", "role"] if type.endswith("_binding") else ["resource", "role", "member"]

    def _place(self, type: str, resource: str, provider: ProviderConfig) -> State:
        parent = iam_parent(type) or ""
        if parent == "google_project":
            return {"project": resource.removeprefix("projects/")}
        holes = placeholders(self._world.names.path_template(parent))
        own = self._world.facts.type(type).attributes
        values = self._world.names.values(type, {}, provider)
        path = self._world.names.refer(parent, resource, values).split("/")
        found: State = {}
        parts = self._world.names.expanded(parent).split("/")
        for part, value in zip(parts, path, strict=False):
            if part.startswith("{") and (name := part.strip("{}")) in own:
                found[name] = value
        main = _main(self._world.names, type)
        if holes and (main not in found or "/" in resource):
            found[main] = resource
        return found

    def _condition(self, type: str, state: State, title: str, provider: ProviderConfig) -> list[State]:
        _, path = self.target(type, state, provider)
        for binding in self._world.cloud.policy(path)[1]["bindings"]:
            condition = binding.get("condition") or {}
            if binding["role"] == state.get("role") and condition.get("title") == title:
                return [{"title": title, "description": "", "expression": "", **condition}]
        return [{"title": title, "description": "", "expression": ""}]

    def _state(self, type: str, state: State, path: str, version: int, provider: ProviderConfig) -> State:
        parent = iam_parent(type)
        values = self._world.names.values(type, state, provider)
        shown = values["project"] if parent == "google_project" else path
        match type.rsplit("_", 1)[1]:
            case "config":
                identity = f"{shown}/audit_config/{state['service']}"
            case "binding":
                identity = f"{shown}/{state['role']}{_suffix(state)}"
            case _:
                identity = f"{shown}/{state['role']}/{state['member']}{_suffix(state)}"
        etag = "" if parent == "google_bigquery_dataset" else base64.b64encode(f"v{version:06d}".encode()).decode()
        filled = {**state, "id": identity, "etag": etag}
        for name in ("project", "location", "region"):
            if name in filled and filled[name] in (UNKNOWN, None):
                filled[name] = values.get(name, "")
        return {name: None if value is UNKNOWN else value for name, value in filled.items()}

    def _check_members(self, type: str, written: list[str], path: str) -> None:
        for member in written:
            if why := members.refusal(self._world, member):
                raise self._error(type, f"applying IAM policy for {path}:", 400, why, "badRequest")

    def _check_role(self, type: str, planned: State, path: str) -> None:
        role = planned.get("role")
        if isinstance(role, str) and (why := unknown_role(self._world.cloud, role)):
            raise self._error(type, f"applying IAM policy for {path}:", 400, why, "badRequest")
        condition = _condition_of(planned)
        if condition and (why := syntax_error(condition["expression"])):
            what = f"Invalid argument: the condition cannot be read: {why}"
            raise self._error(type, f"applying IAM policy for {path}:", 400, what, "badRequest")

    def _modify(self, type: str, path: str, change: Callable[[Policy], Policy]) -> int:
        with self._locks[path]:
            for gap in (*_GAPS_S, None):
                try:
                    self._world.faults.call(f"setIamPolicy {path}", retried={409: _GAPS_S, 412: _GAPS_S})
                except InjectedError as error:
                    raise ApiError.because(f"Error setting IAM policy for {path}: {error}") from error
                with self._world.cloud.transaction():
                    version, policy = self._world.cloud.policy(path)
                    changed = change(policy)
                    if changed == policy:
                        return version
                if self._world.cloud.set_policy(path, changed, version=version):
                    return self._world.cloud.policy(path)[0]
                self._world.clock.wait(gap or 0)
        raise self._error(type, "setting", 409, _MODIFIED, "aborted")

    def _error(self, type: str, verb: str, code: int, message: str, reason: str) -> ApiError:
        if verb.startswith("applying"):
            return ApiError.because(f"Error {verb} googleapi: Error {code}: {message}, {reason}")
        return google_error(type, f"{verb} IAM policy of", code, message, reason)


def _roles(*states: State | None) -> list[str]:
    """The roles whose members change."""
    return sorted({str(state["role"]) for state in states if state and state.get("role")})


def members_of(state: State) -> list[str]:
    """Who stands in a part of a policy."""
    one, many = state.get("member"), state.get("members")
    return [one] if isinstance(one, str) else [member for member in many or [] if isinstance(member, str)]


def _condition_of(state: State) -> dict[str, str] | None:
    blocks = state.get("condition")
    if not (isinstance(blocks, list) and blocks):
        return None
    return {name: text(blocks[0], name) for name in ("title", "description", "expression")}


def _suffix(state: State) -> str:
    condition = _condition_of(state)
    return "/" + "/".join(condition.values()) if condition else ""


def _same(binding: Policy, state: State) -> bool:
    return bool(binding["role"] == state.get("role") and binding.get("condition") == _condition_of(state))


def _put(policy: Policy, type: str, state: State) -> Policy:
    if type.endswith("_audit_config"):
        others = [one for one in policy.get("auditConfigs", []) if one["service"] != state["service"]]
        return {**policy, "auditConfigs": [*others, {"service": state["service"], "logs": state["audit_log_config"]}]}
    binding = next((one for one in policy["bindings"] if _same(one, state)), None)
    others = [one for one in policy["bindings"] if one is not binding]
    kept = [] if type.endswith("_binding") or binding is None else binding["members"]
    merged = list(dict.fromkeys([*kept, *members_of(state)]))
    return {
        **policy,
        "bindings": [*others, {"role": state["role"], "condition": _condition_of(state), "members": merged}],
    }


def _drop(policy: Policy, type: str, state: State) -> Policy:
    if type.endswith("_audit_config"):
        kept = [one for one in policy.get("auditConfigs", []) if one["service"] != state["service"]]
        return {**policy, "auditConfigs": kept}
    bindings = []
    for one in policy["bindings"]:
        gone = set(members_of(state)) if _same(one, state) else set()
        gone |= set(one["members"]) if _same(one, state) and type.endswith("_binding") else set()
        if kept := [member for member in one["members"] if member not in gone]:
            bindings.append({**one, "members": kept})
    return {**policy, "bindings": bindings}


def _find(policy: Policy, type: str, state: State) -> State | None:
    if type.endswith("_audit_config"):
        found = next((one for one in policy.get("auditConfigs", []) if one["service"] == state["service"]), None)
        return {"audit_log_config": found["logs"]} if found else None
    binding = next((one for one in policy["bindings"] if _same(one, state)), None)
    if binding is None:
        return None
    if type.endswith("_binding"):
        return {"members": binding["members"]}
    return {} if state.get("member") in binding["members"] else None
