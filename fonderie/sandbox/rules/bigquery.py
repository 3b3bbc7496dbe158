"""Datasets with tables do not go.

Source: BigQuery's "Manage datasets" (delete datasets), and `delete_contents_on_destroy` of the provider.
"""

from __future__ import annotations

from fonderie.sandbox.lifecycle.world import Request
from fonderie.sandbox.rules.rulebook import Event, rule


@rule(Event.DELETE, "google_bigquery_dataset", source="https://cloud.google.com/bigquery/docs/managing-datasets")
def a_dataset_with_tables_does_not_go(request: Request) -> None:
    """A dataset that holds tables or routines is refused unless `delete_contents_on_destroy` is true in the state."""
    if request.state.get("delete_contents_on_destroy") is True:
        return
    types = ("google_bigquery_table", "google_bigquery_routine")
    inside = [one.path for one in request.cloud.things(under=request.path) if one.type in types]
    if inside or request.world.waves.still_using(request.path):
        dataset = request.path.replace("projects/", "").replace("/datasets/", ":")
        raise request.error(400, f"Dataset {dataset} is still in use", "resourceInUse", verb="deleting")


@rule(Event.CREATED, "google_bigquery_table", source="https://cloud.google.com/bigquery/docs/views")
def a_table_with_a_query_is_a_view(request: Request) -> None:
    """The kind of a table follows from what it is made of."""
    kinds = {"view": "VIEW", "materialized_view": "MATERIALIZED_VIEW", "external_data_configuration": "EXTERNAL"}
    kind = next((kind for name, kind in kinds.items() if request.state.get(name)), "TABLE")
    if request.state.get("type") != kind:
        request.state["type"] = kind
        request.cloud.change(request.type, request.path, request.state)
