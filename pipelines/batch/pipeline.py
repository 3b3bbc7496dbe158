"""validate -> predict, in an exit handler: a month of predictions by one version."""

# Annotations are read by kfp: no `from __future__ import annotations` here.

from functools import partial
from typing import Any

from kfp import dsl

from ml.models import ModelConfig
from pipelines.batch.components import predict
from pipelines.component import conclude, on_machine
from pipelines.training import components as task


def define(config: ModelConfig, config_json: str, code: str) -> Any:
    """The batch pipeline of one model. Its configuration and code version are defaults: part of the spec's hash."""
    set_up = partial(on_machine, config=config)

    @dsl.pipeline(name=f"batch-{config.name.replace('_', '-')}", description=f"Predictions: {config.description}")
    def batch(
        month: str,
        run_id: str = "",
        registry: str = "",
        data: str = "",
        version: str = "",
        events: str = "",
        code_version: str = code,
        config: str = config_json,
    ) -> None:
        about: dict[str, Any] = {"config": config, "code_version": code_version}
        run: dict[str, Any] = {"run_id": run_id, "job": dsl.PIPELINE_JOB_NAME_PLACEHOLDER}
        with dsl.ExitHandler(set_up(conclude(code_version=code_version, events=events, **run))):
            extracted = set_up(task.extract(month=month, data=data, **about))
            validated = set_up(task.validate(partitions=extracted.outputs["partitions"], **about))
            set_up(
                predict(
                    registry=registry,
                    month=month,
                    data=data,
                    version=version,
                    contracts=validated.outputs["contracts"],
                    **about,
                )
            )

    return batch
