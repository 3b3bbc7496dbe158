"""What is kept: where, with which key, protected by what, and said to belong to whom."""

from __future__ import annotations

from collections.abc import Iterator

from fonderie.core.resource_types import resource_type
from infra import names
from infra.policy.checks.subject import Look, at, blocks, walk, word
from infra.settings import Environment

PLACES = frozenset({"location", "region", "allowed_persistence_regions"})
REQUIRED_LABELS = ("environment", "managed_by", "owner")
SOFT_DELETE_S = 7 * 86_400
LONGEST_ROTATION_S = 90 * 86_400


def region(look: Look) -> Iterator[str]:
    """Everything with a place is in the environment's region."""
    region = look.env.region
    for argument, value in walk(look.values):
        place = str(value).lower()
        if argument in PLACES and place not in {"global", region} and not place.startswith(("${", f"{region}-")):
            yield f"{argument} = {place}, the environment is in {region}"
    if look.type == "google_secret_manager_secret" and at(look.values, "replication.auto"):
        yield "replication = auto, which is anywhere"
    if look.type == "google_pubsub_topic" and not at(look.values, "message_storage_policy.allowed_persistence_regions"):
        yield "message_storage_policy has no region: messages may be kept anywhere"


def project(look: Look) -> Iterator[str]:
    """Everything is in the environment's own project."""
    for argument, value in walk(look.values):
        if argument == "project" and not str(value).startswith("${") and value != look.env.project_id:
            yield f"project = {value}, the environment's is {look.env.project_id}"


def protection(look: Look) -> Iterator[str]:
    """What holds something refuses to be destroyed, unless the environment is ephemeral."""
    kind = resource_type(look.type)
    prevented = at(look.values, "lifecycle.prevent_destroy") == [True]
    state = look.text("name") == names.bucket(look.env, names.Bucket.STATE)
    if (kind.permanent or (look.type == "google_storage_bucket" and state)) and not prevented:
        yield "lifecycle.prevent_destroy is not true"
    takes = word(look.values.get(kind.takes_along, False)) != "false"
    if takes and not _may_go(look, state=state):
        yield f"{kind.takes_along} = true"
    if look.env.ephemeral and not state:
        return
    for argument, wanted in kind.protected_by.items():
        if word(look.values.get(argument)) != word(wanted):
            yield f"{argument} = {look.values.get(argument)}, not {word(wanted)}"
    for condition in at(look.values, "lifecycle_rule.condition"):
        if not condition.get("num_newer_versions") and not condition.get("age"):
            yield "a lifecycle_rule deletes objects of any age"
    kept = at(look.values, "soft_delete_policy.retention_duration_seconds")
    if look.type == "google_storage_bucket" and any(int(each) < SOFT_DELETE_S for each in kept):
        yield f"soft_delete_policy keeps {kept[0]} s, less than seven days"


def _may_go(look: Look, *, state: bool) -> bool:
    return look.env.ephemeral and not state and look.type != "google_project_service"


def encryption(look: Look) -> Iterator[str]:
    """What holds data is encrypted with the environment's own key, where it has keys, and in production."""
    ours = names.key_path(look.env, names.Key.DATA).rpartition("/")[0]
    kind = resource_type(look.type)
    if not kind.key or not (kind.always_keyed or look.env.customer_keys or look.env.production):
        return
    if not (keys := at(look.values, kind.key)):
        yield "no key is set"
    replicas = blocks({"all": at(look.values, "replication.user_managed.replicas")}, "all")
    if len(keys) < len(replicas):
        yield "a replica without a key"
    yield from (f"{key} is not of the environment's ring" for key in keys if not str(key).startswith(f"{ours}/"))
    if kind.always_keyed and at(look.values, "database_encryption.state") != ["ENCRYPTED"]:
        yield "database_encryption.state is not ENCRYPTED"


def rotation(look: Look) -> Iterator[str]:
    """Keys are replaced by new ones each 90 days at the latest."""
    if look.type == "google_kms_crypto_key":
        period = look.text("rotation_period")
        if not period.removesuffix("s").isdigit() or int(period.removesuffix("s")) > LONGEST_ROTATION_S:
            yield f"rotation_period = {period or 'never'}"


def partitions(look: Look) -> Iterator[str]:
    """A partitioned table refuses a query that would read all of it."""
    partitioned = look.type == "google_bigquery_table" and at(look.values, "time_partitioning")
    if partitioned and word(look.values.get("require_partition_filter", False)) != "true":
        yield "require_partition_filter is not true"


def secret_values(look: Look) -> Iterator[str]:
    """No secret's value is in the configuration: it would be in the state and in every plan."""
    if look.type == "google_secret_manager_secret_version" and look.values.get("secret_data"):
        yield "secret_data is set in plain text"


def labels(look: Look) -> Iterator[str]:
    """What the provider gives no labels to says itself which environment it belongs to, who owns and manages it."""
    if path := resource_type(look.type).labels:
        given: dict[str, str] = next(iter(at(look.values, path)), {})
        yield from wrong_labels(given, look.env, path)


def wrong_labels(given: dict[str, str], env: Environment, where: str) -> Iterator[str]:
    """Which of the required labels are missing or say something else than the settings."""
    if missing := [label for label in REQUIRED_LABELS if not given.get(label)]:
        yield f"{where} lacks {', '.join(missing)}"
    for label in REQUIRED_LABELS:
        if given.get(label) and given[label] != env.all_labels[label]:
            yield f"{where}: {label} = {given[label]}, the settings say {env.all_labels[label]}"
