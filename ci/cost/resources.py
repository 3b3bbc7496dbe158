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
_BOOT_GIB, _DATA_GIB = 150, 100  # of a notebook that says nothing; source: Workbench, "Create an instance"


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
    if local := _local_disks(config):
        raise UnpricedError(f"{local} local SSDs on each {machine}")
    disk = _disk(config.get("disk_type") or "pd-balanced", config.get("disk_size_gb") or 100, prices)
    month = hour * prices.hours_a_month
    if config.get("spot") or config.get("preemptible"):
        return month * prices.spot.low + disk, month * prices.spot.high + disk, f"{machine}, spot"
    return month + disk, month + disk, machine


def _disk(kind: object, gib: Any, prices: Prices) -> float:
    """Dollars a month of a disk; its type in Compute Engine's words or in Vertex AI's (PD_SSD)."""
    name = str(kind).rsplit("/", 1)[-1].lower().replace("_", "-")
    if name not in prices.disks:
        raise UnpricedError(f"disk {name}")
    return prices.disks[name] * float(gib)


def _local_disks(config: Values) -> int:
    """How many local disks a node has, however they are attached."""
    blocks = ("local_nvme_ssd_block_config", "ephemeral_storage_local_ssd_config", "ephemeral_storage_config")
    counts = [config.get("local_ssd_count"), *(block(config, name).get("local_ssd_count") for name in blocks)]
    return sum(int(count) for count in counts if count)


def nodes(asked: Asked) -> tuple[int, int]:
    """Fewest and most nodes of a pool, over all its zones."""
    values = asked.values
    scaling = block(values, "autoscaling")
    zones = _zones(values)
    if scaling.get("total_max_node_count"):
        return int(scaling.get("total_min_node_count") or 0), int(scaling["total_max_node_count"])
    if scaling.get("max_node_count"):
        return zones * int(scaling.get("min_node_count") or 0), zones * int(scaling["max_node_count"])
    count = next((values[key] for key in ("node_count", "initial_node_count") if values.get(key) is not None), None)
    if count is None:
        raise UnpricedError("its number of nodes is not known")
    return zones * int(count), zones * int(count)


def node_pool(asked: Asked) -> Monthly:
    """A GKE node pool; autoscaling is a range."""
    if block(asked.unknown, "node_config").get("machine_type") is True:
        raise UnpricedError("its machine is known after apply")
    low, high, name = _node(block(asked.values, "node_config"), asked.prices)
    fewest, most = nodes(asked)
    factor, note = _place(asked.values, asked.prices)
    count = str(most) if fewest == most else f"{fewest} to {most}"
    return Monthly(low * fewest * factor, high * most * factor, f"{count} {name}{note}")


def cluster(asked: Asked) -> Monthly:
    """A GKE cluster: the fee, the pools written inside it, and its default pool unless that is removed."""
    if asked.values.get("enable_autopilot"):
        raise UnpricedError("Autopilot's pods")
    scaling = block(asked.values, "cluster_autoscaling")
    if scaling.get("enabled"):
        limits = scaling.get("resource_limits") or []
        most = ", ".join(f"{limit.get('maximum')} {limit.get('resource_type')}" for limit in limits)
        raise UnpricedError(f"nodes that cluster autoscaling makes, up to {most or 'any number'}")
    fee = asked.prices.flat.gke_cluster_hour * asked.prices.hours_a_month
    inline = asked.values.get("node_pool") or []
    if asked.values.get("remove_default_node_pool"):
        return Monthly(fee, fee, "cluster fee")
    where = {key: asked.values[key] for key in ("location", "node_locations") if asked.values.get(key)}
    parts = [node_pool(Asked({**where, **pool}, {}, asked.prices)) for pool in inline] or [node_pool(asked)]
    why = ", ".join(["cluster fee", *(part.why for part in parts)])
    return Monthly(fee + sum(part.low for part in parts), fee + sum(part.high for part in parts), why)


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
    """Cloud Run's instances that always run, idle to busy, with their sidecars; the others are billed by use."""
    template = block(asked.values, "template")
    scaling = block(template, "scaling") or block(asked.values, "scaling")
    count = int(scaling.get("min_instance_count") or 0)
    limits = [block(each, "resources").get("limits") or {} for each in template.get("containers") or [{}]]
    if kind := block(template, "node_selector").get("accelerator"):
        raise UnpricedError(f"accelerator {kind}")
    if any("nvidia.com/gpu" in each for each in limits):
        raise UnpricedError("an accelerator")
    cores = sum(_cores(str(each.get("cpu") or "1")) for each in limits)
    gib = sum(_gib(str(each.get("memory") or "512Mi")) for each in limits)
    seconds = count * asked.prices.hours_a_month * _SECONDS_AN_HOUR
    memory = gib * asked.prices.flat.run_gib_second * seconds
    low, high = (
        cores * price * seconds for price in (asked.prices.flat.run_core_second_idle, asked.prices.flat.run_core_second)
    )
    beside = f" with {len(limits) - 1} sidecars" if len(limits) > 1 else ""
    return Monthly(low + memory, high + memory, f"{count} instances that always run{beside}")


def _cores(text: str) -> float:
    return float(text[:-1]) / 1000 if text.endswith("m") else float(text)


def _gib(text: str) -> float:
    for unit, size in (("Gi", 1.0), ("Mi", 1 / 1024), ("G", 1e9 / 2**30), ("M", 1e6 / 2**30)):
        if text.endswith(unit):
            return float(text.removesuffix(unit)) * size
    return float(text) / 2**30


def workbench(asked: Asked) -> Monthly:
    """A notebook: its machine and accelerators while it runs, its disks always."""
    setup, prices = block(asked.values, "gce_setup"), asked.prices
    machine = str(setup.get("machine_type") or "e2-standard-4")
    hour = prices.machine_hour(machine)
    if hour is None:
        raise UnpricedError(f"machine {machine}")
    for accelerator in setup.get("accelerator_configs") or []:
        kind = str(accelerator.get("type")).lower().replace("_", "-")
        if kind not in prices.accelerators:
            raise UnpricedError(f"accelerator {kind}")
        hour += prices.accelerators[kind] * int(accelerator.get("core_count") or 1)
    factor, note = _place(asked.values, prices)
    disks = [(setup.get("boot_disk") or [{}]), (setup.get("data_disks") or [{}])]
    stored = sum(
        _disk(each.get("disk_type") or "pd-balanced", each.get("disk_size_gb") or size, prices)
        for blocks, size in zip(disks, (_BOOT_GIB, _DATA_GIB), strict=True)
        for each in blocks
    )
    month = hour * prices.hours_a_month
    return Monthly(stored * factor, (month + stored) * factor, f"notebook {machine} while it runs, and its disks{note}")


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
