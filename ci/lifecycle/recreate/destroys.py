"""What destroys lose, by Terraform's own plan of them, and the protections that stand against them.

Protections are taken off as an operator does it: by an apply that changes nothing else, for `deletion_protection` and
`deletion_policy = "PREVENT"` are read from the state when a destroy is applied, so the configuration alone does not
help; `force_destroy` and `delete_contents_on_destroy` likewise. What has `prevent_destroy` is never destroyed in any
environment: that is refused."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ci.lifecycle.deploy import PlannedStack
from fonderie.core.errors import RefusedError
from fonderie.core.resource_types import resource_type
from fonderie.sandbox.provider.facts import Facts

_UNPROTECTED = {
    "deletion_protection": False,
    "force_destroy": True,
    "delete_contents_on_destroy": True,
}
Config = dict[str, Any]


@dataclass(frozen=True)
class Unprotected:
    """A stack's configuration without its protections, and the addresses of what differs."""

    config: Config
    addresses: list[str]


def unprotect(config: Mapping[str, Any], facts: Facts, *, stack: str) -> Unprotected:
    """Take the protections out of a stack's configuration (Terraform's JSON). Raises RefusedError."""
    lifted, addresses = copy.deepcopy(dict(config)), list[str]()
    for type, name, body in _resources(lifted):
        if body.get("lifecycle", {}).get("prevent_destroy"):
            raise RefusedError(
                f"{type}.{name} is never destroyed: it has prevent_destroy",
                where=stack,
                hint="keep it in the bootstrap stack, which a recreate leaves alone",
            )
        attributes = facts.type(type).attributes if type in facts.raw["types"] else {}
        wanted: Config = {key: value for key, value in _UNPROTECTED.items() if key in attributes}
        if body.get("deletion_policy", _policy(lifted)) == "PREVENT":
            wanted["deletion_policy"] = "DELETE"
        changed = {key: value for key, value in wanted.items() if body.get(key, attributes[key].default) != value}
        if changed:
            body.update(changed)
            addresses.append(f"{type}.{name}")
    return Unprotected(lifted, sorted(addresses))


def _policy(config: Mapping[str, Any]) -> str | None:
    """What the provider block sets for everything that sets nothing."""
    for block in _blocks(config.get("provider", {}).get("google")):
        if block.get("deletion_policy"):
            return str(block["deletion_policy"])
    return None


def _resources(config: Config) -> Iterator[tuple[str, str, Config]]:
    for type, named in config.get("resource", {}).items():
        for name, body in named.items():
            for one in _blocks(body):
                yield type, name, one


def _blocks(written: Any) -> list[Any]:
    return written if isinstance(written, list) else [written] if isinstance(written, dict) else []


@dataclass(frozen=True)
class DestroyLoss:
    """One resource that will be destroyed; `holds` says what is lost with it that a deploy does not bring back."""

    stack: str
    address: str
    type: str
    id: str
    holds: str


def losses(plans: Iterable[PlannedStack]) -> list[DestroyLoss]:
    """Everything that destroy plans delete: first what holds something."""
    found = []
    for planned in plans:
        for change in planned.plan.get("resource_changes", []):
            if "delete" in change["change"]["actions"]:
                before = change["change"].get("before") or {}
                kind = resource_type(change["type"])
                found.append(
                    DestroyLoss(planned.stack, change["address"], kind.name, str(before.get("id")), kind.holds)
                )
    return sorted(found, key=lambda one: (not one.holds, one.stack, one.address))


def by_stack(found: Iterable[DestroyLoss]) -> dict[str, int]:
    """How many resources each stack loses."""
    return dict(Counter(one.stack for one in found))
