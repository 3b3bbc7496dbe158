"""A Vertex AI feature group over the features' table."""

from __future__ import annotations

from collections.abc import Sequence

from imports.google.vertex_ai_feature_group import (
    VertexAiFeatureGroup,
    VertexAiFeatureGroupBigQuery,
    VertexAiFeatureGroupBigQueryBigQuerySource,
)
from imports.google.vertex_ai_feature_group_feature import VertexAiFeatureGroupFeature
from infra import names
from infra.bindings import Construct
from infra.settings import Environment
from infra.workloads import FeatureColumn


class FeatureGroup(Construct):
    """The features' table and every feature that a model reads, with the description its function has in `ml`.

    One group for all models: Vertex AI makes a group of a table, and a feature is defined once, however many read it.
    Source: Vertex AI Feature Store, "Create a feature group".
    """

    def __init__(self, scope: Construct, id: str, *, env: Environment, features: Sequence[FeatureColumn]) -> None:
        super().__init__(scope, id)
        source = names.table_path(env, names.DatasetName.FEATURES, names.FLIGHTS_TABLE)
        self.group = VertexAiFeatureGroup(
            self,
            "Default",
            name=names.feature_group(env),
            region=env.region,
            description="Features of every flight that a model reads",
            big_query=VertexAiFeatureGroupBigQuery(
                big_query_source=VertexAiFeatureGroupBigQueryBigQuerySource(input_uri=source),
                entity_id_columns=[names.ENTITY_COLUMN],
            ),
        )
        group = self.group.name  # asked of Node once, not for each feature
        for feature in features:
            VertexAiFeatureGroupFeature(
                self,
                feature.name,
                name=feature.name,
                region=env.region,
                feature_group=group,
                description=feature.description,
                version_column_name=feature.name,
            )
