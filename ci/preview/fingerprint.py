"""What a plan would do, as digests: its hash, and enough to say in words how two plans differ.

The hash covers, for each stack, all of Terraform's plan and all of the synthesised configuration, but for what is
listed here with the reason. Values are canonical JSON: text, number, list, map and unknown are never taken for each
other. They are hashed with the state's lineage as key, a random id that only those know who can read the state (before
there is a state: with a fixed key), so neither a hash nor a record of digests gives a secret away.

A record says besides what the plan was made of: the head commit, the base and its configuration, the version of each
state. Those are compared at apply, beside the hash: three merges that do not touch each other keep theirs.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ci.preview.masking.printable import printable
from ci.preview.report import Frozen
from fonderie.terraform.configuration import pieces
from fonderie.terraform.plan import Action, StackPlan, action_of
from fonderie.terraform.references import part, without_keys

_PROVIDERS = Path(__file__).parents[2] / "fonderie" / "sandbox" / "provider"
UNKNOWN = "?"  # every known value is a digest or a container of digests
NOTHING = "p-" + "0" * 20
"""The hash of an environment in which nothing was to change."""
_LEFT_OUT = {
    "timestamp": "the time of planning",
    "planned_values": "what `resource_changes` and `output_changes` say, in another order",
    "prior_state": "the state as it was refreshed: `before` of each change, and what data sources gave to `after`",
    "resource_drift": "what others did before: an apply does nothing about it",
    "relevant_attributes": "which of the drift is worth showing",
    "configuration": "Terraform's reading of `cdk.tf.json`, which is covered whole",
}
"""Parts of a plan's JSON that do nothing, each with the reason."""
_ENTRIES = ("resource_changes", "output_changes", "deferred_changes")


class Fingerprint(Frozen):
    """One change of a plan: digests of its values by attribute, and of all else that Terraform's plan says of it.

    `configuration` is the digest of its block in `cdk.tf.json`; `after` is as deep as the values, with UNKNOWN in it.
    """

    stack: str
    address: str
    type: str
    action: str
    provider: str
    facts: str
    configuration: str
    before: dict[str, str]
    after: dict[str, Any]

    @property
    def key(self) -> tuple[str, str]:
        """Where it is."""
        return self.stack, self.address


class StackRecord(Frozen):
    """One stack: the version of its state, what planned it, its configuration and base's by name, its changes.

    `keyed`: whether the digests' key is the lineage.
    """

    name: str
    serial: int | None
    lineage: str
    keyed: bool
    tools: dict[str, str]
    beside: dict[str, str]
    configuration: dict[str, str]
    base: dict[str, str] | None
    changes: tuple[Fingerprint, ...]

    @property
    def delta(self) -> dict[str, tuple[str | None, str | None]]:
        """What of the configuration is not as in base: name -> digests there and here."""
        base = self.base or {}
        names = sorted(base.keys() | self.configuration.keys())
        both = {name: (base.get(name), self.configuration.get(name)) for name in names}
        return {name: pair for name, pair in both.items() if pair[0] != pair[1]}


class PlanRecord(Frozen):
    """A reviewed plan of an environment: what is compared at apply. `head` and `base` are commits."""

    environment: str
    head: str = ""
    base: str = ""
    stacks: tuple[StackRecord, ...] = ()

    @functools.cached_property
    def changes(self) -> tuple[Fingerprint, ...]:
        """Everything that would be done."""
        return tuple(change for stack in self.stacks for change in stack.changes)

    @functools.cached_property
    def hash(self) -> str:
        """What would be done, with what and as whom."""
        covered = [
            stack.model_dump(mode="json", exclude={"serial", "lineage", "keyed", "base"}) for stack in self.stacks
        ]
        return f"p-{_sha256([self.environment, covered])[:20]}"

    @functools.cached_property
    def actions(self) -> str:
        """Digest of what would be done and by which tools, whatever else the configuration holds."""
        told = [
            [stack.name, stack.tools, stack.beside, [change.model_dump(mode="json") for change in stack.changes]]
            for stack in self.stacks
            if stack.changes
        ]
        return _sha256([self.environment, told])

    @functools.cached_property
    def delta(self) -> str:
        """Digest of what the head's configuration changes of base's."""
        return _sha256([[stack.name, stack.delta] for stack in self.stacks if stack.delta])

    @property
    def keyed(self) -> dict[str, bool]:
        """Which stacks' digests have the lineage of the state as their key: those that had a state."""
        return {stack.name: stack.keyed for stack in self.stacks}

    @property
    def states(self) -> dict[str, tuple[int | None, str]]:
        """The version of each stack's state: serial and lineage."""
        return {stack.name: (stack.serial, stack.lineage) for stack in self.stacks}


def record(
    environment: str,
    plans: Iterable[StackPlan],
    *,
    head: str = "",
    base: str = "",
    before: Mapping[str, Mapping[str, Any]] | None = None,
    keyed: Mapping[str, bool] | None = None,
) -> PlanRecord:
    """The record of an environment's plans. `before` is base's configuration by stack.

    `keyed` says which stacks had a state at the review that this is compared with: the others' values were hashed with
    the fixed key.
    """
    ordered = sorted(plans, key=lambda plan: plan.stack)
    stacks = tuple(_stack(plan, before, (keyed or {}).get(plan.stack, True)) for plan in ordered)
    return PlanRecord(environment=environment, head=head, base=base, stacks=stacks)


def _stack(plan: StackPlan, before: Mapping[str, Mapping[str, Any]] | None, keyed: bool) -> StackRecord:
    keyed = keyed and bool(plan.salt)
    key = plan.salt.encode() if keyed else b"fonderie"
    own = digests(plan.configuration, key)
    left_out = _LEFT_OUT if plan.configuration else _LEFT_OUT.keys() - {"configuration"}
    changes = sorted(_fingerprints(plan, own, key), key=lambda change: (change.address, change.facts))
    return StackRecord(
        name=plan.stack,
        serial=plan.serial if plan.salt else None,
        lineage=_sha256(plan.salt)[:32] if plan.salt else "",
        keyed=keyed,
        tools=dict(plan.tools),
        beside={
            name: _digest(key, value)
            for name, value in plan.document.items()
            if name not in left_out and name not in _ENTRIES
        },
        configuration=own,
        base=None if before is None else digests(before.get(plan.stack, {}), key),
        changes=tuple(changes),
    )


def digests(configuration: Mapping[str, Any], key: bytes) -> dict[str, str]:
    """The digest of each piece of a configuration."""
    return {printable(name): _digest(key, body) for name, body in sorted(pieces(configuration).items())}


def _fingerprints(plan: StackPlan, own: Mapping[str, str], key: bytes) -> Iterator[Fingerprint]:
    document, blocks = plan.document, dict[str, list[tuple[str, str]]]()
    for name, digest in own.items():
        blocks.setdefault(".".join(name.split(".")[:3]), []).append((name, digest))
    entries: list[tuple[Any, object]] = [(entry, None) for entry in document.get("resource_changes") or ()]
    entries += [
        (
            later.get("resource_change") or {},
            {name: value for name, value in later.items() if name != "resource_change"},
        )
        for later in document.get("deferred_changes") or ()
    ]
    for entry, put_off in entries:
        action = action_of(entry)
        if put_off is not None or action is not Action.NOTHING or _reads(entry):
            yield _fingerprint(plan.stack, entry, "read" if _reads(entry) else action, put_off, blocks, key)
    for name, change in (document.get("output_changes") or {}).items():
        entry = {"address": f"output.{name}", "type": "output", "change": change}
        if (action := action_of(entry)) is not Action.NOTHING:
            yield _fingerprint(plan.stack, entry, action, None, blocks, key)


def _reads(entry: Mapping[str, Any]) -> bool:
    """Whether a data source is read only during the apply."""
    return [str(action) for action in part(entry, "change").get("actions") or ()] == ["read"]


def _fingerprint(
    stack: str, entry: Mapping[str, Any], action: str, put_off: object, blocks: Mapping[str, Any], key: bytes
) -> Fingerprint:
    change, address = part(entry, "change"), str(entry.get("address") or "")
    kind = str(entry.get("type") or without_keys(address).rpartition(".")[0].rpartition(".")[2])
    before, after, unknown = _sides(change, kind)
    facts = {name: value for name, value in entry.items() if name != "change"}
    facts |= {f"change.{name}": value for name, value in change.items() if name not in ("before", "after")}
    facts["change"] = sorted(change)
    facts["change.replace_paths"] = sorted(json.dumps(path) for path in change.get("replace_paths") or ())
    mine = f"{'data' if entry.get('mode') == 'data' else 'resource'}.{without_keys(address).removeprefix('data.')}"
    return Fingerprint(
        stack=stack,
        address=printable(f"{address} {entry.get('deposed') or ''}".strip()),
        type=printable(kind),
        action=str(action),
        provider=printable(str(entry.get("provider_name") or "")),
        facts=_digest(key, [put_off, facts]),
        configuration=_sha256(blocks.get(mine, [])),
        before={printable(name): _digest(key, value) for name, value in before.items()},
        after={printable(name): _tree(key, after.get(name), unknown.get(name), 0) for name in after | unknown},
    )


def _sides(change: Mapping[str, Any], kind: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Before, after and what is unknown of it, by attribute, without what only the provider writes and nothing changes.

    That is what its schema calls computed and not optional, at its own place: an `etag` of the resource, not of a map.
    """
    before, after, unknown = (_by_attribute(change.get(name)) for name in ("before", "after", "after_unknown"))
    for name in computed(kind) & (before.keys() | after.keys() | unknown.keys()):
        same = name in before and name in after and _canonical(before[name]) == _canonical(after[name])
        if unknown.get(name) is True or same or not after:
            for side in (before, after, unknown):
                side.pop(name, None)
    return before, after, unknown


def _by_attribute(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else {} if value is None else {"": value}


@functools.cache
def computed(kind: str) -> frozenset[str]:
    """The attributes of a type that only the provider can set; none of a type that the schema has not."""
    attributes = part(_schemas(), kind, "block", "attributes")
    return frozenset(name for name, row in attributes.items() if row.get("computed") and not row.get("optional"))


@functools.cache
def _schemas() -> dict[str, Any]:
    """Type -> its schema, of every provider whose cut schema is here."""
    found: dict[str, Any] = {}
    for file in sorted(_PROVIDERS.glob("google@*.json")):
        for schema in json.loads(file.read_text(encoding="utf-8"))["provider_schemas"].values():
            found |= schema["resource_schemas"]
    return found


def _tree(key: bytes, value: Any, unknown: Any, depth: int) -> Any:
    """A value with a digest for each leaf and key, and UNKNOWN for what is known after apply."""
    if unknown is True:
        return UNKNOWN
    if depth > 50:
        return _digest(key, [value, unknown])
    if (isinstance(value, dict) and value) or (value is None and isinstance(unknown, dict) and unknown):
        inner, held = unknown if isinstance(unknown, dict) else {}, value or {}
        return {_digest(key, name): _tree(key, held.get(name), inner.get(name), depth + 1) for name in held | inner}
    if isinstance(value, list) and value:
        masks = unknown if isinstance(unknown, list) else []
        return [
            _tree(key, item, masks[index] if index < len(masks) else None, depth + 1)
            for index, item in enumerate(value)
        ]
    return _digest(key, value)


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("utf-8", "surrogatepass")


def _digest(key: bytes, value: object) -> str:
    return hmac.digest(key, _canonical(value), "sha256").hex()[:32]


def _sha256(value: object) -> str:
    return hashlib.sha256(_canonical(value)).hexdigest()


def differences(reviewed: PlanRecord, now: PlanRecord) -> list[str]:
    """How the plan of now differs from the reviewed one, in words; empty when it does the same."""
    old, new = ({change.key: change for change in plan.changes} for plan in (reviewed, now))
    lines = [f"not reviewed: {_name(new[key])} would be {new[key].action}" for key in sorted(new.keys() - old.keys())]
    lines += [f"not any more: {_name(old[key])} was to be {old[key].action}" for key in sorted(old.keys() - new.keys())]
    for key in sorted(old.keys() & new.keys()):
        if old[key].action != new[key].action:
            lines.append(f"{_name(old[key])} was to be {old[key].action}, would now be {new[key].action}")
        elif old[key] != new[key]:
            lines.append(f"{_name(old[key])}: {_several(_unlike(old[key], new[key]))} not as reviewed")
    return lines + [line for pair in _pairs(reviewed, now) for line in _beside(*pair)]


def _unlike(old: Fingerprint, new: Fingerprint) -> list[str]:
    names = {
        name or "the value"
        for one, other in ((old.before, new.before), (old.after, new.after))
        for name in one.keys() | other.keys()
        if one.get(name) != other.get(name)
    }
    return sorted(names) or ["its block in the configuration" if old.facts == new.facts else "how it is changed"]


def _pairs(reviewed: PlanRecord, now: PlanRecord) -> Iterator[tuple[StackRecord, StackRecord]]:
    there = {stack.name: stack for stack in now.stacks}
    return ((stack, there[stack.name]) for stack in reviewed.stacks if stack.name in there)


def _beside(old: StackRecord, new: StackRecord) -> Iterator[str]:
    """What differs beside the changes themselves."""
    for name in sorted(old.tools.keys() | new.tools.keys()):
        if old.tools.get(name) != new.tools.get(name):
            yield f"{new.name}: {name} is another program than at the review"
    rows = ((old.beside, new.beside, "of the plan"), (old.configuration, new.configuration, "of the configuration"))
    for one, other, what in rows:
        if names := sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name)):
            yield f"{new.name}: {_several(names)} {what} not as reviewed"


def goes_on(reviewed: PlanRecord, now: PlanRecord) -> list[str]:
    """What stands against `now` being the rest of a half-applied `reviewed`, in words; empty when it is that.

    Each change left must have been reviewed with the same values; what was to be known after apply may be known by now,
    and what broke while it was created may be replaced.
    """
    old = {change.key: change for change in reviewed.changes}
    lines = [line for pair in _pairs(reviewed, now) for line in _beside(*pair) if " of the plan " not in line]
    for change in now.changes:
        before = old.get(change.key)
        if before is None:
            lines.append(f"not reviewed: {_name(change)} would be {change.action}")
        elif change.action != before.action and not _broke(before, change):
            lines.append(f"{_name(change)} was to be {before.action}, would now be {change.action}")
        elif (before.type, before.provider) != (change.type, change.provider):
            lines.append(f"{_name(change)}: its provider is not as reviewed")
        elif different := [name for name in change.after if not _agrees(before.after.get(name), change.after[name])]:
            lines.append(f"{_name(change)}: {_several(different)} not as reviewed")
    return lines


def _broke(before: Fingerprint, now: Fingerprint) -> bool:
    """A creation (alone or as half of a replacement) that has to be done, or done again."""
    return {before.action, now.action} <= {Action.CREATE.value, Action.REPLACE.value}


def _agrees(before: Any, now: Any) -> bool:
    """The reviewed value, or one that the review said would be known later."""
    if UNKNOWN in (before, now):
        return True
    if isinstance(before, dict) and isinstance(now, dict):
        return before.keys() == now.keys() and all(_agrees(before[name], now[name]) for name in now)
    if isinstance(before, list) and isinstance(now, list):
        return len(before) == len(now) and all(map(_agrees, before, now))
    return bool(before == now)


def _name(change: Fingerprint) -> str:
    return f"{change.stack} {change.address}"


def _several(names: list[str]) -> str:
    return ", ".join(names[:5] + ([f"and {len(names) - 5} more"] if len(names) > 5 else []))
