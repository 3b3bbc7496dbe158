"""What changed outside Terraform: the drift of a plan, without what only looks so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ci.preview.infrastructure.access import access_changes
from ci.preview.infrastructure.attributes import attribute_changes
from ci.preview.infrastructure.data import lost_by
from ci.preview.masking.values import Reader
from ci.preview.report import AttributeChange, ChangePreview
from fonderie.terraform.plan import Action, ResourceChange, StackPlan
from fonderie.terraform.references import without_keys

# What the provider counts up or stamps by itself.
VOLATILE = frozenset(
    {"etag", "update_time", "updated", "create_time", "creation_time", "creation_timestamp", "last_modified_time",
     "generation", "metageneration", "fingerprint", "label_fingerprint", "metadata_fingerprint", "updated_at"}
)  # fmt: skip
# Who may do what, and who reaches it from where: told before everything else.
_ACCESS = frozenset(
    {"access", "allow", "attribute_condition", "condition", "encryption", "encryption_configuration",
     "invoker_iam_disabled", "kms_key_name", "master_authorized_networks_config", "member", "members", "permissions",
     "policy_data", "private_cluster_config", "public_access_prevention", "role", "service_account", "source_ranges",
     "uniform_bucket_level_access"}
)  # fmt: skip
_DEPLOYED = ("deployed_models", "traffic_split")  # on an endpoint, by `fonderie models deploy`
# The names that a dataset's access list has for three of IAM's roles (BigQuery, "Datasets: Access").
_ROLES_OF_DATASETS = {
    "roles/bigquery.dataViewer": "READER",
    "roles/bigquery.dataEditor": "WRITER",
    "roles/bigquery.dataOwner": "OWNER",
}


def changed_outside(plan: StackPlan, reader: Reader) -> list[ChangePreview]:
    """What of a plan's drift a person did, what opens something first.

    Left out are what the provider counts up by itself, null beside the zero value of a type, and what other resources
    of the stack put into this one. An entry that none of them put there stays.
    """
    found = []
    for change in plan.drifted:
        arguments = plan.arguments.get(without_keys(change.address))
        own = replace(change, before=_own(change, change.before, plan), after=_own(change, change.after, plan))
        attributes = attribute_changes(own, reader, arguments)
        told = [item for item in attributes if _top(item) not in VOLATILE]
        alarm = _alarms(own, plan, reader)
        if told or change.action is Action.DESTROY:
            told.sort(key=lambda item: _top(item) not in _ACCESS)
            shown = ChangePreview(
                address=reader.address(change.address),
                type=change.type,
                action=change.action,
                note="is gone from the cloud" if change.action is Action.DESTROY else "",
                why=alarm,
                attributes=tuple(told),
            )
            found.append(shown)
    return sorted(found, key=lambda change: (not opens(change), change.address))


def _alarms(change: ResourceChange, plan: StackPlan, reader: Reader) -> str:
    """What a preview of the same change would ring for: exposure, grants, data."""
    grants = access_changes(replace(plan, changes=(change,)), reader)
    found = [grant.alarm for grant in grants if grant.alarm]
    return "; ".join(dict.fromkeys([*found, *(reader.plain(lost) for _, lost in lost_by(change))]))


def opens(change: ChangePreview) -> bool:
    """Whether a change has to do with who may do what, or reach it."""
    return bool(change.why) or "_iam_" in change.type or any(_top(item) in _ACCESS for item in change.attributes)


def _top(item: AttributeChange) -> str:
    return item.path.split(".")[0].split("[")[0]


def _own(change: ResourceChange, values: Any, plan: StackPlan) -> Any:
    """The values without what other resources of the stack, or our own commands, put there."""
    arguments = plan.arguments.get(without_keys(change.address))
    if arguments is None or not isinstance(values, dict):
        return values
    match change.type:
        case "google_bigquery_dataset":
            attribute, theirs = "access", [_entry(member) for member in _members_of(values, plan)]
        case "google_container_cluster":
            attribute, theirs = "node_pool", [{"name": pool.get("name")} for pool in _pools_of(values, plan)]
        case "google_vertex_ai_endpoint":
            return {name: value for name, value in values.items() if name not in _DEPLOYED or name in arguments}
        case _:
            return values
    if arguments.get(attribute) or not isinstance(values.get(attribute), list):
        return values
    kept = [item for item in values[attribute] if not any(_holds(item, entry) for entry in theirs)]
    return {**values, attribute: kept}


def _members_of(dataset: Mapping[str, Any], plan: StackPlan) -> list[dict[str, Any]]:
    return [
        values
        for kind, values in plan.state
        if kind == "google_bigquery_dataset_iam_member" and values.get("dataset_id") == dataset.get("dataset_id")
    ]


def _pools_of(cluster: Mapping[str, Any], plan: StackPlan) -> list[dict[str, Any]]:
    return [
        values
        for kind, values in plan.state
        if kind == "google_container_node_pool"
        and str(values.get("cluster", "")).rpartition("/")[2] == cluster.get("name")
    ]


def _entry(member: Mapping[str, Any]) -> dict[str, Any]:
    """A member as it stands in a dataset's access list."""
    kind, _, address = str(member.get("member", "")).partition(":")
    role = str(member.get("role", ""))
    who = {"user": "user_by_email", "serviceAccount": "user_by_email", "group": "group_by_email", "domain": "domain"}
    named = {who[kind]: address} if kind in who else {"iam_member": member.get("member")}
    return {"role": _ROLES_OF_DATASETS.get(role, role), **named}


def _holds(item: Any, entry: Mapping[str, Any]) -> bool:
    if not isinstance(item, dict):
        return False
    role = _ROLES_OF_DATASETS.get(str(item.get("role")), item.get("role"))
    return all((role if key == "role" else item.get(key)) == value for key, value in entry.items())
