"""What is kept: where, with which key, protected by what, and said to belong to whom."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

from fonderie.core.resource_types import resource_type
from infra import names
from infra.policy.checks.subject import CheckSubject, at, blocks, walk, word
from infra.settings import Environment

PLACES = frozenset({"location", "region", "allowed_persistence_regions"})
REQUIRED_LABELS = ("environment", "managed_by", "owner")
SOFT_DELETE_S = 7 * 86_400
LONGEST_ROTATION_S = 90 * 86_400


def region(subject: CheckSubject) -> Iterator[str]:
    """Everything with a place is in the environment's region."""
    region = subject.env.region
    for argument, value in walk(subject.values):
        place = str(value).lower()
        if argument in PLACES and place not in {"global", region} and not place.startswith(("${", f"{region}-")):
            yield f"{argument} = {place}, the environment is in {region}"
    if subject.type == "google_secret_manager_secret" and at(subject.values, "replication.auto"):
        yield "replication = auto, which is anywhere"
    if subject.type == "google_pubsub_topic" and not at(
        subject.values, "message_storage_policy.allowed_persistence_regions"
    ):
        yield "message_storage_policy has no region: messages may be kept anywhere"


def project(subject: CheckSubject) -> Iterator[str]:
    """Everything is in the environment's own project."""
    for argument, value in walk(subject.values):
        if argument == "project" and not str(value).startswith("${") and value != subject.env.project_id:
            yield f"project = {value}, the environment's is {subject.env.project_id}"


def protection(subject: CheckSubject) -> Iterator[str]:
    """What holds something refuses to be destroyed, unless the environment is ephemeral."""
    kind = resource_type(subject.type)
    prevented = at(subject.values, "lifecycle.prevent_destroy") == [True]
    state = subject.text("name") == names.bucket(subject.env, names.BucketName.STATE)
    if (kind.permanent or (subject.type == "google_storage_bucket" and state)) and not prevented:
        yield "lifecycle.prevent_destroy is not true"
    takes = word(subject.values.get(kind.takes_along, False)) != "false"
    if takes and not _may_go(subject, state=state):
        yield f"{kind.takes_along} = true"
    if subject.env.ephemeral and not state:
        return
    for argument, wanted in kind.protected_by.items():
        if word(subject.values.get(argument)) != word(wanted):
            yield f"{argument} = {subject.values.get(argument)}, not {word(wanted)}"
    for condition in at(subject.values, "lifecycle_rule.condition"):
        if not condition.get("num_newer_versions") and not condition.get("age"):
            yield "a lifecycle_rule deletes objects of any age"
    kept = at(subject.values, "soft_delete_policy.retention_duration_seconds")
    if subject.type == "google_storage_bucket" and any(int(each) < SOFT_DELETE_S for each in kept):
        yield f"soft_delete_policy keeps {kept[0]} s, less than seven days"


def _may_go(subject: CheckSubject, *, state: bool) -> bool:
    return subject.env.ephemeral and not state and subject.type != "google_project_service"


def encryption(subject: CheckSubject) -> Iterator[str]:
    """What holds data is encrypted with the environment's own key, where it has keys, and in production."""
    ours = names.key_path(subject.env, names.KeyName.DATA).rpartition("/")[0]
    kind = resource_type(subject.type)
    wanted = subject.env.customer_keys or subject.env.production
    if wanted and (job := _started_run(subject)):
        keys = re.findall(r'"kmsKeyName":\s*"([^"]*)"', job)
        if not keys:
            yield "a run that it starts has no encryptionSpec.kmsKeyName"
        yield from (f"{key} is not of the environment's ring" for key in keys if not key.startswith(f"{ours}/"))
    if not kind.key or not (kind.always_keyed or wanted):
        return
    if not (keys := at(subject.values, kind.key)):
        yield "no key is set"
    replicas = blocks({"all": at(subject.values, "replication.user_managed.replicas")}, "all")
    if len(keys) < len(replicas):
        yield "a replica without a key"
    yield from (f"{key} is not of the environment's ring" for key in keys if not str(key).startswith(f"{ours}/"))
    if kind.always_keyed and at(subject.values, "database_encryption.state") != ["ENCRYPTED"]:
        yield "database_encryption.state is not ENCRYPTED"


def _started_run(subject: CheckSubject) -> str:
    """The text that says what a run on Vertex AI is made with: a workflow, a schedule; empty where none is started."""
    if subject.type == "google_workflows_workflow":
        text = str(subject.values.get("source_contents") or "")
        return text if "/pipelineJobs" in text else ""
    if subject.type == "google_cloud_scheduler_job" and "/pipelineJobs" in str(at(subject.values, "http_target.uri")):
        try:
            bodies = [base64.b64decode(str(body)).decode() for body in at(subject.values, "http_target.body")]
        except ValueError:
            bodies = []
        return "".join(bodies) or "{}"
    return ""


def rotation(subject: CheckSubject) -> Iterator[str]:
    """Keys are replaced by new ones each 90 days at the latest."""
    if subject.type == "google_kms_crypto_key":
        period = subject.text("rotation_period")
        if not period.removesuffix("s").isdigit() or int(period.removesuffix("s")) > LONGEST_ROTATION_S:
            yield f"rotation_period = {period or 'never'}"


def partitions(subject: CheckSubject) -> Iterator[str]:
    """A partitioned table refuses a query that would read all of it."""
    partitioned = subject.type == "google_bigquery_table" and at(subject.values, "time_partitioning")
    if partitioned and word(subject.values.get("require_partition_filter", False)) != "true":
        yield "require_partition_filter is not true"


def secret_values(subject: CheckSubject) -> Iterator[str]:
    """No secret's value is in the configuration: it would be in the state and in every plan."""
    if subject.type == "google_secret_manager_secret_version" and subject.values.get("secret_data"):
        yield "secret_data is set in plain text"


def labels(subject: CheckSubject) -> Iterator[str]:
    """What the provider gives no labels to says itself which environment it belongs to, who owns and manages it."""
    if path := resource_type(subject.type).labels:
        given: dict[str, str] = next(iter(at(subject.values, path)), {})
        yield from wrong_labels(given, subject.env, path)


def wrong_labels(given: dict[str, str], env: Environment, where: str) -> Iterator[str]:
    """Which of the required labels are missing or say something else than the settings."""
    if missing := [label for label in REQUIRED_LABELS if not given.get(label)]:
        yield f"{where} lacks {', '.join(missing)}"
    for label in REQUIRED_LABELS:
        if given.get(label) and given[label] != env.all_labels[label]:
            yield f"{where}: {label} = {given[label]}, the settings say {env.all_labels[label]}"
