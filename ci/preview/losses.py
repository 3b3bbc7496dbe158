"""What is destroyed or replaced: why, what is lost with it, and what depends on it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from ci.preview.plan import Action, ResourceChange, StackPlan
from ci.preview.report import AttributeChange, Loss
from ci.preview.values import Reader

MOST_DEPENDENTS = 12
_SHORTEST_NAME = 6

# Types that hold something a new one of the same name does not bring back. Source: cloud.google.com.
STATEFUL = {
    "google_project": "the project and everything in it; its id can never be used again",
    "google_storage_bucket": "every object in the bucket",
    "google_storage_managed_folder": "the objects under it",
    "google_bigquery_dataset": "the dataset and its tables",
    "google_bigquery_table": "every row of the table",
    "google_artifact_registry_repository": "every image and package in it",
    "google_secret_manager_secret": "every version of the secret",
    "google_secret_manager_secret_version": "this version's value",
    "google_kms_key_ring": "nothing in the cloud: it outlives its destroy and blocks its name",
    "google_kms_crypto_key": "what is encrypted with it can't be read any more",
    "google_sql_database_instance": "its databases and backups; the name is blocked for a week",
    "google_sql_database": "every table in it",
    "google_container_cluster": "everything that runs on it, with its volumes",
    "google_gke_backup_backup_plan": "the backups",
    "google_compute_disk": "the data on the disk",
    "google_redis_instance": "the data in it",
    "google_filestore_instance": "the files in it",
    "google_compute_address": "the address goes back to Google",
    "google_compute_global_address": "the address goes back to Google",
    "google_dns_managed_zone": "its records; names stop resolving",
    "google_pubsub_topic": "messages not yet delivered",
    "google_pubsub_subscription": "messages not yet acknowledged",
    "google_logging_project_bucket_config": "the logs in it",
    "google_service_account": "its identity: grants to it go stale, a new one of the same name is another",
    "google_iam_workload_identity_pool": "sign-in from outside; its id is blocked for 30 days",
    "google_iam_workload_identity_pool_provider": "sign-in from outside; its id is blocked for 30 days",
    "google_project_iam_custom_role": "the role; its id is blocked for weeks",
    "google_vertex_ai_dataset": "the dataset's items and annotations",
    "google_vertex_ai_endpoint": "the models deployed on it, and its address",
    "google_vertex_ai_feature_group": "the registered features",
    "google_vertex_ai_feature_online_store": "the served feature values",
    "google_vertex_ai_featurestore": "every feature value",
    "google_vertex_ai_featurestore_entitytype": "its feature values",
    "google_vertex_ai_index": "the index's vectors",
    "google_vertex_ai_tensorboard": "every experiment's curves",
    "google_vertex_ai_tensorboard_experiment": "the experiment's curves",
    "google_workbench_instance": "the disks of the notebook",
    "google_secure_source_manager_instance": "its repositories",
}  # fmt: skip

_REASONS = {
    "replace_because_tainted": "its last creation failed half-way (tainted)",
    "replace_by_request": "asked for with -replace",
    "replace_by_triggers": "something it follows (replace_triggered_by) changes",
    "delete_because_no_resource_config": "no longer in the configuration",
    "delete_because_no_module": "its module is no longer in the configuration",
    "delete_because_wrong_repetition": "`count` or `for_each` was added or taken away",
    "delete_because_count_index": "its index is beyond `count`",
    "delete_because_each_key": "its key is no longer in `for_each`",
    "delete_because_no_move_target": "it was moved to an address that is not in the configuration",
}


def is_stateful(kind: str) -> bool:
    """Whether destroying a resource of this type loses something."""
    return kind in STATEFUL


def protection(change: ResourceChange) -> str:
    """The protection in state that will refuse the destroy, or nothing. Source: the provider's documentation."""
    before = change.before if isinstance(change.before, dict) else {}
    if before.get("deletion_policy") == "ABANDON":
        return "left in the cloud (deletion_policy ABANDON)"
    for name in ("deletion_protection", "deletion_protection_enabled"):
        if before.get(name) is True:
            return f"{name} refuses it until it is off in state"
    if before.get("deletion_policy") == "PREVENT":
        return "deletion_policy PREVENT refuses it until it is changed in state"
    if change.type == "google_storage_bucket" and not before.get("force_destroy"):
        return "fails while it holds objects (force_destroy is off)"
    return ""


def reason(change: ResourceChange, attributes: Iterable[AttributeChange]) -> str:
    """Why it is destroyed or replaced, in words."""
    forcing = [_forcing(item) for item in attributes if item.forces]
    if change.reason in ("", "replace_because_cannot_update") and change.action is Action.REPLACE:
        more = f" and {len(forcing) - 3} more" if len(forcing) > 3 else ""
        if forcing:
            return f"{', '.join(forcing[:3])}{more} {'force' if len(forcing) > 1 else 'forces'} replacement"
        paths = [".".join(map(str, path)) for path in change.replace_paths]
        return f"{', '.join(paths[:3])} forces replacement" if paths else "can't be updated in place"
    if change.deposed:
        return f"left over from an earlier replacement (deposed {change.deposed})"
    return _REASONS.get(change.reason) or (change.reason.replace("_", " ") or "Terraform gives no reason")


def _forcing(item: AttributeChange) -> str:
    if item.lines:
        return item.path
    return f"{item.path} {item.before or 'not set'} → {item.after or 'not set'}"


def losses(
    plans: list[StackPlan], attributes: dict[tuple[str, str, str], list[AttributeChange]], reader: Reader
) -> list[Loss]:
    """Every destroy and replacement of every stack: the stateful first, then by place."""
    found = []
    index = _Index(plans)
    for plan in plans:
        for change in plan.changes:
            if change.action.loses:
                inside = attributes.get((plan.stack, change.address, change.deposed), [])
                found.append(_loss(plan, change, inside, index, reader))
    return sorted(found, key=lambda loss: (not loss.stateful, loss.action is Action.REPLACE))


def _loss(
    plan: StackPlan, change: ResourceChange, inside: list[AttributeChange], index: _Index, reader: Reader
) -> Loss:
    dependents = sorted(index.dependents(plan, change))
    return Loss(
        environment=plan.environment,
        stack=plan.stack,
        address=shown_address(change, reader),
        type=change.type,
        action=change.action,
        why=reason(change, inside),
        stateful=is_stateful(change.type),
        lost=STATEFUL.get(change.type, ""),
        dependents=tuple(dependents[:MOST_DEPENDENTS]),
        more_dependents=max(0, len(dependents) - MOST_DEPENDENTS),
        protected=protection(change),
    )


def shown_address(change: ResourceChange, reader: Reader) -> str:
    """A change's address as it may be seen, with the mark of a deposed object."""
    address = reader.address(change.address)
    return f"{address} (deposed {change.deposed[:12]})" if change.deposed else address


class _Index:
    """Who refers to whom: by the configuration inside a stack, by name between the stacks of an environment."""

    def __init__(self, plans: list[StackPlan]) -> None:
        self._referrers: dict[tuple[str, str], set[str]] = defaultdict(set)
        self._holders: dict[tuple[str, str], set[tuple[str, str, str]]] = defaultdict(set)
        for plan in plans:
            for address, named in plan.references.items():
                for name in named:
                    self._referrers[plan.stack, name].add(address)
        wanted = {(plan.environment, name) for plan in plans for change in plan.changes if change.action.loses
                  for name in _names(change.before)}  # fmt: skip
        if wanted:
            for plan in plans:
                for change in plan.changes:
                    for key, text in _texts(change.after if change.after is not None else change.before, "", 0):
                        if (plan.environment, text) in wanted:
                            self._holders[plan.environment, text].add((plan.stack, change.address, key))

    def dependents(self, plan: StackPlan, change: ResourceChange) -> set[str]:
        """Addresses (with the stack, if another) of what refers to it; replaced things' followers included."""
        base = change.address.split("[")[0]
        found = set(self._referrers.get((plan.stack, base), ()))
        words = set(change.type.split("_")[1:])
        for name in _names(change.before):
            for stack, address, key in self._holders.get((plan.environment, name), ()):
                if address == change.address and stack == plan.stack:
                    continue
                if len(name) >= 24 or "@" in name or words & set(key.split("_")):
                    found.add(address if stack == plan.stack else f"{stack}: {address}")
        return found - {base, change.address}


def _names(before: Any) -> Iterator[str]:
    """What others may call it by."""
    if isinstance(before, dict):
        kinds = ("id", "name", "self_link", "email", "member", "dataset_id", "secret_id", "repository_id", "topic")
        values = dict.fromkeys(value for kind in kinds if isinstance(value := before.get(kind), str))
        yield from (value for value in values if len(value) >= _SHORTEST_NAME)


def _texts(value: Any, key: str, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield key, value
    elif depth < 12 and isinstance(value, dict):
        for name, item in value.items():
            yield from _texts(item, name, depth + 1)
    elif depth < 12 and isinstance(value, list):
        for item in value:
            yield from _texts(item, key, depth + 1)
