"""What an environment needs at most of Google's allocation quotas, and where its limits are too low.

Source: Compute Engine, "Allocation quotas": E2 and N1 cores count as CPUS, those of other families under their own
name, balanced and SSD disks as SSD_TOTAL_GB; all by region. Limits are those of the environment's settings (`[quota]`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ci.cost.prices import load_prices
from ci.cost.resources import Asked, UnpricedError, block, nodes

_SHARED = ("e2", "n1", "f1", "g1")  # families whose cores count as CPUS
_SSD = ("pd-ssd", "pd-balanced")
_SMALL = {"e2-micro": 2, "e2-small": 2, "e2-medium": 2}


@dataclass(frozen=True)
class Shortfall:
    """A quota of a region that is too low: what is needed at most, and the limit."""

    name: str
    needed: float
    limit: int


def shortfalls(
    resources: Iterable[tuple[str, Any]], limits: Mapping[str, int], others: Mapping[str, float]
) -> list[Shortfall]:
    """The quotas of `limits` that an environment's resources (type, values) go beyond, with what `others` need."""
    needed: dict[str, float] = defaultdict(float, others)
    for kind, values in resources:
        if kind in _NEEDS and isinstance(values, dict):
            try:
                for name, number in _NEEDS[kind](values).items():
                    needed[name] += number
            except (UnpricedError, TypeError, ValueError, AttributeError):
                continue  # known after apply, or of another form: the cost names it
    found = [Shortfall(name, needed[name], limit) for name, limit in sorted(limits.items())]
    return [one for one in found if one.needed > one.limit]


def cores(machine: str) -> int:
    """The virtual cores of a machine type, by its name."""
    size = machine.rpartition("-")[2]
    return _SMALL.get(machine) or (int(size) if size.isdecimal() else 1)


def _machine(machine: str, number: float, *, spot: bool = False) -> dict[str, float]:
    """The cores of some machines under the name that Google counts them by."""
    family = machine.partition("-")[0]
    name = "PREEMPTIBLE_CPUS" if spot else "CPUS" if family in _SHARED else f"{family.upper()}_CPUS"
    return {name: number * cores(machine)}


def _disk(kind: object, gib: float) -> dict[str, float]:
    name = str(kind or "pd-balanced").rsplit("/", 1)[-1].lower().replace("_", "-")
    return {"SSD_TOTAL_GB" if name in _SSD else "DISKS_TOTAL_GB": gib}


def _node_pool(values: Mapping[str, Any]) -> dict[str, float]:
    config = block(values, "node_config")
    _, most = nodes(Asked(values, {}, load_prices()))
    found = _machine(str(config.get("machine_type") or "e2-medium"), most, spot=bool(config.get("spot")))
    found.update(_disk(config.get("disk_type"), most * float(config.get("disk_size_gb") or 100)))
    for accelerator in config.get("guest_accelerator") or []:
        name = str(accelerator.get("type")).replace("nvidia-tesla-", "nvidia-").upper().replace("-", "_")
        found[f"{name}_GPUS"] = most * int(accelerator.get("count") or 1)
    return found


def _instance(values: Mapping[str, Any]) -> dict[str, float]:
    return _machine(str(values.get("machine_type") or "e2-medium"), 1)


def _notebook(values: Mapping[str, Any]) -> dict[str, float]:
    return _machine(str(block(values, "gce_setup").get("machine_type") or "e2-standard-4"), 1)


def _address(values: Mapping[str, Any]) -> dict[str, float]:
    return {"STATIC_ADDRESSES": 0 if values.get("address_type") == "INTERNAL" else 1}


_NEEDS: dict[str, Callable[[Mapping[str, Any]], dict[str, float]]] = {
    "google_container_node_pool": _node_pool,
    "google_compute_instance": _instance,
    "google_compute_address": _address,
    "google_compute_disk": lambda values: _disk(values.get("type"), float(values.get("size") or 0)),
    "google_workbench_instance": _notebook,
}
