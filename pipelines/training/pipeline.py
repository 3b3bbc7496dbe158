"""extract -> validate -> features -> train -> evaluate -> gate -> promote | keep -> report, in an exit handler."""

# Annotations are read by kfp: no `from __future__ import annotations` here.

from functools import partial
from typing import Any

from kfp import dsl

from ml.models import ModelConfig
from pipelines.component import conclude, on_machine
from pipelines.training import components as task


def define(config: ModelConfig, config_json: str, code: str) -> Any:
    """The training pipeline of one model. Its configuration and code version are defaults: part of the spec's hash."""
    set_up = partial(on_machine, config=config)

    @dsl.pipeline(name=f"training-{config.name.replace('_', '-')}", description=config.description)
    def training(
        month: str,
        run_id: str = "",
        registry: str = "",
        data: str = "",
        history: str = "",
        commit: str = "unknown",
        events: str = "",
        code_version: str = code,
        config: str = config_json,
    ) -> None:
        about: dict[str, Any] = {"config": config, "code_version": code_version}
        run: dict[str, Any] = {"run_id": run_id, "job": dsl.PIPELINE_JOB_NAME_PLACEHOLDER}
        with dsl.ExitHandler(set_up(conclude(month=month, history=history, events=events, **run, **about))):
            extracted = set_up(task.extract(month=month, data=data, **about))
            partitions = extracted.outputs["partitions"]
            validated = set_up(task.validate(partitions=partitions, **about))
            contracts = validated.outputs["contracts"]
            built = set_up(task.features(registry=registry, partitions=partitions, contracts=contracts, **about))
            trained = set_up(task.train(training=built.outputs["training"], **about))
            scored = set_up(
                task.evaluate(
                    registry=registry,
                    challenger=trained.outputs["challenger"],
                    holdout=built.outputs["holdout"],
                    lineage=built.outputs["lineage"],
                    **about,
                )
            )
            seen = {"lineage": built.outputs["lineage"], "evaluation": scored.outputs["evaluation"]}
            judged = set_up(task.gate(registry=registry, **seen, **about))
            seen["decision"] = judged.outputs["decision"]
            # With an Else: kfp's local runner skips a lone If on a named output and says SUCCESS (docs/traps.md).
            with dsl.If(judged.outputs["Output"] == "promote"):
                promoted = set_up(
                    task.promote(
                        registry=registry,
                        **run,
                        commit=commit,
                        challenger=trained.outputs["challenger"],
                        **seen,
                        **about,
                    )
                )
            with dsl.Else():
                kept = set_up(task.keep(decision=seen["decision"], code_version=code_version))
            set_up(
                task.report(
                    registry=registry,
                    **run,
                    version=dsl.OneOf(promoted.output, kept.output),
                    contracts=contracts,
                    **seen,
                    **about,
                )
            )

    return training
