"""The component of the batch pipeline; its others are those of training."""

# Annotations are read by kfp: no `from __future__ import annotations` here.

from kfp import dsl

from pipelines.component import component


@component
def predict(
    config: str,
    code_version: str,
    registry: str,
    month: str,
    data: str,
    version: str,
    contracts: dsl.Input[dsl.Artifact],
    predictions: dsl.Output[dsl.Dataset],
) -> str:
    """Predictions of the month, a file a day; the version that made them all."""
    from pipelines.batch import steps

    return steps.predict(config, registry, month, data, version, predictions.path)
