"""What one resource costs a month, by type, from its values in a plan."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ci.cost.prices import Prices

Values = Mapping[str, Any]
_SECONDS_AN_HOUR = 3_600
_DAYS_A_YEAR = 365
_ZONES_OF_A_REGION = 3


class UnpricedError(Exception):
    """It costs something, and the list does not say how much; the message says what is missing."""


@dataclass(frozen=True)
class Monthly:
    """Dollars a month, from the least to the most it can come to, and of what."""

    low: float
    high: float
    why: str


@dataclass(frozen=True)
class Asked:
    """A resource's values, the mask of those known after apply, and the list."""

    values: Values
    unknown: Values
    prices: Prices


def block(values: Values, name: str) -> Values:
    """A block that occurs at most once, empty without it."""
    value = values.get(name)
    if isinstance(value, list):
        value = value[0] if value else {}
    return value if isinstance(value, Mapping) else {}


def _place(values: Values, prices: Prices) -> tuple[float, str]:
    """The factor of where it is, and a word when the list has none."""
    location = str(values.get("location") or values.get("region") or values.get("zone") or "us-central1")
    factor = prices.factor(location)
    return (factor, "") if factor else (1.0, f", us-central1's price: no factor for {location}")


def _zones(values: Values) -> int:
    located = values.get("node_locations")
    if isinstance(located, list) and located:
        return len(located)
    return 1 if str(values.get("location", "")).count("-") == 2 else _ZONES_OF_A_REGION


def _node(config: Values, prices: Prices) -> tuple[float, float, str]:
    """Dollars a month of one node, low and high, and its name; spot prices are a range."""
    machine = str(config.get("machine_type") or "e2-medium")
    hour = prices.machine_hour(machine)
    if hour is None:
        raise UnpricedError(f"machine {machine}")
    for accelerator in config.get("guest_accelerator") or []:
        kind = str(accelerator.get("type"))
        if kind not in prices.accelerators:
            raise UnpricedError(f"accelerator {kind}")
        hour += prices.accelerators[kind] * int(accelerator.get("count") or 1)
    kind = str(config.get("disk_type") or "pd-balanced")
    if kind not in prices.disks:
        raise UnpricedError(f"disk {kind}")
    disk = prices.disks[kind] * float(config.get("disk_size_gb") or 100)
    month = hour * prices.hours_a_month
    if config.get("spot") or config.get("preemptible"):
        return month * prices.spot.low + disk, month * prices.spot.high + disk, f"{machine}, spot"
    return month + disk, month + disk, machine


def _nodes(values: Values) -> tuple[int, int]:
    """Fewest and most nodes of a pool, over all its zones."""
    scaling = block(values, "autoscaling")
    zones = _zones(values)
    if scaling.get("total_max_node_count"):
        return int(scaling.get("total_min_node_count") or 0), int(scaling["total_max_node_count"])
    if scaling.get("max_node_count"):
        return zones * int(scaling.get("min_node_count") or 0), zones * int(scaling["max_node_count"])
    count = values.get("node_count")
    if count is None:
        count = values.get("initial_node_count")
    fixed = zones * int(1 if count is None else count)
    return fixed, fixed


def node_pool(asked: Asked) -> Monthly:
    """A GKE node pool; autoscaling is a range."""
    if block(asked.unknown, "node_config").get("machine_type") is True:
        raise UnpricedError("its machine is known after apply")
    low, high, name = _node(block(asked.values, "node_config"), asked.prices)
    fewest, most = _nodes(asked.values)
    factor, note = _place(asked.values, asked.prices)
    count = str(most) if fewest == most else f"{fewest} to {most}"
    return Monthly(low * fewest * factor, high * most * factor, f"{count} {name}{note}")


def cluster(asked: Asked) -> Monthly:
    """A GKE cluster: the fee, and its default pool unless that is removed."""
    if asked.values.get("enable_autopilot"):
        raise UnpricedError("Autopilot's pods")
    fee = asked.prices.flat.gke_cluster_hour * asked.prices.hours_a_month
    if asked.values.get("remove_default_node_pool") or asked.values.get("node_pool"):
        return Monthly(fee, fee, "cluster fee")
    pool = node_pool(asked)
    return Monthly(fee + pool.low, fee + pool.high, f"cluster fee and {pool.why}")


def nat(asked: Asked) -> Monthly:
    """A Cloud NAT gateway by the number of machines behind it, and one address; traffic is extra."""
    hours = asked.prices.hours_a_month
    address = asked.prices.flat.external_address_hour * hours
    low, high = asked.prices.flat.nat_gateway_hour_low * hours, asked.prices.flat.nat_gateway_hour_high * hours
    return Monthly(low + address, high + address, "NAT gateway for 1 to 32 machines and an address")


def address(asked: Asked) -> Monthly:
    """A reserved external address."""
    if asked.values.get("address_type") == "INTERNAL":
        return Monthly(0.0, 0.0, "")
    price = asked.prices.flat.external_address_hour * asked.prices.hours_a_month
    return Monthly(price, price, "external address")


def key(asked: Asked) -> Monthly:
    """A KMS key: one version now, one more with each rotation of the first year."""
    template = block(asked.values, "version_template")
    hardware = template.get("protection_level") == "HSM"
    price = asked.prices.flat.kms_version_month_hsm if hardware else asked.prices.flat.kms_version_month_software
    period = str(asked.values.get("rotation_period") or "")
    seconds = float(period[:-1]) if period.endswith("s") else math.inf
    versions = 1 + min(366, int(_DAYS_A_YEAR * 86_400 / seconds)) if seconds > 0 else 1
    return Monthly(price, price * versions, f"1 to {versions} key versions" if versions > 1 else "1 key version")


def secret_version(asked: Asked) -> Monthly:
    """One active version, in one place."""
    return Monthly(asked.prices.flat.secret_version_month, asked.prices.flat.secret_version_month, "secret version")


def scheduler(asked: Asked) -> Monthly:
    """A Cloud Scheduler job; a billing account's first three are free."""
    return Monthly(0.0, asked.prices.flat.scheduler_job_month, "scheduler job")


def disk(asked: Asked) -> Monthly:
    """A persistent disk."""
    if asked.unknown.get("size") is True or asked.values.get("size") is None:
        raise UnpricedError("its size is known after apply")
    kind = str(asked.values.get("type") or "pd-standard").rsplit("/", 1)[-1]
    if kind not in asked.prices.disks:
        raise UnpricedError(f"disk {kind}")
    factor, note = _place(asked.values, asked.prices)
    price = asked.prices.disks[kind] * float(asked.values["size"]) * factor
    return Monthly(price, price, f"{asked.values['size']} GiB of {kind}{note}")


def vertex_nodes(asked: Asked) -> Monthly:
    """Vertex AI prediction nodes: a deployment with dedicated resources."""
    dedicated = block(asked.values, "dedicated_resources") or block(
        block(asked.values, "deploy_config"), "dedicated_resources"
    )
    machine = str(block(dedicated, "machine_spec").get("machine_type") or "")
    fewest = int(dedicated.get("min_replica_count") or 0)
    most = int(dedicated.get("max_replica_count") or fewest)
    if not machine or block(dedicated, "machine_spec").get("accelerator_type"):
        raise UnpricedError("its machine")
    return endpoint_nodes(
        machine, fewest, most, str(asked.values.get("location") or asked.values.get("region") or ""), asked.prices
    )


def endpoint_nodes(machine: str, fewest: int, most: int, location: str, prices: Prices) -> Monthly:
    """`fewest` to `most` Vertex AI prediction nodes of a machine type."""
    hour = prices.machine_hour(machine)
    if hour is None:
        raise UnpricedError(f"machine {machine}")
    factor, note = _place({"location": location}, prices)
    month = hour * prices.hours_a_month * prices.flat.vertex_factor * factor
    count = str(most) if fewest == most else f"{fewest} to {most}"
    return Monthly(month * fewest, month * most, f"{count} Vertex AI nodes {machine}{note}")


def online_store(asked: Asked) -> Monthly:
    """A Bigtable-backed online feature store; the optimised kind has no price here."""
    scaling = block(block(asked.values, "bigtable"), "auto_scaling")
    if not scaling:
        raise UnpricedError("optimised online serving")
    hour = asked.prices.flat.feature_store_node_hour * asked.prices.hours_a_month
    fewest, most = int(scaling["min_node_count"]), int(scaling["max_node_count"])
    return Monthly(hour * fewest, hour * most, f"{fewest} to {most} online store nodes")


def run_service(asked: Asked) -> Monthly:
    """Cloud Run's instances that always run, idle to busy; the others are billed by use."""
    template = block(asked.values, "template")
    scaling = block(template, "scaling") or block(asked.values, "scaling")
    count = int(scaling.get("min_instance_count") or 0)
    limits = block(block(template, "containers"), "resources").get("limits") or {}
    cores, gib = _cores(str(limits.get("cpu") or "1")), _gib(str(limits.get("memory") or "512Mi"))
    seconds = count * asked.prices.hours_a_month * _SECONDS_AN_HOUR
    memory = gib * asked.prices.flat.run_gib_second * seconds
    low, high = (
        cores * price * seconds for price in (asked.prices.flat.run_core_second_idle, asked.prices.flat.run_core_second)
    )
    return Monthly(low + memory, high + memory, f"{count} instances that always run")


def _cores(text: str) -> float:
    return float(text[:-1]) / 1000 if text.endswith("m") else float(text)


def _gib(text: str) -> float:
    for unit, size in (("Gi", 1.0), ("Mi", 1 / 1024), ("G", 1e9 / 2**30), ("M", 1e6 / 2**30)):
        if text.endswith(unit):
            return float(text.removesuffix(unit)) * size
    return float(text) / 2**30


def workbench(asked: Asked) -> Monthly:
    """A notebook's machine while it runs; its disks are counted as not priced by the machine alone."""
    setup = block(asked.values, "gce_setup")
    low, high, name = _node({"machine_type": setup.get("machine_type"), "disk_size_gb": 250}, asked.prices)
    factor, note = _place(asked.values, asked.prices)
    return Monthly(0.0, high * factor, f"notebook {name} while it runs{note}") if low else Monthly(0.0, 0.0, "")


PRICED: dict[str, Callable[[Asked], Monthly]] = {
    "google_container_cluster": cluster,
    "google_container_node_pool": node_pool,
    "google_compute_router_nat": nat,
    "google_compute_address": address,
    "google_compute_disk": disk,
    "google_kms_crypto_key": key,
    "google_secret_manager_secret_version": secret_version,
    "google_cloud_scheduler_job": scheduler,
    "google_cloud_run_v2_service": run_service,
    "google_vertex_ai_deployment_resource_pool": vertex_nodes,
    "google_vertex_ai_endpoint_with_model_garden_deployment": vertex_nodes,
    "google_vertex_ai_feature_online_store": online_store,
    "google_workbench_instance": workbench,
}
