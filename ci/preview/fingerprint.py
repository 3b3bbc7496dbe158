"""What a plan would do, as digests: its hash, and enough to say in words how two plans differ.

The hash covers every resource and output that would change: address, type, provider, action, what forces it, and every
value before and after, sensitive or not. It does not depend on timestamps, the serial of the state, the order of the
plan, or on resources that stay as they are. Values are hashed with the state's lineage as key, a random id that only
those know who can read the state (before there is a state: with a fixed key), so neither a hash nor a record of digests
gives a secret away.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ci.preview.masking.printable import printable
from ci.preview.report import Frozen
from fonderie.terraform.plan import Action, ResourceChange, StackPlan

UNKNOWN = "?"
_DIGITS = 20
# What the provider counts up or stamps by itself; of no meaning in what is there already.
VOLATILE = frozenset(
    {"etag", "update_time", "updated", "create_time", "creation_time", "creation_timestamp", "last_modified_time",
     "generation", "metageneration", "fingerprint", "label_fingerprint", "metadata_fingerprint", "updated_at"}
)  # fmt: skip


class Fingerprint(Frozen):
    """One change of a plan. `values`: path, with `-` or `+` in front for before and after -> digest, or `?`."""

    stack: str
    address: str
    type: str
    action: Action
    values: dict[str, str]

    @property
    def key(self) -> tuple[str, str]:
        """Where it is."""
        return self.stack, self.address


class PlanRecord(Frozen):
    """A reviewed plan of an environment: what is compared at apply."""

    environment: str
    hash: str
    head: str = ""
    changes: tuple[Fingerprint, ...]


def record(environment: str, plans: Iterable[StackPlan], head: str = "") -> PlanRecord:
    """The record of an environment's plans."""
    changes = tuple(sorted((one for plan in plans for one in fingerprints(plan)), key=lambda one: one.key))
    return PlanRecord(environment=environment, hash=hash_of(environment, changes), head=head, changes=changes)


def hash_of(environment: str, changes: Iterable[Fingerprint]) -> str:
    """The hash of an environment's changes."""
    text = json.dumps([environment, [one.model_dump(mode="json") for one in changes]], sort_keys=True)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"p-{digest[:_DIGITS]}"


def fingerprints(plan: StackPlan) -> Iterator[Fingerprint]:
    """One for every resource and output of a stack that would change."""
    for change in (*plan.changes, *plan.outputs):
        if change.changes:
            yield Fingerprint(
                stack=plan.stack,
                address=printable(f"{change.address} {change.deposed}".strip()),
                type=printable(change.type),
                action=change.action,
                values=_values(change, plan.salt),
            )


def _values(change: ResourceChange, salt: str) -> dict[str, str]:
    key = salt.encode() or b"fonderie"
    after = dict(_leaves("+", change.after, change.unknown, 0))
    before = {
        path: value
        for path, value in _leaves("-", change.before, None, 0)
        if not (set(path.split("/")) & VOLATILE and after.get("+" + path[1:], value) in (value, UNKNOWN))
    }
    stable = {
        path: value
        for path, value in after.items()
        if not (change.before is not None and set(path.split("/")) & VOLATILE and "-" + path[1:] not in before)
    }
    facts = {
        "provider": change.provider,
        "previous address": change.previous_address,
        "imported id": change.imported_id,
        "created first": change.create_first,
        "put off": change.deferred,
        "forced by": sorted(json.dumps(path) for path in change.replace_paths),
    }
    found = {path: value if value is UNKNOWN else _digest(key, value) for path, value in {**before, **stable}.items()}
    told = found | {name: _digest(key, value) for name, value in facts.items() if value}
    return {printable(path): value for path, value in told.items()}


def _leaves(path: str, value: Any, unknown: Any, depth: int) -> Iterator[tuple[str, Any]]:
    """Every leaf with its path; what is known after apply is UNKNOWN."""
    if unknown is True:
        yield path, UNKNOWN
    elif depth > 100:
        yield path, _in_a_row(value)
    elif isinstance(value, dict) or (value is None and isinstance(unknown, dict)):
        inner = unknown if isinstance(unknown, dict) else {}
        for key in sorted((value or {}).keys() | inner.keys()):
            part = key.replace("~", "~0").replace("/", "~1")  # as a JSON pointer: a key is not a path
            yield from _leaves(f"{path}/{part}", (value or {}).get(key), inner.get(key), depth + 1)
        if not value and not inner:
            yield path, value
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            masked = unknown[index] if isinstance(unknown, list) and index < len(unknown) else None
            yield from _leaves(f"{path}/{index}", item, masked, depth + 1)
    else:
        yield path, value


def _in_a_row(value: Any) -> str:
    """A value nested beyond what a recursion bears, as one text that no other value has."""
    parts, waiting = [], [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            parts.append(f"{{{len(one)}")
            waiting += [item for key in sorted(one, reverse=True) for item in (one[key], key)]
        elif isinstance(one, list):
            parts.append(f"[{len(one)}")
            waiting += reversed(one)
        else:
            parts.append(json.dumps(one))
    return " ".join(parts)


def _digest(key: bytes, value: object) -> str:
    text = json.dumps(value, sort_keys=True, default=repr)
    return hmac.new(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:_DIGITS]


def differences(reviewed: PlanRecord, now: PlanRecord) -> list[str]:
    """How the plan of now differs from the reviewed one, in words; empty when it does the same."""
    old, new = ({one.key: one for one in plan.changes} for plan in (reviewed, now))
    lines = [f"not reviewed: {_name(new[key])} would be {new[key].action}" for key in sorted(new.keys() - old.keys())]
    lines += [f"not any more: {_name(old[key])} was to be {old[key].action}" for key in sorted(old.keys() - new.keys())]
    for key in sorted(old.keys() & new.keys()):
        one, other = old[key], new[key]
        if one.action is not other.action:
            lines.append(f"{_name(one)} was to be {one.action}, would now be {other.action}")
        elif one.values != other.values:
            lines.append(f"{_name(one)}: {', '.join(_paths(one.values, other.values))} not as reviewed")
    return lines


def goes_on(reviewed: PlanRecord, now: PlanRecord) -> list[str]:
    """What stands against `now` being the rest of a half-applied `reviewed`, in words; empty when it is that.

    Each change left must have been reviewed with the same values; what was to be known after apply may be known by now,
    and what broke while it was created may be replaced.
    """
    old = {one.key: one for one in reviewed.changes}
    lines = []
    for change in now.changes:
        before = old.get(change.key)
        if before is None:
            lines.append(f"not reviewed: {_name(change)} would be {change.action}")
        elif change.action is not before.action and not _broke(before, change):
            lines.append(f"{_name(change)} was to be {before.action}, would now be {change.action}")
        elif different := [path for path in _after(change) if not _agrees(before, change, path)]:
            lines.append(f"{_name(change)}: {', '.join(map(_shown, different[:5]))} not as reviewed")
    return lines


def _broke(before: Fingerprint, now: Fingerprint) -> bool:
    """A creation (alone or as half of a replacement) that has to be done, or done again."""
    return before.action in (Action.CREATE, Action.REPLACE) and now.action in (Action.CREATE, Action.REPLACE)


def _after(change: Fingerprint) -> list[str]:
    return [path for path in change.values if path.startswith("+")]


def _agrees(before: Fingerprint, now: Fingerprint, path: str) -> bool:
    """The reviewed value, or one that the review said would be known later."""
    value = now.values[path]
    parts = path.split("/")
    known_later = any(before.values.get("/".join(parts[:end])) == UNKNOWN for end in range(1, len(parts) + 1))
    return known_later or value == UNKNOWN or before.values.get(path) == value


def _name(change: Fingerprint) -> str:
    return f"{change.stack} {change.address}"


def _paths(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    differ = sorted({_shown(path) for path in old.keys() | new.keys() if old.get(path) != new.get(path)})
    return differ[:5] + ([f"and {len(differ) - 5} more"] if len(differ) > 5 else [])


def _shown(path: str) -> str:
    return path.lstrip("+-").lstrip("/").replace("/", ".").replace("~1", "/") or "the value"
