"""BigQuery: datasets with tables do not go, and what of a table's schema may change in place.

Source: BigQuery's "Manage datasets" (delete datasets), and `delete_contents_on_destroy` of the provider."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fonderie.sandbox.iam.access import maker_note
from fonderie.sandbox.lifecycle.interface import UNKNOWN, Diagnostic, Path, State
from fonderie.sandbox.lifecycle.world import ObjectRequest
from fonderie.sandbox.planning.type_rules import Situation, TypeRules
from fonderie.sandbox.planning.validation import error
from fonderie.sandbox.rules.rulebook import LifecycleEvent, rule


@rule(
    LifecycleEvent.DELETE, "google_bigquery_dataset", source="https://cloud.google.com/bigquery/docs/managing-datasets"
)
def a_dataset_with_tables_does_not_go(request: ObjectRequest) -> None:
    """A dataset that holds tables or routines is refused unless `delete_contents_on_destroy` is true in the state."""
    if request.state.get("delete_contents_on_destroy") is True:
        return
    types = ("google_bigquery_table", "google_bigquery_routine")
    inside = [one.path for one in request.cloud.things(under=request.path) if one.type in types]
    if inside or request.world.settling.still_using(request.path):
        dataset = request.path.replace("projects/", "").replace("/datasets/", ":")
        raise request.error(400, f"Dataset {dataset} is still in use", "resourceInUse", verb="deleting")


@rule(
    LifecycleEvent.CREATED,
    "google_bigquery_dataset",
    source="https://cloud.google.com/bigquery/docs/dataset-access-control",
)
def who_makes_a_dataset_owns_it(request: ObjectRequest) -> None:
    """Who makes a dataset without an access list becomes its owner."""
    request.cloud.set_note(maker_note(request.path), request.provider.caller.email)


@rule(LifecycleEvent.CREATED, "google_bigquery_table", source="https://cloud.google.com/bigquery/docs/views")
def a_table_with_a_query_is_a_view(request: ObjectRequest) -> None:
    """The kind of a table follows from what it is made of."""
    kinds = {"view": "VIEW", "materialized_view": "MATERIALIZED_VIEW", "external_data_configuration": "EXTERNAL"}
    kind = next((kind for name, kind in kinds.items() if request.state.get(name)), "TABLE")
    if request.state.get("type") != kind:
        request.state["type"] = kind
        request.cloud.change(request.type, request.path, request.state)


_LEAST_EXPIRATION_MS = 3_600_000
# Names that BigQuery takes for the same type. Source: "Data types" of legacy and standard SQL.
_TYPES = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN", "STRUCT": "RECORD"}
_EMPTY = {"mode": "NULLABLE", "description": "", "policyTags": {"names": []}, "fields": []}


def _column(raw: Mapping[str, Any]) -> dict[str, Any]:
    """A column with its defaults left out and its type by one name."""
    column = {key: value for key, value in raw.items() if value != _EMPTY.get(key, UNKNOWN)}
    if "type" in column:
        kind = str(column["type"]).upper()
        column["type"] = _TYPES.get(kind, kind)
    if "mode" in column:
        column["mode"] = str(column["mode"]).upper()
    if "fields" in column:
        column["fields"] = columns(column["fields"])
    return column


def columns(raw: Any) -> dict[str, dict[str, Any]] | None:
    """A schema's columns by name; None for a text that is not a schema. Their order does not count."""
    try:
        listed = json.loads(raw) if isinstance(raw, str) else raw
    except ValueError:
        return None
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        return None
    return {str(one.get("name", number)): _column(one) for number, one in enumerate(listed)}


def _same_schema(situation: Situation) -> bool:
    old, new = columns(situation.old), columns(situation.new)
    return old is not None and old == new


def in_place(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether a table can go from one schema to the other: columns may come, go and become nullable, not change type.

    Source: recorded plans of `google_bigquery_table.schema`; BigQuery's "Modifying table schemas".
    """
    if not all(_column_in_place(old[name], new[name]) for name in old if name in new):
        return False
    gone, come = old.keys() - new.keys(), new.keys() - old.keys()
    return not (gone and come)


def _column_in_place(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    modes = old.get("mode", "NULLABLE"), new.get("mode", "NULLABLE")
    if old.get("type") != new.get("type") or (modes[0] != modes[1] and modes[1] != "NULLABLE"):
        return False
    return in_place(old.get("fields") or {}, new.get("fields") or {})


def _table_replaces(prior: State, planned: State) -> list[Path]:
    old, new = columns(prior.get("schema")), columns(planned.get("schema"))
    if not old or new is None or in_place(old, new):
        return []
    return [("schema",)]


# The basic roles of a dataset and the IAM roles they stand for. Source: "Basic roles and permissions" of BigQuery.
_BASIC_ROLES = {
    "roles/bigquery.dataOwner": "OWNER",
    "roles/bigquery.dataEditor": "WRITER",
    "roles/bigquery.dataViewer": "READER",
}


def _same_role(situation: Situation) -> bool:
    old, new = (_BASIC_ROLES.get(one, one) for one in (situation.old, situation.new))
    return old == new


def _same_connection(situation: Situation) -> bool:
    """`project.location.id` and `projects/project/locations/location/connections/id`."""

    def parts(connection: str) -> list[str]:
        return connection.split("/")[1::2] if "/" in connection else connection.split(".")

    return parts(situation.old) == parts(situation.new)


def _check_dataset(config: State) -> list[Diagnostic]:
    value = config.get("default_table_expiration_ms")
    if isinstance(value, int) and value < _LEAST_EXPIRATION_MS:
        words = f'"default_table_expiration_ms" cannot be shorter than {_LEAST_EXPIRATION_MS} milliseconds (one hour)'
        return [error(words, path=("default_table_expiration_ms",))]
    return []


PLANS = {
    "google_bigquery_table": TypeRules(
        same={
            "schema": _same_schema,
            "external_data_configuration.schema": _same_schema,
            "external_data_configuration.connection_id": _same_connection,
            "biglake_configuration.connection_id": _same_connection,
        },
        replaces=_table_replaces,
    ),
    "google_bigquery_dataset": TypeRules(check=_check_dataset),
    "google_bigquery_dataset_access": TypeRules(same={"role": _same_role}),
}
