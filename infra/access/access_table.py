"""Who may do what on which resource, read from the synthesised stacks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from fonderie.core.resource_types import resource_type
from infra.synthesised import Resource, SynthesisedStack

REFERENCE = re.compile(r"\$\{(?P<type>google_\w+)\.(?P<name>[\w-]+)\.(?P<attribute>\w+)\}")
GRANT = re.compile(r"^(?P<target>google_\w+?)_iam_(?:member|binding)$")


class Level(StrEnum):
    """How much a role allows, roughly, by its name: for colours, never for decisions."""

    READ = "read"
    USE = "use"
    WRITE = "write"
    ADMIN = "admin"


class AccessGrant(BaseModel):
    """One role of one identity on one resource."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    identity: str  # models-pipelines@..., principalSet://...
    role: str
    target_type: str  # google_storage_bucket
    target: str  # the resource's name
    stack: str
    address: str
    condition: str = ""
    permissions: tuple[str, ...] = ()  # of a custom role that the same stack makes

    @property
    def level(self) -> Level:
        """Read, use, write or admin, judged by a custom role's permissions or by the role's name."""
        if self.permissions:
            return _level_of(self.permissions)
        word = self.role.rpartition(".")[2].lower()
        if "admin" in word or "owner" in word:
            return Level.ADMIN
        if any(part in word for part in ("viewer", "reader", "accessor", "subscriber")):
            return Level.READ
        if any(part in word for part in ("editor", "writer", "creator", "publisher", "encrypter", "objectuser")):
            return Level.WRITE
        return Level.USE


def _level_of(permissions: Sequence[str]) -> Level:
    verbs = {permission.rpartition(".")[2] for permission in permissions}
    if "setIamPolicy" in verbs:
        return Level.ADMIN
    return Level.READ if all(verb.startswith(("get", "list", "fullView")) for verb in verbs) else Level.WRITE


def short_name(value: str) -> str:
    """The last part of a resource path: `models` of `projects/p/datasets/models`."""
    return value.rstrip("/").rpartition("/")[2] or value


def resolve(value: str, stack: SynthesisedStack) -> str:
    """`value` with its references to resources of the same stack replaced by what names them there."""

    def named(match: re.Match[str]) -> str:
        for resource in stack.resources:
            if (resource.type, resource.name) == (match["type"], match["name"]):
                return _attribute(resource, match["attribute"], stack)
        return match.group()

    return REFERENCE.sub(named, value)


def _attribute(resource: Resource, attribute: str, stack: SynthesisedStack) -> str:
    """What Google will make of an attribute: a service account's e-mail follows from its id and project."""
    if resource.type == "google_service_account" and attribute in {"email", "member"}:
        project = resource.values.get("project", stack.project)
        email = f"{resource.values.get('account_id', resource.name)}@{project}.iam.gserviceaccount.com"
        return f"serviceAccount:{email}" if attribute == "member" else email
    return name_of(resource, attribute)


def name_of(resource: Resource, attribute: str = "name") -> str:
    """What names a resource in its own arguments, by `attribute` first; its logical name when nothing does."""
    for key in (attribute, "name", "account_id", "dataset_id", "repository_id", "role_id", "secret_id", "table_id"):
        value = resource.values.get(key)
        if isinstance(value, str) and value and "${" not in value:
            return value
    return resource.name


def _identities(resource: Resource) -> list[str]:
    return [
        str(member) for member in [resource.values.get("member"), *(resource.values.get("members") or [])] if member
    ]


# Source: BigQuery, "IAM roles and permissions": basic roles of datasets and what they are among Google's.
DATASET_ROLES = {
    "READER": "roles/bigquery.dataViewer",
    "WRITER": "roles/bigquery.dataEditor",
    "OWNER": "roles/bigquery.dataOwner",
}
DATASET_MEMBERS = {
    "user_by_email": "user:{}",
    "group_by_email": "group:{}",
    "domain": "domain:{}",
    "iam_member": "{}",
    "special_group": "{}",
}


def _dataset_grants(resource: Resource, stack: SynthesisedStack) -> Iterable[AccessGrant]:
    """What the access list of a dataset gives, in the words of the other grants."""
    for entry in resource.values.get("access") or ():
        for kind, form in DATASET_MEMBERS.items():
            if who := str(entry.get(kind) or ""):
                account = kind == "user_by_email" and who.endswith(".gserviceaccount.com")
                yield AccessGrant(
                    identity=resolve(f"serviceAccount:{who}" if account else form.format(who), stack),
                    role=DATASET_ROLES.get(str(entry.get("role")), str(entry.get("role"))),
                    target_type=resource.type,
                    target=name_of(resource),
                    stack=stack.name,
                    address=resource.address,
                )


def _grants(resource: Resource, stack: SynthesisedStack) -> Iterable[AccessGrant]:
    if resource.type == "google_bigquery_dataset":
        yield from _dataset_grants(resource, stack)
    if not (match := GRANT.match(resource.type)):
        return
    target_type = match["target"]
    value = resource.values.get(resource_type(target_type).iam_target or "name", "")
    target = short_name(resolve(str(value), stack)) or "the project"
    if target_type == "google_project":
        target = "the project"
    condition = resource.values.get("condition") or {}
    condition = condition[0] if isinstance(condition, list) else condition
    custom = _custom_role(resource, stack)
    for member in _identities(resource):
        yield AccessGrant(
            identity=resolve(member, stack),
            role=resolve(resource.values.get("role", ""), stack),
            target_type=target_type,
            target=target,
            stack=stack.name,
            address=resource.address,
            condition=condition.get("expression", ""),
            permissions=tuple(custom.values.get("permissions", ())) if custom else (),
        )


def _custom_role(resource: Resource, stack: SynthesisedStack) -> Resource | None:
    """The custom role of the same stack that a grant is of."""
    match = REFERENCE.fullmatch(str(resource.values.get("role", "")))
    wanted = (match["type"], match["name"]) if match else None
    return next((one for one in stack.resources if (one.type, one.name) == wanted), None)


def grants(stacks: Sequence[SynthesisedStack]) -> list[AccessGrant]:
    """Every grant of `stacks`, by identity, then by resource and role."""
    found = [grant for stack in stacks for resource in stack.resources for grant in _grants(resource, stack)]
    return sorted(found, key=lambda grant: (grant.identity, grant.target_type, grant.target, grant.role))


def display_identity(member: str) -> str:
    """An identity as people call it: the account's name, the service agent's service, the federated principal's end."""
    kind, _, rest = member.partition(":")
    if member.startswith("principal"):
        return f"federated {rest.rpartition('/workloadIdentityPools/')[2] or rest}"
    if match := re.match(r"service-(?:\d+|\$\{[^}]*\})@(?:gcp-sa-)?([\w-]+)\.iam", rest):
        return f"agent {match[1]}"
    if "svc.id.goog[" in rest:
        return f"pod {rest.partition('[')[2].rstrip(']')}"
    return rest.partition("@")[0] if kind in {"serviceAccount", "user", "group"} else member
