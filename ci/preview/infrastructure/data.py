"""Updates that delete or expose data, though the resource stays: a row says what of a type, and what is lost by it.

Each row names a type, an attribute and the direction that is worse; the words follow. Sources: the provider's pages of
these types (what an argument means, its default), and the retention and lifecycle pages of cloud.google.com.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ci.preview.infrastructure.block import at, known_later, number, true
from ci.preview.masking.printable import folded
from ci.preview.masking.values import Reader
from ci.preview.report import DataAlarm
from fonderie.core.resource_types import resource_type
from fonderie.terraform.plan import Action, ResourceChange, StackPlan

_DAY_S = 86_400
_MOST_NAMES = 8
_TOO_DEEP = 16  # records inside records: BigQuery allows 15
Worse = Callable[[Any, Any], bool]


@dataclass(frozen=True)
class Row:
    """Of `type` (a pattern, fully matched) the attribute at `path`: when it is worse, and what is lost, in words."""

    type: str
    path: str
    worse: Worse
    lost: str
    unit_s: float = 0  # of the attribute: its values are then told as times
    default: Any = None  # what holds where it is not set


def shorter(before: Any, after: Any) -> bool:
    """Fewer than before; not set is nothing."""
    return (number(after) or 0) < (number(before) or 0)


def expires(before: Any, after: Any) -> bool:
    """An end where there was none, or an earlier one; not set and 0 mean never."""
    old, new = number(before) or 0, number(after) or 0
    return new > 0 and (old <= 0 or new < old)


def appears(before: Any, after: Any) -> bool:
    """Something where nothing was, or something else."""
    return after not in (None, "", [], {}) and after != before


def goes(before: Any, after: Any) -> bool:
    """Nothing, or something else, where something was."""
    return before not in (None, "", [], {}) and after != before


def on(before: Any, after: Any) -> bool:
    """True where it was not."""
    return true(after) and not true(before)


def off(before: Any, after: Any) -> bool:
    """Not true any more."""
    return true(before) and not true(after)


def becomes(*values: str) -> Worse:
    """One of these values, which it was not."""
    return lambda before, after: after in values and before not in values


def leaves(*values: str) -> Worse:
    """None of these values any more."""
    return lambda before, after: before in values and after not in values


def _lacks(before: Any, after: Any) -> bool:
    """Fewer elements than before."""
    return isinstance(before, list) and any(item not in (after or []) for item in before)


_BUCKET, _DATASET, _TABLE = "google_storage_bucket", "google_bigquery_dataset", "google_bigquery_table"
_SQL, _BACKUP = "google_sql_database_instance", "google_gke_backup_backup_plan"
ROWS = (
    Row(_BUCKET, "versioning.enabled", off, "what is overwritten or deleted is gone at once: no versions any more"),
    Row(_BUCKET, "soft_delete_policy.retention_duration_seconds", shorter,
        "deleted objects can be restored for {after} only, was {before}", 1, default=7 * _DAY_S),
    Row(_BUCKET, "retention_policy.retention_period", shorter, "objects may be deleted after {after}, was {before}", 1),
    Row(_BUCKET, "default_event_based_hold", off, "new objects are not held any more"),
    Row(_DATASET, "default_table_expiration_ms", expires, "new tables are deleted after {after}, was {before}", 0.001),
    Row(_DATASET, "default_partition_expiration_ms", expires,
        "partitions of new tables are deleted after {after}, was {before}", 0.001),
    Row(_DATASET, "max_time_travel_hours", shorter,
        "deleted rows can be brought back for {after} only, was {before}", 3_600, default=168),
    Row(_TABLE, "expiration_time", expires, "the table is deleted at a time that is set now"),
    Row(_TABLE, "time_partitioning.expiration_ms", expires,
        "partitions older than {after} are deleted, was {before}", 0.001),
    Row("google_pubsub_topic", "message_retention_duration", shorter,
        "messages can be replayed for {after} only, was {before}", 1),
    Row("google_pubsub_subscription", "message_retention_duration", shorter,
        "messages not yet taken are dropped after {after}, was {before}", 1, default="604800s"),
    Row("google_pubsub_subscription", "retain_acked_messages", off,
        "acknowledged messages cannot be replayed any more"),
    Row("google_pubsub_subscription", "expiration_policy.ttl", expires,
        "the subscription is deleted when unused for {after}, was {before}", 1),
    Row("google_pubsub_subscription", "dead_letter_policy.dead_letter_topic", goes,
        "messages that fail are kept in another place or nowhere"),
    Row("google_secret_manager_(regional_)?secret", "expire_time", appears, "the secret is deleted at {after}"),
    Row("google_secret_manager_(regional_)?secret", "ttl", appears, "the secret is deleted after {after}", 1),
    Row("google_secret_manager_(regional_)?secret", "version_destroy_ttl", shorter,
        "a destroyed version can be restored for {after} only, was {before}", 1),
    Row("google_secret_manager_(regional_)?secret_version", "enabled", off, "the version cannot be read any more"),
    Row("google_kms_crypto_key_version", "state", leaves("ENABLED"),
        "what is encrypted with this version cannot be read any more"),
    Row("google_service_account", "disabled", on, "what runs as it stops"),
    Row("google_container_cluster", "addons_config.gke_backup_agent_config.enabled", off, "no backups any more"),
    Row(_SQL, "settings.backup_configuration.enabled", off, "no backups any more"),
    Row(_SQL, "settings.backup_configuration.point_in_time_recovery_enabled", off, "no recovery to a point in time"),
    Row(_SQL, "settings.backup_configuration.binary_log_enabled", off, "no recovery to a point in time"),
    Row(_SQL, "settings.backup_configuration.transaction_log_retention_days", shorter,
        "recovery reaches back {after} only, was {before}", _DAY_S),
    Row(_SQL, "settings.backup_configuration.backup_retention_settings.retained_backups", shorter,
        "{after} backups are kept, were {before}"),
    Row(_SQL, "settings.deletion_protection_enabled", off, "a delete by hand is not refused any more"),
    Row("google_firestore_database", "point_in_time_recovery_enablement",
        leaves("POINT_IN_TIME_RECOVERY_ENABLED"), "no recovery to a point in time"),
    Row("google_firestore_database", "delete_protection_state", leaves("DELETE_PROTECTION_ENABLED"),
        "its destroy is not refused any more"),
    Row("google_firestore_field", "ttl_config", appears, "documents are deleted at the time in this field"),
    Row("google_firestore_backup_schedule", "retention", shorter, "backups are kept for {after}, was {before}", 1),
    Row("google_spanner_database", "version_retention_period", shorter,
        "recovery reaches back {after} only, was {before}", 1, default="1h"),
    Row("google_spanner_database", "enable_drop_protection", off, "its drop is not refused any more"),
    Row("google_bigtable_table", "deletion_protection", leaves("PROTECTED"), "its destroy is not refused any more"),
    Row("google_bigtable_table", "column_family", _lacks, "a column family is deleted with its cells"),
    Row("google_bigtable_gc_policy", "gc_rules", goes, "other cells are deleted than before"),
    Row("google_bigtable_gc_policy", "max_age.duration", shorter, "cells are deleted after {after}, was {before}", 1),
    Row("google_redis_instance", "persistence_config.persistence_mode", becomes("DISABLED"),
        "a restart loses the data"),
    Row("google_alloydb_cluster", "automated_backup_policy.enabled", off, "no backups any more"),
    Row("google_alloydb_cluster", "continuous_backup_config.enabled", off, "no recovery to a point in time"),
    Row("google_alloydb_cluster", "continuous_backup_config.recovery_window_days", shorter,
        "recovery reaches back {after} only, was {before}", _DAY_S),
    Row("google_artifact_registry_repository", "cleanup_policies", appears, "other images and packages are deleted"),
    Row("google_artifact_registry_repository", "cleanup_policy_dry_run", off,
        "its cleanup policies delete from now on"),
    Row("google_artifact_registry_repository", "docker_config.immutable_tags", off,
        "a tag can be moved to another image"),
    Row("google_logging_.*bucket_config", "retention_days", shorter,
        "logs older than {after} are deleted, was {before}", _DAY_S),
    Row("google_logging_.*bucket_config", "locked", off, "its retention can be changed again"),
    Row("google_logging_.*sink", "disabled", on, "logs are not exported any more"),
    Row("google_logging_.*sink", "filter", goes, "other logs are exported than before"),
    Row("google_logging_.*exclusion", "filter", appears, "other logs are dropped than before"),
    Row("google_compute_instance", "boot_disk.auto_delete", on, "the disk goes with the machine"),
    Row(_BACKUP, "retention_policy.backup_retain_days", shorter, "backups are kept for {after}, was {before}", _DAY_S),
    Row(_BACKUP, "deactivated", on, "no backups any more"),
    Row(_BACKUP, "backup_schedule.cron_schedule", goes, "backups at other times, or none"),
    Row(_BACKUP, "backup_config.include_volume_data", off, "backups are without the volumes"),
    Row("google_vertex_ai_featurestore", "online_storage_ttl_days", expires,
        "served values older than {after} are deleted", _DAY_S),
    Row("google_vertex_ai_featurestore_entitytype", "offline_storage_ttl_days", expires,
        "feature values older than {after} are deleted", _DAY_S),
    Row(".*", "deletion_protection", off, "its destroy is not refused any more"),
    Row(".*", "deletion_protection_enabled", off, "its destroy is not refused any more"),
    Row(".*", "deletion_policy", leaves("PREVENT"), "its destroy is not refused any more"),
    Row(".*", "deletion_policy", leaves("ABANDON"), "its destroy deletes it from now on"),
    Row(".*", "force_destroy", on, "its destroy takes everything in it along"),
    Row(".*", "delete_contents_on_destroy", on, "its destroy takes everything in it along"),
    Row(".*", "disable_on_destroy", on, "its destroy turns the service off for everybody in the project"),
)  # fmt: skip

# Types that guard the data of others: what is lost when they go.
_GUARDS = {
    "google_compute_disk_resource_policy_attachment": "the disk has no snapshots any more",
    "google_compute_region_disk_resource_policy_attachment": "the disk has no snapshots any more",
    "google_compute_resource_policy": "no snapshots by it any more",
    "google_firestore_backup_schedule": "no backups by it any more",
    "google_gke_backup_backup_plan": "no backups by it any more",
    "google_logging_project_sink": "logs are not exported any more",
    "google_resource_manager_lien": "the project can be deleted",
}


def data_alarms(plan: StackPlan, reader: Reader) -> list[DataAlarm]:
    """What of a stack's plan deletes data or takes its protection away, beyond the resources that it destroys."""
    return [
        DataAlarm(
            environment=plan.environment,
            stack=plan.stack,
            address=reader.address(change.address),
            attribute=reader.key(attribute) if attribute else "",
            lost=reader.plain(lost),
        )
        for change in plan.changes
        for attribute, lost in lost_by(change)
    ]


def lost_by(change: ResourceChange) -> Iterator[tuple[str, str]]:
    """The attributes by which a change loses data, and what is lost."""
    if change.action is Action.DESTROY:
        if change.type in _GUARDS:
            yield "", _GUARDS[change.type]
        return
    if not (isinstance(change.before, dict) and isinstance(change.after, dict)):
        return
    for row in ROWS:
        if re.fullmatch(row.type, change.type) and not known_later(change.unknown, row.path):
            before, after = (at(side, row.path, row.default) for side in (change.before, change.after))
            if row.worse(before, after):
                yield row.path, row.lost.format(before=_told(before, row.unit_s), after=_told(after, row.unit_s))
    yield from _by_type(change, change.before, change.after)


def _by_type(change: ResourceChange, before: dict[str, Any], after: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What takes more than a comparison of two values."""
    if change.type == _BUCKET:
        yield from _lifecycle(before.get("lifecycle_rule"), after.get("lifecycle_rule"))
    elif change.type == _TABLE:
        yield from _columns(before.get("schema"), after.get("schema"))
    elif change.type == "google_spanner_database":
        statements = [str(each) for each in after.get("ddl") or () if each not in (before.get("ddl") or ())]
        if dropping := [each for each in statements if re.search(r"\bdrop\b", each, re.IGNORECASE)]:
            yield "ddl", f"runs {folded(dropping[0], 80)}"
    if (key := resource_type(change.type).key) and not known_later(change.unknown, key):
        old, new = (at(side, key) for side in (before, after))
        if goes(old, new):
            yield key, "new data is encrypted with another key" if new else "new data is encrypted without your key"


def _lifecycle(before: Any, after: Any) -> Iterator[tuple[str, str]]:
    """Rules that delete, and what they delete that was kept. Without an age, a rule deletes objects of any."""
    old, new = ([_deletes(rule) for rule in rules or () if _deletes(rule)] for rules in (before, after))
    for rule in new:
        if rule in old:
            continue
        age, others = rule or (None, {})
        ages = [other[0] for other in old if other and other[1] == others]
        if any(known is None or (age is not None and known <= age) for known in ages):
            continue
        what = "noncurrent versions" if _noncurrent(others) else "objects"
        was = min((known for known in ages if known is not None), default=None)
        which = f"{what} older than {_told(age, _DAY_S)} are deleted" if age else f"{what} of any age are deleted"
        under = f" (where {', '.join(f'{key} = {value}' for key, value in sorted(others.items()))})" if others else ""
        yield "lifecycle_rule", which + under + (f", was {_told(was, _DAY_S)}" if was else ", were kept")


def _deletes(rule: Any) -> tuple[float | None, dict[str, str]] | None:
    """The age from which a rule deletes, and its other conditions; None when it does not delete."""
    if not isinstance(rule, dict) or at(rule, "action.type") != "Delete":
        return None
    found = rule.get("condition")
    block = found[0] if isinstance(found, list) and found else found
    condition = block if isinstance(block, dict) else {}
    others = {
        str(key): folded(str(value), 60)
        for key, value in condition.items()
        if key != "age" and value not in (None, "", 0, False, [], {}) and not (key == "with_state" and value == "ANY")
        and not key.startswith("send_")
    }  # fmt: skip
    age = number(condition.get("age"))
    return (age or None), others


def _noncurrent(conditions: dict[str, str]) -> bool:
    """Whether a rule spares the current version of each object."""
    later = ("num_newer_versions", "days_since_noncurrent_time", "noncurrent_time_before")
    return conditions.get("with_state") == "ARCHIVED" or any(key in conditions for key in later)


def _columns(before: Any, after: Any) -> Iterator[tuple[str, str]]:
    """Columns that go with their values, and those that everybody who reads the table may read from now on."""
    old, new = _fields(before), _fields(after)
    if old is None or new is None:
        return
    if gone := sorted(
        name for name in old.keys() - new.keys() if name.rpartition(".")[0] not in old.keys() - new.keys()
    ):
        more = f" and {len(gone) - _MOST_NAMES} more" if len(gone) > _MOST_NAMES else ""
        yield "schema", f"column{'s' * (len(gone) > 1)} {', '.join(gone[:_MOST_NAMES])}{more} dropped with every value"
    if bare := sorted(name for name in old.keys() & new.keys() if old[name] and not new[name]):
        yield "schema", f"{', '.join(bare[:_MOST_NAMES])} may be read without a policy tag"


def _fields(schema: Any) -> dict[str, bool] | None:
    """Column -> whether a policy tag guards it; records with dots."""
    try:
        fields = json.loads(schema) if isinstance(schema, str) and schema else schema or []
    except (ValueError, RecursionError):
        return None
    found: dict[str, bool] = {}

    def walk(items: Any, above: str, depth: int) -> None:
        for item in items if isinstance(items, list) and depth < _TOO_DEEP else ():
            if isinstance(item, dict) and isinstance(item.get("name"), str):
                found[above + item["name"]] = bool(item.get("policyTags"))
                walk(item.get("fields"), f"{above}{item['name']}.", depth + 1)

    walk(fields, "", 0)
    return found


def _told(value: Any, unit_s: float) -> str:
    """A value in words: a time where it is one, `never` for none."""
    amount = number(value)
    if amount is None:
        return "not set" if value in (None, "") else folded(str(value), 60)
    if not unit_s:
        return f"{amount:g}"
    seconds = amount * (unit_s if number(str(value)) == amount and not re.search(r"[smhd]", str(value)) else 1)
    for size, word in ((_DAY_S, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:,.0f} {word}{'s' * (seconds != size)}"
    return f"{seconds:g} seconds" if seconds else "no time at all"
