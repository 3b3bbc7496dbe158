"""The monthly difference of a set of plans: per resource, in total, and what could not be priced."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ci.cost.prices import Prices
from ci.cost.resources import PRICED, Asked, Monthly, UnpricedError
from fonderie.core.resource_types import resource_type


class Changing(Protocol):
    """What is priced of a change: the values before and after it; `unknown` has the mask of what is known later."""

    @property
    def address(self) -> str:
        """Where it is in the configuration."""

    @property
    def type(self) -> str:
        """The Terraform resource type."""

    @property
    def before(self) -> Any:
        """Its values now; None when it is created."""

    @property
    def after(self) -> Any:
        """Its values afterwards; None when it goes."""

    @property
    def unknown(self) -> Any:
        """True where a value is known after apply."""

    @property
    def changes(self) -> bool:
        """False for a resource that the plan leaves as it is."""


@dataclass(frozen=True)
class Item:
    """One resource's part, dollars a month."""

    environment: str
    address: str
    low: float
    high: float
    why: str


@dataclass(frozen=True)
class Estimate:
    """Dollars a month, `low` to `high`. `before` and `after` are what all that has a price comes to, by environment."""

    items: tuple[Item, ...] = ()
    unpriced: tuple[str, ...] = ()
    before: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    after: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def low(self) -> float:
        """The least the bill moves by."""
        return round(sum(item.low for item in self.items), 2)

    @property
    def high(self) -> float:
        """The upper bound, in dollars a month."""
        return round(sum(item.high for item in self.items), 2)


def estimate(changes: Iterable[tuple[str, Changing]], prices: Prices) -> Estimate:
    """The monthly difference of changes, each with its environment."""
    items: list[Item] = []
    unpriced: set[str] = set()
    totals: tuple[dict[str, list[Monthly]], ...] = (defaultdict(list), defaultdict(list))
    for environment, change in changes:
        for total, values in zip(totals, (change.before, change.after), strict=True):
            total[environment] += _known(change.type, values, prices)
        if change.changes and not prices.is_free(change.type):
            item, missing = _item(environment, change, prices)
            items += [item] if item else []
            unpriced.update(missing)
    items.sort(key=lambda item: (-max(abs(item.low), abs(item.high)), item.environment, item.address))
    return Estimate(tuple(items), tuple(sorted(unpriced)), *map(_total, totals))


def _known(kind: str, values: Any, prices: Prices) -> list[Monthly]:
    """What a resource costs, if it exists and has a price."""
    if kind not in PRICED or not isinstance(values, dict):
        return []
    try:
        return [_monthly(kind, values, None, prices)]
    except UnpricedError:
        return []


def _total(found: Mapping[str, list[Monthly]]) -> dict[str, tuple[float, float]]:
    return {
        environment: (round(sum(one.low for one in parts), 2), round(sum(one.high for one in parts), 2))
        for environment, parts in found.items()
    }


def _item(environment: str, change: Changing, prices: Prices) -> tuple[Item | None, list[str]]:
    before = change.before if isinstance(change.before, dict) else None
    after = change.after if isinstance(change.after, dict) else None
    comes_or_goes = before is None or after is None
    usage = resource_type(change.type).usage
    missing = [usage] if usage and comes_or_goes else []
    if change.type not in PRICED:
        return None, missing if usage else [change.type]
    try:
        old = _monthly(change.type, before, None, prices)
        new = _monthly(change.type, after, change.unknown, prices)
    except UnpricedError as problem:
        return None, [*missing, f"{change.type} ({problem})"]
    low, high = sorted((new.low - old.low, new.high - old.high))
    if round(low, 2) == round(high, 2) == 0:
        return None, missing
    why = new.why if after is not None else old.why
    if before is not None and after is not None and old.why != new.why:
        why = f"{old.why} → {new.why}"
    return Item(environment, change.address, round(low, 2), round(high, 2), why), missing


def _monthly(kind: str, values: Mapping[str, Any] | None, unknown: Any, prices: Prices) -> Monthly:
    if values is None:
        return Monthly(0.0, 0.0, "")
    try:
        return PRICED[kind](Asked(values, unknown if isinstance(unknown, dict) else {}, prices))
    except (TypeError, ValueError, OverflowError, AttributeError) as error:
        raise UnpricedError("its values are not of the expected form") from error
