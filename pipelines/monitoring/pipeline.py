"""monitor -> judge -> request | rest -> report, in an exit handler."""

# Annotations are read by kfp: no `from __future__ import annotations` here.

from functools import partial
from typing import Any

from kfp import dsl

from ml.models import ModelConfig
from pipelines.component import conclude, on_machine
from pipelines.monitoring import components as task


def define(config: ModelConfig, config_json: str, code: str) -> Any:
    """The monitoring pipeline of one model; its thresholds are part of the spec's hash."""
    set_up = partial(on_machine, config=config)

    @dsl.pipeline(name=f"monitoring-{config.name.replace('_', '-')}", description=config.description)
    def monitoring(
        run_id: str = "",
        month: str = "",
        registry: str = "",
        history: str = "",
        data: str = "",
        topic: str = "",
        events: str = "",
        code_version: str = code,
        config: str = config_json,
    ) -> None:
        about: dict[str, Any] = {"config": config, "code_version": code_version}
        run: dict[str, Any] = {"run_id": run_id, "job": dsl.PIPELINE_JOB_NAME_PLACEHOLDER}
        with dsl.ExitHandler(set_up(conclude(code_version=code_version, events=events, **run))):
            watched = set_up(task.monitor(month=month, data=data, registry=registry, history=history, **about))
            verdict = watched.outputs["verdict"]
            judged = set_up(task.judge(history=history, events=events, verdict=verdict, **about))
            decision = judged.outputs["decision"]
            # With an Else, as in pipelines/training/pipeline.py.
            with dsl.If(judged.outputs["Output"] == "retrain"):
                set_up(task.request(history=history, topic=topic, decision=decision, **about))
            with dsl.Else():
                set_up(task.rest(decision=decision, code_version=code_version))
            set_up(task.report(history=history, verdict=verdict, decision=decision, **about))

    return monitoring
