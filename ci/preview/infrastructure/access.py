"""Who may do what, before and after, in words: the IAM resources of every plan read together.

A grant is (who, role, on what, under which condition). What a plan takes away and gives again is not a change; the same
member with more on the same resource is a widening. What a grant has for an effect is called out: everybody may, may
do everything, may act as another.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ci.preview.infrastructure.exposure import exposures
from ci.preview.masking.values import UNKNOWN, Leaf, Reader, shown
from ci.preview.report import Grant
from fonderie.core.resource_types import PREFIX, resource_type
from fonderie.terraform.plan import Action, ResourceChange, StackPlan
from fonderie.terraform.references import without_keys
from infra.access.access_table import display_identity

_TYPE = re.compile(r"google_(?P<on>.+?)_iam_(?P<form>member|binding|policy)$")
_DATASET = "google_bigquery_dataset"
_DATASET_MEMBERS = ("user_by_email", "group_by_email", "domain", "iam_member")
_ACCOUNT = ".gserviceaccount.com"
_PUBLIC = ("allUsers", "allAuthenticatedUsers", "specialGroup:allUsers", "specialGroup:allAuthenticatedUsers")
_PRIMITIVE = ("roles/owner", "roles/editor", "roles/viewer")
# Words of a role's name from little to much; a role of the same service further on is wider.
_STRENGTH = (("viewer", "reader", "accessor", "get", "list"), ("user", "subscriber", "publisher", "invoker", "puller"),
             ("creator", "writer", "editor", "encrypter", "decrypter", "developer", "tokencreator"),
             ("admin",), ("owner",))  # fmt: skip
_ADMIN = 3  # the step of `_STRENGTH` from which a role administers
_NOT_THE_RESOURCE = {"id", "role", "member", "members", "condition", "etag", "policy_data", "location", "region",
                     "deletion_policy"}  # fmt: skip
_ACCOUNT_OF = re.compile(r"serviceAccount:(?P<name>[^@]+)@(?P<project>[^.]+)\.iam\.gserviceaccount\.com")
_AGENT = re.compile(r"serviceAccount:service-\d+@[\w-]+\.iam\.gserviceaccount\.com")
_EVERYWHERE = ("project ", "folder ", "organization ", "billing account ")  # what lies in it is meant too
# Source: IAM, "Roles for service account authentication" and "Service account impersonation".
_IMPERSONATES = frozenset(
    f"roles/iam.{name}"
    for name in ("serviceAccountUser", "serviceAccountTokenCreator", "serviceAccountOpenIdTokenCreator",
                 "serviceAccountKeyAdmin", "serviceAccountAdmin", "workloadIdentityUser")
)  # fmt: skip
_RUNS_CODE = frozenset(
    f"roles/{name}"
    for name in ("compute.instanceAdmin", "compute.instanceAdmin.v1", "compute.osAdminLogin", "dataproc.editor",
                 "cloudbuild.builds.editor", "deploymentmanager.editor", "composer.worker", "dataflow.admin")
)  # fmt: skip
_GRANTS_ROLES = frozenset(
    f"roles/{name}"
    for name in ("iam.securityAdmin", "iam.roleAdmin", "iam.organizationRoleAdmin", "orgpolicy.policyAdmin",
                 "resourcemanager.projectIamAdmin", "resourcemanager.folderIamAdmin")
)  # fmt: skip


class Held(NamedTuple):
    """One member's role on one resource."""

    member: str
    role: str
    resource: str
    condition: str
    kind: str = ""  # the first words of `resource`


def access_changes(plan: StackPlan, reader: Reader) -> list[Grant]:
    """What a stack's plan changes about access, alarming changes first."""
    before: dict[Held, str] = {}
    after: dict[Held, str] = {}
    for change in plan.changes:
        if change.changes and (_TYPE.fullmatch(change.type) or change.type == _DATASET):
            if change.type == _DATASET and _left_to_google(change):
                continue
            before.update(dict.fromkeys(_held(change, plan, reader, new=False), change.address))
            if change.action is not Action.DESTROY:
                after.update(dict.fromkeys(_held(change, plan, reader, new=True), change.address))
    projects = _projects(plan)
    gained = sorted(after.keys() - before.keys())
    lost = sorted(before.keys() - after.keys())
    grants = [_gain(held, reader.address(after[held]), lost, plan, projects) for held in gained]
    moved = {_before(held, lost) for held in gained}
    grants += [_loss(held, reader.address(before[held]), plan, projects) for held in lost if held not in moved]
    grants += [door for change in plan.changes if change.changes for door in exposures(change, plan, reader)]
    return sorted(grants, key=lambda grant: (not grant.alarm, grant.verb == "loses", grant.subject, grant.role))


def _left_to_google(change: ResourceChange) -> bool:
    """Whether a dataset that is made anew gets the access list that Google makes, with its maker: no access is lost."""
    unknown = change.unknown.get("access") if isinstance(change.unknown, dict) else change.unknown
    return change.action is not Action.DESTROY and unknown is True


def _held(change: ResourceChange, plan: StackPlan, reader: Reader, *, new: bool) -> Iterator[Held]:
    value = change.after if new else change.before
    if not isinstance(value, dict):
        return
    unknown = change.unknown if new else None
    tree = reader.tree(value, change.mask, unknown)
    if not isinstance(tree, dict):  # all of it is marked as a secret
        return
    match = _TYPE.fullmatch(change.type)
    if match is None:
        yield from _listed(tree)
        return
    refers = plan.expressions.get(without_keys(change.address), {})
    kind, resource = _resource(tree, match["on"], refers)
    condition = _condition(tree.get("condition"))
    if match["form"] == "policy":
        for role, members, inner in _policy(value.get("policy_data"), reader):
            yield from (Held(member, role, resource, inner, kind) for member in members)
        return
    key = "members" if match["form"] == "binding" else "member"
    named = tree.get(key)
    for member in named if isinstance(named, list) else [named]:
        role = _or_reference(_plain(tree.get("role")), refers, "role")
        yield Held(_or_reference(_plain(member), refers, key), role, resource, condition, kind)


def _or_reference(text: str, refers: Mapping[str, Iterable[str]], key: str) -> str:
    """A value, or the address it will come from when it is known only after the apply."""
    if text != UNKNOWN.text:
        return text
    found = sorted(refers.get(key, ()), key=len)
    return f"{found[0]} {UNKNOWN.text}" if found else text


def _listed(tree: dict[str, Any]) -> Iterator[Held]:
    """What a dataset's own access list gives to whom it names; groups such as everybody are `doors`."""
    entries = tree.get("access")
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict):
            named_by: dict[str, Any] = {key: tree[key] for key in ("dataset_id", "project") if key in tree}
            kind, resource = _resource(named_by, "bigquery_dataset", {})
            named = [_plain(entry[key]) for key in _DATASET_MEMBERS if entry.get(key) is not None]
            members = [f"serviceAccount:{each}" if each.endswith(_ACCOUNT) else each for each in named if each]
            yield from (Held(member, _plain(entry.get("role")), resource, "", kind) for member in members)


def _policy(text: object, reader: Reader) -> Iterator[tuple[str, list[str], str]]:
    """The bindings of a whole policy in JSON."""
    document = reader.document(text)
    bindings = document.get("bindings") if isinstance(document, dict) else None
    for binding in bindings if isinstance(bindings, list) else []:
        if isinstance(binding, dict) and isinstance(binding.get("members"), list):
            members = [_plain(member) for member in binding["members"]]
            yield _plain(binding.get("role")), members, _condition(binding.get("condition"))


def _plain(tree: Any) -> str:
    """A leaf without its quotes."""
    if tree is UNKNOWN or tree is None:
        return UNKNOWN.text
    text = shown(tree)
    return text[1:-1] if isinstance(tree, Leaf) and text.startswith('"') and text.endswith('"') else text


def _condition(tree: Any) -> str:
    block = tree[0] if isinstance(tree, list) and tree else tree
    if not isinstance(block, dict):
        return ""
    return _plain(block.get("expression"))


def _resource(tree: dict[str, Any], kind: str, refers: Mapping[str, Iterable[str]]) -> tuple[str, str]:
    """The kind of the resource a grant is on, and the kind with the last part of its name."""
    named = {key: _plain(tree[key]) for key in sorted(tree) if key not in _NOT_THE_RESOURCE}
    words = kind.split("_")
    close = [key for key in named if key != "project" and any(word in words for word in key.split("_"))]
    project = named.get("project", "")
    target = resource_type(PREFIX + kind)
    key = target.iam_target or min(close, default="", key=lambda key: (len(key), key))
    name = named.get(key) or ", ".join(value for other, value in named.items() if other != "project")
    name = _or_reference(name, refers, key)
    short = name if UNKNOWN.text in name else name.rsplit("/", 1)[-1]
    return target.word, f"{target.word} {short or project}"


def _subject(member: str, projects: frozenset[str]) -> str:
    """A member as people call it. An account of another project, and who is not an account, keep their whole name."""
    if _AGENT.fullmatch(member) or member.startswith("principal"):
        return display_identity(member)
    match = _ACCOUNT_OF.fullmatch(member)
    return match["name"] if match and (match["project"] in projects or not projects) else member


def _projects(plan: StackPlan) -> frozenset[str]:
    """The projects in which the plan's resources are."""
    sides = (side for change in plan.changes for side in (change.before, change.after))
    named = (side.get("project") for side in sides if isinstance(side, dict))
    return frozenset(name for name in named if isinstance(name, str) and name)


def _rank(role: str) -> tuple[str, int]:
    """A role's service and how much it allows, as far as its name tells."""
    service, _, name = role.rpartition(".")
    name = name.lower()
    ranks = [level for level, words in enumerate(_STRENGTH) if any(name.endswith(word) for word in words)]
    return service, max(ranks, default=-1)


def _before(held: Held, lost: list[Held]) -> Held | None:
    """What the member had instead, on the same resource and of the same service."""
    same = [other for other in lost if other[0] == held.member and other.resource == held.resource]
    exact = [other for other in same if other.role == held.role]
    return next(iter(exact or [other for other in same if _rank(other.role)[0] == _rank(held.role)[0]]), None)


def _gain(held: Held, address: str, lost: list[Held], plan: StackPlan, projects: frozenset[str]) -> Grant:
    had = _before(held, lost)
    notes, wider = [], False
    if had and had.role != held.role:
        notes.append(f"had {had.role}")
        wider = _rank(held.role)[1] > _rank(had.role)[1] >= 0
    if had and had.condition != held.condition:
        wider = wider or not held.condition
        notes.append(f"condition was {had.condition}" if had.condition else "had no condition")
    if held.condition:
        notes.append(f"only if {held.condition}")
    other = had is not None and had.condition and held.condition and had.condition != held.condition
    alarm = _alarm(held) or ("wider than before" if wider else "under another condition than before" if other else "")
    return _grant(plan, address, held, "gains", "; ".join(notes), alarm, projects)


def _loss(held: Held, address: str, plan: StackPlan, projects: frozenset[str]) -> Grant:
    return _grant(plan, address, held, "loses", f"was only if {held.condition}" if held.condition else "", "", projects)


def _grant(
    plan: StackPlan, address: str, held: Held, verb: str, note: str, alarm: str, projects: frozenset[str]
) -> Grant:
    return Grant(
        environment=plan.environment,
        stack=plan.stack,
        address=address,
        subject=_subject(held.member, projects),
        verb=verb,
        role=held.role,
        kind=held.kind,
        resource=held.resource,
        note=note,
        alarm=alarm,
    )


def _alarm(held: Held) -> str:
    """What a grant has for an effect that deserves a second look."""
    everywhere = held.resource.startswith(_EVERYWHERE)
    what = held.kind or "resource"
    reasons = [_everybody(held.member)] if _everybody(held.member) else []
    if held.role in _PRIMITIVE:
        reasons.append("PRIMITIVE ROLE over everything")
    elif held.role in _GRANTS_ROLES:
        reasons.append("can GRANT any role")
    elif everywhere and _rank(held.role)[1] >= _ADMIN:
        reasons.append(f"administers the whole {what}")
    if held.role in _IMPERSONATES:
        reasons.append(f"can act as every service account of the {what}" if everywhere else "can ACT AS it")
    if held.role in _RUNS_CODE and everywhere:
        reasons.append(f"can run code as the accounts of the {what}'s machines")
    return "; ".join(reasons)


def _everybody(member: str) -> str:
    """How many a member stands for, when that is everybody of something."""
    if member in _PUBLIC:
        return f"PUBLIC: everybody {'on the internet' if member.endswith('allUsers') else 'with a Google account'}"
    kind, _, name = member.partition(":")
    if kind == "domain":
        anybody = name.lower() in ("gmail.com", "googlemail.com")
        return "PUBLIC: everybody with a Gmail address" if anybody else f"everybody of {name}"
    return "EVERY identity of the pool" if re.fullmatch(r"principalSet:.*/\*|.*\.svc\.id\.goog\[\*.*", member) else ""
