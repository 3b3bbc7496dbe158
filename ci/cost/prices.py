"""The price list: `prices.toml` as a typed value."""

from __future__ import annotations

import datetime
import functools
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from fonderie.core.resource_types import resource_type
from fonderie.core.toml import read_toml

PRICE_LIST = Path(__file__).parent / "prices.toml"
OLD_DAYS = 180
Dollars = Annotated[float, Field(ge=0)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Family(_Part):
    """A machine family: dollars an hour of a core and of a GiB, GiB a core by class, and the cores it is sold with."""

    core: Dollars
    gib: Dollars
    classes: dict[str, float]
    sizes: tuple[int, ...]


class Spot(_Part):
    """What is left of the price for a machine that may be taken away."""

    low: Annotated[float, Field(gt=0, le=1)]
    high: Annotated[float, Field(gt=0, le=1)]


class Flat(_Part):
    """Prices with one figure; the unit is in the name."""

    gke_cluster_hour: Dollars
    nat_gateway_hour_low: Dollars
    nat_gateway_hour_high: Dollars
    external_address_hour: Dollars
    kms_version_month_software: Dollars
    kms_version_month_hsm: Dollars
    secret_version_month: Dollars
    scheduler_job_month: Dollars
    vertex_factor: Dollars
    run_core_second: Dollars
    run_core_second_idle: Dollars
    run_gib_second: Dollars
    feature_store_node_hour: Dollars


class Free(_Part):
    """Beginnings of types with nothing to pay for."""

    beginnings: tuple[str, ...]


class Prices(_Part):
    """List prices in US dollars, us-central1, as of `date`."""

    date: datetime.date
    hours_a_month: Annotated[int, Field(gt=0)]
    sources: tuple[str, ...]
    machines: dict[str, Family]
    whole_machines: dict[str, Dollars]
    spot: Spot
    accelerators: dict[str, Dollars]
    disks: dict[str, Dollars]
    flat: Flat
    regions: dict[str, Annotated[float, Field(gt=0)]]
    free: Free

    def source(self, today: datetime.date | None = None) -> str:
        """The price list's date and age, for the footer of a comment."""
        days = (today - self.date).days if today else 0
        return f"list prices of {self.date.isoformat()}{f', {days} days old' if days > 0 else ''}"

    def old(self, today: datetime.date | None) -> bool:
        """Whether the list is so old that its figures are only a hint."""
        return today is not None and (today - self.date).days > OLD_DAYS

    def is_free(self, kind: str) -> bool:
        """Whether a type costs nothing by itself; grants never do."""
        return resource_type(kind).free or "_iam_" in kind or kind.startswith(self.free.beginnings)

    def machine_hour(self, machine: str) -> float | None:
        """An hour of a machine on demand, us-central1; None when it has no price here."""
        if machine in self.whole_machines:
            return self.whole_machines[machine]
        parts = machine.split("-")
        if len(parts) != 3 or parts[0] not in self.machines or not parts[2].isdecimal() or len(parts[2]) > 3:
            return None
        family, cores = self.machines[parts[0]], int(parts[2])
        gib = family.classes.get(parts[1])
        return None if gib is None or cores not in family.sizes else cores * (family.core + gib * family.gib)

    def factor(self, location: str) -> float | None:
        """A region's or zone's prices over us-central1's."""
        region = location if location in self.regions else location.rsplit("-", 1)[0]
        return self.regions.get(region)


@functools.cache
def load_prices(path: Path = PRICE_LIST) -> Prices:
    """The price list at `path`. Raises BadInputError naming the keys that are wrong."""
    return read_toml(path, Prices)
