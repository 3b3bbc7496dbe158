"""Vertex AI keeps what is in use: endpoints with models, stores with views, groups with features.

Source: Vertex AI's reference of `endpoints.delete`, `featureOnlineStores.delete`, `featureGroups.delete`.
"""

from __future__ import annotations

from fonderie.sandbox.lifecycle.world import ObjectRequest
from fonderie.sandbox.rules.rulebook import LifecycleEvent, rule

_API = "https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations"


@rule(LifecycleEvent.DELETE, "google_vertex_ai_endpoint", source=f"{_API}.endpoints/delete")
def an_endpoint_with_models_does_not_go(request: ObjectRequest) -> None:
    """An endpoint with deployed models is refused: undeploy them first."""
    deployed = request.thing.attributes.get("deployed_models") if request.thing else None
    if deployed:
        raise request.error(
            400,
            f'Endpoint {request.path} has deployed or being-deployed DeployedModel(s): "{deployed[0].get("id", "")}".',
            "failedPrecondition",
            verb="deleting",
        )


@rule(LifecycleEvent.DELETE, "google_vertex_ai_feature_online_store", source=f"{_API}.featureOnlineStores/delete")
def a_store_with_views_needs_force(request: ObjectRequest) -> None:
    """A feature online store with views is refused unless `force_destroy` is true in the state."""
    _refuse_with_children(request, "featureViews")


@rule(LifecycleEvent.DELETE, "google_vertex_ai_featurestore", source=f"{_API}.featurestores/delete")
def a_featurestore_with_types_needs_force(request: ObjectRequest) -> None:
    """A featurestore with entity types is refused unless `force_destroy` is true in the state."""
    _refuse_with_children(request, "entityTypes")


@rule(LifecycleEvent.DELETE, "google_vertex_ai_feature_group", source=f"{_API}.featureGroups/delete")
def a_group_with_features_does_not_go(request: ObjectRequest) -> None:
    """A feature group with features is refused."""
    _refuse_with_children(request, "features")


@rule(LifecycleEvent.DELETE, "google_vertex_ai_index_endpoint", source=f"{_API}.indexEndpoints/delete")
def an_index_endpoint_with_indexes_does_not_go(request: ObjectRequest) -> None:
    """An index endpoint with deployed indexes is refused."""
    _refuse_with_children(request, "deployedIndex")


def _refuse_with_children(request: ObjectRequest, kind: str) -> None:
    if not request.fresh or request.state.get("force_destroy") is True:
        return
    inside = [one.path for one in request.cloud.things(under=request.path)] or request.world.settling.still_using(
        request.path
    )
    if inside:
        raise request.error(
            400, f"{request.path} has {kind}, for example {inside[0]}.", "failedPrecondition", verb="deleting"
        )
