"""Which of the recorded calls are made, and which of their permissions are needed: the `when` texts, as decisions.

The texts stand in `fonderie/core/google_iam`. Each is decided from what is planned, from what was, or from the cloud.
What is in `UNDECIDED`, and what `not confirmed` begins, is not demanded. A test holds the lists complete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from fonderie.sandbox.cloud.cloud import ObjectStatus
from fonderie.sandbox.lifecycle.interface import State
from fonderie.sandbox.lifecycle.world import ObjectRequest, block
from fonderie.sandbox.rules.bigquery import columns

Decision = Callable[[ObjectRequest], bool]

# Not demanded: the provider ignores the error, or never asks like that, or the plan does not tell.
UNDECIDED = frozenset(
    {
        "at plan, when a change of the schema drops a column; an error is ignored",
        "always; an error is ignored",
        "always after an import; an error is ignored",
        "project is not set on the resource; an error is ignored",
        "force_destroy and caches on the bucket",
        "an operation that an earlier run left behind",
        "private endpoint of a PSC cluster, persistent disk driver off, additional IP ranges, additional pod ranges, "
        "or linux_node_config of node_pool_auto_config",
        "the project or organisation opted into enable_fine_grained_dataset_acls_option",
        "access is written and the project or organisation opted into enable_fine_grained_dataset_acls_option",
        "projection = full",
        "projection = full and no uniform access",
        "access lists are written",
    }
)
_ALWAYS = frozenset(
    {
        "once a zone, then from a cache of seconds; an error ends the plan",
        "for each version that is not destroyed",
        "always: looks whether it is there",
        "one API in the batch",
        "more than one API in the batch (parallelism above 1)",
        "ALTER TABLE",
        # On the resource that a permission names: `permissions.py` finds it.
        "on the network it belongs to",
        "on the topic",
        "on the workflow's service account",
        "on the account of an OAuth or OIDC token",
        "on the account of a push token",
        "on the nodes' service account",
        "on the trigger's service account",
        "on the service's account",
    }
)


def decide(when: str, request: ObjectRequest) -> bool:
    """Whether what is done only `when` is done for this request."""
    if not when or when in _ALWAYS:
        return True
    if when in UNDECIDED or when.startswith("not confirmed"):
        return False
    if (decision := _DECISIONS.get(when)) is not None:
        return decision(request)
    return changes(request, changed_attributes(when))


def is_decided(when: str) -> bool:
    """Whether a text is known here."""
    known = not when or when in _ALWAYS or when in UNDECIDED or when in _DECISIONS or when.startswith("not confirmed")
    return known or bool(changed_attributes(when))


def changed_attributes(when: str) -> list[str]:
    """The attributes of `changes of a, b.c` and of `a changes`."""
    if when.startswith("changes of "):
        return when.removeprefix("changes of ").split(", ")
    return [when.removesuffix(" changes")] if when.endswith(" changes") and " " not in when[:-8] else []


def changes(request: ObjectRequest, attributes: Sequence[str]) -> bool:
    """Whether an update changes one of these attributes; blocks as `a.b`."""
    prior = request.prior or {}
    return any(
        list(_values(prior, name.split("."))) != list(_values(request.state, name.split("."))) for name in attributes
    )


def _values(state: Any, parts: Sequence[str]) -> Iterator[Any]:
    if isinstance(state, list) and parts:
        for element in state:
            yield from _values(element, parts)
    elif not parts:
        yield state
    elif isinstance(state, Mapping):
        yield from _values(state.get(parts[0]), parts[1:])


def _is_set(name: str) -> Decision:
    return lambda request: bool(_first(request.state, name))


def _becomes(name: str, value: object) -> Decision:
    return lambda request: _first(request.state, name) == value and _first(request.prior or {}, name) != value


def _first(state: State, name: str) -> Any:
    return next(_values(state, name.split(".")), None)


def _is_deleted(request: ObjectRequest) -> bool:
    found = request.cloud.get(request.type, request.path)
    return found is not None and found.status is ObjectStatus.SOFT_DELETED


def _drops_a_column(request: ObjectRequest) -> bool:
    """Columns go and none comes: only then the provider sends ALTER TABLE."""
    old, new = columns((request.prior or {}).get("schema")), columns(request.state.get("schema"))
    return old is not None and new is not None and set(new) < set(old)


def _has_node_pools(request: ObjectRequest) -> bool:
    pools = request.cloud.things("google_container_node_pool", under=request.path)
    return bool(pools) or bool(request.state.get("node_pool"))


def _holds_objects(request: ObjectRequest) -> bool:
    return bool(request.world.buckets.objects(str(request.state.get("name"))))


def _object_is_there(request: ObjectRequest) -> bool:
    return request.world.buckets.read(str(request.state.get("bucket")), str(request.state.get("name"))) is not None


def _is_internal(request: ObjectRequest) -> bool:
    return request.state.get("address_type") == "INTERNAL"


_DECISIONS: dict[str, Decision] = {
    "table_replication_info": _is_set("table_replication_info"),
    "a view with a schema: written in a second call": lambda request: (
        bool(request.state.get("view")) and isinstance(request.state.get("schema"), str)
    ),
    "changes of schema": _drops_a_column,
    "paused = true": lambda request: request.state.get("paused") is True,
    "paused is not true: also when it is not set; an error fails the create": lambda request: (
        request.state.get("paused") is not True
    ),
    "paused changes to true": _becomes("paused", True),
    "paused changes to false": lambda request: changes(request, ["paused"]) and request.state.get("paused") is not True,
    "labels, the provider's default labels among them": lambda request: bool(
        request.state.get("labels") or request.provider.default_labels
    ),
    "delete_default_routes_on_create": _is_set("delete_default_routes_on_create"),
    "remove_default_node_pool": _is_set("remove_default_node_pool"),
    "the cluster has node pools; once a zone, then from a cache": _has_node_pools,
    "node_count or initial size changes": lambda request: changes(request, ["node_count", "initial_node_count"]),
    "attestation_rules is set": _is_set("attestation_rules"),
    "rotation_period is set": _is_set("rotation_period"),
    "a deleted role of that id is there": _is_deleted,
    "the role was deleted outside": _is_deleted,
    "disable_on_destroy = true": _is_set("disable_on_destroy"),
    "enabled = true, which is the default": lambda request: request.state.get("enabled") is not False,
    "deletion_policy is not set, or DELETE": lambda request: request.state.get("deletion_policy") in (None, "DELETE"),
    "deletion_policy = DISABLE": lambda request: request.state.get("deletion_policy") == "DISABLE",
    "unless the payload is write-only (secret_data_wo) or the version is disabled": lambda request: (
        not request.state.get("secret_data_wo_version") and request.state.get("enabled") is not False
    ),
    "the connection is there and update_on_creation_fail": lambda request: (
        bool(request.state.get("update_on_creation_fail"))
        and request.cloud.live(request.type, request.path) is not None
    ),
    "retention_policy.is_locked": _is_set("retention_policy.is_locked"),
    "retention_policy.is_locked becomes true": _becomes("retention_policy.is_locked", True),
    "force_destroy and objects in the bucket": lambda request: (
        bool(request.state.get("force_destroy")) and _holds_objects(request)
    ),
    "always; an error is ignored if the bucket is empty": _holds_objects,
    # of permissions
    "an internal address": _is_internal,
    "an internal address: on its subnetwork": lambda request: (
        _is_internal(request) and bool(request.state.get("subnetwork"))
    ),
    "an internal address or range": _is_internal,
    "an internal range: on its network": lambda request: _is_internal(request) and bool(request.state.get("network")),
    "fleet.project is set": lambda request: bool(block(request.state, "fleet").get("project")),
    "projection = full, or access lists or prevention of public access change": lambda request: changes(
        request, ["public_access_prevention"]
    ),
    "an object of that name is there": _object_is_there,
    "enableObjectRetention": _is_set("enable_object_retention"),
    "deleteContents = true and tables in the dataset": lambda request: (
        bool(request.state.get("delete_contents_on_destroy"))
        and bool(request.cloud.things("google_bigquery_table", under=request.path))
    ),
}
