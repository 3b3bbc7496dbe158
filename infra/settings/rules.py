"""Rules over several settings at once: ranges that fit and do not meet, and what production may not do without."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network
from itertools import combinations
from typing import TYPE_CHECKING

from croniter import croniter

from fonderie.core.toml import Problem

if TYPE_CHECKING:
    from infra.settings.environment import Environment

ADDRESSES_A_NODE = 256  # GKE gives each node a /24 of the pods' range when it may hold 110 pods
RESERVED_ADDRESSES = 4  # of each subnet, by Google
LATEST_MINUTE = 44  # four calls of up to three minutes, and the pauses between, end within the hour
SURGE_NODES = 2  # one more in each pool while it is upgraded


def problems_of(env: Environment) -> list[Problem]:
    """Everything about `env` that no single setting shows."""
    rules = (_ranges, _pools, _switches, _schedules, _images)
    return [
        *(problem for rule in rules for problem in rule(env)),
        *(_production(env) if env.production else ()),
    ]


def _ranges(env: Environment) -> Iterator[Problem]:
    ranges = {key: IPv4Network(value) for key, value in env.network.model_dump().items()}
    for (one, first), (other, second) in combinations(ranges.items(), 2):
        if first.overlaps(second):
            yield Problem(f"network.{other}", str(second), f"overlaps network.{one} ({first})")
    nodes = env.cluster.system.max_nodes + env.cluster.pipelines.max_nodes + SURGE_NODES
    least = {
        "nodes": (nodes + RESERVED_ADDRESSES, f"{nodes} nodes at most, and {RESERVED_ADDRESSES} reserved by Google"),
        "pods": (nodes * ADDRESSES_A_NODE, f"{nodes} nodes at most, {ADDRESSES_A_NODE} addresses each"),
        "services": (256, "Kubeflow Pipelines alone has some 30 services, and the range can't grow"),
    }
    for key, (wanted, why) in least.items():
        if (size := ranges[key].num_addresses) < wanted:
            yield Problem(f"network.{key}", str(ranges[key]), f"too small: {size} addresses, {wanted} needed ({why})")
    if ranges["control_plane"].prefixlen != 28:
        yield Problem("network.control_plane", str(ranges["control_plane"]), "the control plane's range is a /28")


def _pools(env: Environment) -> Iterator[Problem]:
    system, serving, days = env.cluster.system, env.serving, env.cluster.maintenance_days
    if system.max_nodes < system.min_nodes:
        yield Problem("cluster.system.max_nodes", system.max_nodes, f"below min_nodes ({system.min_nodes})")
    if serving.max_replicas < serving.min_replicas:
        yield Problem("serving.max_replicas", serving.max_replicas, f"below min_replicas ({serving.min_replicas})")
    if len(set(days)) < 2:
        yield Problem("cluster.maintenance_days", list(days), "GKE wants 48 hours in 32 days: two days a week at least")


def _switches(env: Environment) -> Iterator[Problem]:
    if env.features.config_sync and not env.features.cluster:
        yield Problem("features.config_sync", True, "Config Sync needs a cluster (features.cluster is false)")
    if env.git.connected and not env.git.app_installation_id:
        yield Problem("git.app_installation_id", 0, "required when git.ci is cloud_build")
    if env.ephemeral and env.images.readers:
        yield Problem("images.readers", list(env.images.readers), "other environments need a registry that stays")
    if env.ephemeral and env.protected:
        yield Problem("protected", True, "an ephemeral environment must be destroyable: set protected = false")
    if not env.ephemeral and env.backend == "local":
        yield Problem("backend", "local", "only an ephemeral environment may keep its state locally: use gcs")


def _schedules(env: Environment) -> Iterator[Problem]:
    """A run is named by its hour (infra/workflows/retrain.yaml), and Cloud Scheduler repeats a call that timed out."""
    for key in ("monitoring", "training"):
        cron = getattr(env.schedules, key)
        minutes = croniter.expand(cron)[0][0]
        if len(minutes) > 1 or minutes == ["*"]:
            yield Problem(f"schedules.{key}", cron, "starts more than once an hour, and each hour has a single run")
        elif int(minutes[0]) > LATEST_MINUTE:
            why = f"its repeated calls reach the next hour and start a second run: minute {LATEST_MINUTE} at the latest"
            yield Problem(f"schedules.{key}", cron, why)


def _images(env: Environment) -> Iterator[Problem]:
    """One registry for all environments: what is promoted is what was tested, and never copied."""
    from infra.names import images_url  # names are made from settings

    for name in env.unknown_neighbours:
        yield Problem(
            "images.registry" if name == env.images.registry else "images.readers", name, "unknown environment"
        )
    if env.unknown_neighbours:
        return
    owner, registry = env.registry_owner.name, f"{images_url(env)}/"
    for key, image in env.artefacts.items():
        if not image.startswith(registry):
            yield Problem(key, image, f"not in the registry of {owner}, {registry[:-1]}")
    if env.images.registry and env.images.readers:
        yield Problem("images.readers", list(env.images.readers), f"has no registry of its own: it is {owner}'s")
    if env.images.registry == env.name or env.name in env.images.readers:
        yield Problem("images", env.name, "an environment needs no leave to read its own registry: leave it out")


def _production(env: Environment) -> Iterator[Problem]:
    wanted = {
        "ephemeral": (env.ephemeral, not env.ephemeral, "production must not be destroyed with its data"),
        "protected": (env.protected, env.protected, "production must protect its stateful resources"),
        "approval": (env.approval, env.approval, "applies to production need an approval"),
        "serving.min_replicas": (
            env.serving.min_replicas,
            env.serving.min_replicas > 1,
            "production needs at least two replicas",
        ),
        "cluster.system.min_nodes": (
            env.cluster.system.min_nodes,
            env.cluster.system.min_nodes > 1,
            "production needs at least two nodes",
        ),
    }
    for key, (value, kept, reason) in wanted.items():
        if not kept:
            yield Problem(key, value, reason)
