"""May a caller do this? Judged by the policies kept in the cloud file: the resource's, its parents', its project's.

What stands in no policy and holds all the same, as at Google: a bucket's own grants to its project's owners, editors
and viewers, a dataset's access list, the roles that Google gives a service's agent when the API is enabled. The person
owns every project and administers every billing account: somebody must have, before there is a policy.

Source: IAM's "Policy inheritance", "Basic roles", Cloud Storage's "IAM roles" (legacy roles and default grants),
BigQuery's "Dataset access", IAM's "Service agents".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any

from fonderie.core.errors import RefusedError
from fonderie.core.google_iam import predefined_roles
from fonderie.sandbox.cloud.clock import Clock
from fonderie.sandbox.cloud.cloud import Cloud
from fonderie.sandbox.iam import conditions, words
from fonderie.sandbox.iam.caller import ANONYMOUS, ANYONE, PERSON, Caller
from fonderie.sandbox.iam.conditions import ConditionError, RequestContext

OBJECT_OWNER = frozenset(
    {
        "storage.objects.get",
        "storage.objects.getIamPolicy",
        "storage.objects.setIamPolicy",
        "storage.objects.update",
    }
)
_LEGACY_OBJECTS = {
    "roles/storage.legacyObjectOwner": OBJECT_OWNER,
    "roles/storage.legacyObjectReader": frozenset({"storage.objects.get"}),
}
_DATASET_ROLES = {
    "OWNER": "roles/bigquery.dataOwner",
    "WRITER": "roles/bigquery.dataEditor",
    "READER": "roles/bigquery.dataViewer",
}
_GROUPS = {"projectOwners": "projectOwner", "projectWriters": "projectEditor", "projectReaders": "projectViewer"}
_BASIC = {"projectOwner": "roles/owner", "projectEditor": "roles/editor", "projectViewer": "roles/viewer"}
_ACCOUNTS = re.compile(
    r"principalSet://cloudresourcemanager\.googleapis\.com/projects/(\d+)/type/(ServiceAccount|ServiceAgent)"
)
_POOL = re.compile(r"principal(?:Set)?://iam\.googleapis\.com/projects/([^/]+)/locations/global/(.*)")


class DeniedError(RefusedError):
    """Google's 403: what it says, and of which permission on which resource."""

    status = 403
    reason = "forbidden"

    def __init__(self, caller: Caller, permission: str, resource: str, unjudged: Sequence[str] = ()) -> None:
        self.caller, self.permission, self.resource = caller, permission, resource
        self.message = words.denied(caller, permission, resource)
        hint = f"{caller.email} lacks {permission} on {resource}"
        if unjudged:
            hint += f"; the sandbox cannot judge {'; '.join(unjudged)}"
        super().__init__(self.message, where=resource, hint=hint)


@dataclass(frozen=True)
class Binding:
    """One role of some members on a resource."""

    role: str
    members: Sequence[str]
    condition: str = ""


@dataclass(frozen=True, order=True)
class Grant:
    """One role of one member on one resource, as a policy has it."""

    path: str
    role: str
    member: str
    condition: str = ""

    def __str__(self) -> str:
        return f"{self.role} of {self.member} on {self.path}"


@dataclass(frozen=True)
class Demand:
    """That somebody needs permissions on a resource, as it was judged; by permission the grants that gave it then."""

    caller: Caller
    permissions: tuple[str, ...]
    path: str
    grants: Mapping[str, Sequence[Grant]] = field(default_factory=dict, hash=False)

    @property
    def allowed(self) -> bool:
        """Whether some grant gave each permission."""
        return all(self.grants.get(permission) for permission in self.permissions)

    def line(self) -> str:
        """One line of JSON, for `--calls`."""
        written = {
            "caller": self.caller.member,
            "permissions": self.permissions,
            "resource": self.path,
            "allowed": self.allowed,
            "by": {
                permission: [list(astuple(grant)) for grant in grants] for permission, grants in self.grants.items()
            },
        }
        return json.dumps(written)

    @classmethod
    def read(cls, line: str) -> Demand:
        """From such a line."""
        written = json.loads(line)
        grants = {permission: [Grant(*each) for each in by] for permission, by in written["by"].items()}
        return cls(Caller(written["caller"]), tuple(written["permissions"]), written["resource"], grants)


class CallLog:
    """A file with every demand that was judged, each once: who called, what that needs on which resource, by what."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._written = set[str]()

    def add(self, demand: Demand) -> None:
        """Write a demand, unless it was written."""
        line = demand.line()
        if line not in self._written:
            self._written.add(line)
            with self._file.open("a", encoding="utf-8") as file:  # appended at once: several processes write
                file.write(f"{line}\n")


class AccessControl:
    """Judges calls by the policies of a cloud."""

    def __init__(
        self, cloud: Cloud, clock: Clock | None = None, propagation_s: float = 0.0, calls: CallLog | None = None
    ) -> None:
        """A change of a policy takes effect after `propagation_s`; `calls` is told each demand."""
        self._cloud = cloud
        self._calls = calls
        self._clock = clock or Clock()
        self._propagation_s = propagation_s

    def allows(
        self, caller: Caller, permission: str, path: str, *, attributes: Mapping[str, Sequence[str]] | None = None
    ) -> bool:
        """Whether `caller` may do what `permission` names on `path`, the canonical path of a resource or a parent."""
        self._note(caller, (permission,), path, attributes)
        return self.holds(caller, permission, path, attributes=attributes)

    def holds(
        self, caller: Caller, permission: str, path: str, *, attributes: Mapping[str, Sequence[str]] | None = None
    ) -> bool:
        """The same as a question, as `testIamPermissions` asks it: it is not listed as a call."""
        return permission not in self._lacking(caller, (permission,), path, attributes)[0]

    def demand(
        self,
        caller: Caller,
        permissions: Iterable[str],
        path: str,
        *,
        attributes: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Raises DeniedError for the first of `permissions` that `caller` lacks on `path`.

        `attributes` are what a condition's `api.getAttribute` may ask for.
        """
        wanted = tuple(permissions)
        self._note(caller, wanted, path, attributes)
        lacking, unjudged = self._lacking(caller, wanted, path, attributes)
        for permission in wanted:
            if permission in lacking:
                raise DeniedError(caller, permission, path, unjudged)

    def holds_role(self, caller: Caller, role: str, path: str) -> bool:
        """Whether `caller` holds this very role on `path` or above it, without a condition."""
        return any(
            binding.role == role and not binding.condition and self._is_among(caller, binding.members)
            for scope in self.scopes(path)
            for binding in self.bindings(scope)
        )

    def roles_of(self, caller: Caller, path: str) -> set[str]:
        """The roles that `caller` holds on `path` or above it, those under a condition among them."""
        return {
            binding.role
            for scope in self.scopes(path)
            for binding in self.bindings(scope)
            if self._is_among(caller, binding.members)
        }

    def permissions_of(self, role: str) -> frozenset[str]:
        """What a role holds: predefined, or a custom role of the cloud that is not deleted; else nothing."""
        if role in _LEGACY_OBJECTS:
            return _LEGACY_OBJECTS[role]
        if (known := predefined_roles().get(role)) is not None:
            return known
        custom = self._cloud.live("google_project_iam_custom_role", role)
        return frozenset(custom.attributes.get("permissions") or ()) if custom else frozenset()

    def scopes(self, path: str) -> list[str]:
        """The paths whose policies count for `path`: itself, those above it, its project."""
        if path.startswith("b/"):
            bucket = path.partition("/o/")[0]
            thing = self._cloud.get("google_storage_bucket", bucket)
            project = str(thing.attributes.get("project") or "") if thing else ""
            return [bucket, f"projects/{project}"] if project else [bucket]
        parts = path.split("/")
        return ["/".join(parts[:length]) for length in range(len(parts), 1, -1)]

    def bindings(self, path: str) -> Iterator[Binding]:
        """The grants on one resource: those of its policy, and those it has without one."""
        for written in self._policy(path)["bindings"]:
            condition = written.get("condition") or {}
            yield Binding(written["role"], written["members"], condition.get("expression", ""))
        if path.startswith("b/"):
            yield from self._of_bucket(path)
        elif "/datasets/" in path and path.count("/") == 3:
            yield from self._of_dataset(path)
        elif path.startswith("billingAccounts/") and path.count("/") == 1:
            yield Binding("roles/billing.admin", [PERSON.member])
        elif path.startswith("projects/") and path.count("/") == 1:
            yield Binding("roles/owner", [PERSON.member])
            yield from self._of_agents(path.removeprefix("projects/"))

    def _policy(self, path: str) -> Mapping[str, Any]:
        if not self._propagation_s:
            return self._cloud.policy(path)[1]
        return self._cloud.policy_at(path, self._clock.now().timestamp() - self._propagation_s)

    # -- grants without a policy

    def _of_bucket(self, path: str) -> Iterator[Binding]:
        thing = self._cloud.get("google_storage_bucket", path)
        project = thing.attributes.get("project") if thing else None
        if project:
            owners, viewers = [f"projectOwner:{project}", f"projectEditor:{project}"], [f"projectViewer:{project}"]
            yield Binding("roles/storage.legacyBucketOwner", owners)
            yield Binding("roles/storage.legacyObjectOwner", owners)
            yield Binding("roles/storage.legacyBucketReader", viewers)
            yield Binding("roles/storage.legacyObjectReader", viewers)

    def _of_dataset(self, path: str) -> Iterator[Binding]:
        thing = self._cloud.get("google_bigquery_dataset", path)
        entries = (thing.attributes.get("access") or self._usual_entries(path)) if thing else []
        for entry in entries:
            role = entry.get("role") or ""
            if role and (members := _members_of_entry(entry, path.split("/")[1])):
                yield Binding(_DATASET_ROLES.get(role, role), members)

    def _usual_entries(self, path: str) -> list[dict[str, str]]:
        """The access list of a dataset that was made without one: its project's owners, writers, readers, its maker."""
        entries = [{"role": role, "special_group": group} for role, group in zip(_DATASET_ROLES, _GROUPS, strict=True)]
        maker = self._cloud.note(maker_note(path))
        return [*entries, {"role": "OWNER", "user_by_email": maker}] if maker else entries

    def _of_agents(self, project: str) -> Iterator[Binding]:
        from fonderie.sandbox.rules.agents import AGENTS

        number, now_s = self._cloud.number_of(project), self._clock.now().timestamp()
        for agent in AGENTS:
            email = agent.pattern.format(number)
            granted_s = self._cloud.note(agent_role_note(email)) if agent.role else None
            if granted_s is not None and float(granted_s) + self._propagation_s <= now_s:
                yield Binding(agent.role, [f"serviceAccount:{email}"])

    # -- judging

    def _lacking(
        self,
        caller: Caller,
        permissions: Sequence[str],
        path: str,
        attributes: Mapping[str, Sequence[str]] | None,
    ) -> tuple[set[str], list[str]]:
        """What is lacking, and what might have granted it but cannot be judged."""
        lacking, unjudged = set(permissions), list[str]()
        if caller == ANYONE:
            return set(), []
        for scope in self.scopes(path):
            for binding in self.bindings(scope):
                if not lacking:
                    return lacking, unjudged
                if not self._is_among(caller, binding.members):
                    continue
                if binding.role not in _LEGACY_OBJECTS and _is_unlisted(binding.role):
                    unjudged.append(f"the role {binding.role}")
                elif granted := lacking & self.permissions_of(binding.role):
                    try:
                        if self._holds(binding.condition, path, attributes):
                            lacking -= granted
                    except ConditionError as error:
                        unjudged.append(f"the condition {error}")
        return lacking, unjudged

    def _note(
        self, caller: Caller, wanted: tuple[str, ...], path: str, attributes: Mapping[str, Sequence[str]] | None
    ) -> None:
        """Tell the list of calls, if there is one, what is wanted and every grant that gives it."""
        if self._calls is None or not wanted or caller == ANYONE:
            return
        given = {permission: list[Grant]() for permission in wanted}
        for scope in self.scopes(path):
            for binding in self.bindings(scope):
                members = [member for member in binding.members if self._is_among(caller, [member])]
                for permission in set(wanted) & self.permissions_of(binding.role) if members else ():
                    with suppress(ConditionError):
                        if self._holds(binding.condition, path, attributes):
                            given[permission] += [
                                Grant(scope, binding.role, member, binding.condition) for member in members
                            ]
        self._calls.add(Demand(caller, wanted, path, given))

    def _holds(self, condition: str, path: str, attributes: Mapping[str, Sequence[str]] | None) -> bool:
        if not condition:
            return True
        kind, service = words.resource_type(path)
        context = RequestContext(path, service, kind, self._clock.now(), attributes or {})
        return conditions.holds(condition, context)

    def _is_among(self, caller: Caller, members: Sequence[str]) -> bool:
        if "allUsers" in members or (caller != ANONYMOUS and "allAuthenticatedUsers" in members):
            return True
        return caller.member in members or any(self._matches(caller, member) for member in members)

    def _matches(self, caller: Caller, member: str) -> bool:
        kind, _, name = member.partition(":")
        match kind:
            case "projectOwner" | "projectEditor" | "projectViewer":
                return any(
                    binding.role == _BASIC[kind] and caller.member in binding.members
                    for binding in self.bindings(f"projects/{name}")
                )
            case "domain":
                return caller.member.startswith("user:") and caller.email.endswith(f"@{name}")
            case "group":
                return name in caller.attributes.get("groups", "").split()
            case "principalSet" if accounts := _ACCOUNTS.fullmatch(member):
                return self._is_of_project(caller, int(accounts[1]), agent=accounts[2] == "ServiceAgent")
            case "principal" | "principalSet":
                return caller.member.startswith("principal:") and self._is_federated(caller, member)
        return False

    def _is_of_project(self, caller: Caller, number: int, *, agent: bool) -> bool:
        """Whether the caller is a service account of the project, or one of Google's own agents in it."""
        account, _, domain = caller.email.partition("@")
        if agent:
            return domain.endswith(".gserviceaccount.com") and account.removeprefix("service-") == str(number)
        return domain == f"{self._cloud.project_of(number)}.iam.gserviceaccount.com"

    def _is_federated(self, caller: Caller, member: str) -> bool:
        """`principalSet://.../workloadIdentityPools/P/attribute.A/VALUE`, `.../*` for the pool, `.../subject/S`."""
        theirs, wanted = _POOL.match(caller.member), _POOL.match(member)
        if not theirs or not wanted or self._number(theirs[1]) != self._number(wanted[1]):
            return False
        if member.startswith("principal:"):
            return theirs[2] == wanted[2]
        pool, _, rest = wanted[2].removeprefix("workloadIdentityPools/").partition("/")
        if pool != theirs[2].removeprefix("workloadIdentityPools/").partition("/")[0]:
            return False
        name, _, value = rest.partition("/")
        if name == "group":
            return value in caller.attributes.get("groups", "").split()
        return rest == "*" or (name in caller.attributes and caller.attributes[name] == value)

    def _number(self, project: str) -> int:
        return int(project) if project.isdigit() else self._cloud.number_of(project)


def _is_unlisted(role: str) -> bool:
    """A role of Google's of which we do not know what it holds."""
    return role.startswith("roles/") and role not in predefined_roles()


def agent_role_note(email: str) -> str:
    """The note under which a cloud keeps when Google granted an agent its role."""
    return f"agent-role:{email}"


def maker_note(path: str) -> str:
    """The note under which a cloud keeps who made a dataset without an access list."""
    return f"maker:{path}"


def _members_of_entry(entry: Mapping[str, Any], project: str) -> list[str]:
    """Who an entry of a dataset's access list names."""
    if email := entry.get("user_by_email"):
        return [f"serviceAccount:{email}" if email.endswith(".gserviceaccount.com") else f"user:{email}"]
    if group := entry.get("special_group"):
        return [f"{_GROUPS[group]}:{project}"] if group in _GROUPS else [str(group)]
    for name, kind in (("group_by_email", "group"), ("domain", "domain")):
        if entry.get(name):
            return [f"{kind}:{entry[name]}"]
    return [str(entry["iam_member"])] if entry.get("iam_member") else []
