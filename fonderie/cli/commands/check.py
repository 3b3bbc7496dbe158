"""`fonderie check`: every configuration of the repository, against itself, before anything is submitted."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console

from fonderie.cli import options
from fonderie.core.errors import ExitCode, FonderieError
from ml.datasets.months import Month

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.settings import Environment


def command(as_json: options.AsJson = False) -> None:
    """Check environments, models and pipelines offline.

    Every environment's settings load; every model's file loads; every pipeline of every model compiles, takes the
    parameters that a person, a schedule or a retraining gives it, and names its images by digest in the cloud. All
    problems are reported, not only the first. Exits with 3 if there is one.

    ```console
    fonderie check
    ```
    """
    found = list(_findings())
    problems = {what: problem for what, problem in found if problem}
    if as_json:
        print(json.dumps([{"what": what, "problem": problem or None} for what, problem in found], indent=2))
    else:
        console = Console(highlight=False)
        for what, problem in found:
            console.print("[bold red]✗[/] " if problem else "[green]✓[/] ", end="")
            console.print(f"{what}: " if problem else what, end="", markup=False)  # it may name [images]
            console.print(problem, markup=False)
    raise typer.Exit(int(ExitCode.BAD_INPUT if problems else ExitCode.OK))


def _findings() -> Iterator[tuple[str, str]]:
    """(what was checked, what is wrong with it or nothing)."""
    from infra.settings import environment_names, load_environment, notes
    from ml.models import list_models, load_model

    environments = []
    for name in environment_names():
        try:
            environments.append(load_environment(name))
            yield "; ".join((f"environment {name}", *notes(environments[-1]))), ""
        except FonderieError as error:
            yield f"environment {name}", str(error)
    for model in list_models():
        try:
            load_model(model)
            yield f"model {model}", ""
        except FonderieError as error:
            yield f"model {model}", str(error)
            continue
        for env in environments:
            yield from _pipelines(model, env)


def _pipelines(model: str, env: Environment) -> Iterator[tuple[str, str]]:
    from infra import names
    from pipelines.compile import PIPELINES, compile_pipeline
    from pipelines.engines.engine import check_images, check_parameters

    for pipeline in sorted(PIPELINES):
        what = f"pipeline {pipeline} of {model} in {env.name}"
        try:
            spec = compile_pipeline(model, pipeline, names.image(env, names.ImageName.PIPELINES))
            document = spec.read()
            check_images(document, spec.path)
            for parameters in _submissions(model, env, pipeline, document):
                check_parameters(document, parameters, where=spec.name)
            yield what, ""
        except FonderieError as error:
            yield what, str(error)


def _submissions(
    model: str, env: Environment, pipeline: str, document: dict[str, Any]
) -> Iterator[Mapping[str, str | int | float | bool]]:
    """What everybody who starts the pipeline gives it: a person, a schedule, a request for a retraining."""
    from ci.remote import submissions
    from ci.synth import parameters
    from infra.workloads import PipelineName
    from pipelines.batch.run import batch_parameters

    month, now = Month.parse("2013-04"), datetime.now(UTC)
    if pipeline in set(PipelineName):
        scheduled = parameters(env, model, PipelineName(pipeline), document)
        yield scheduled
    if pipeline == PipelineName.TRAINING:
        yield submissions.training(env, model, month, "commit").parameters
        yield {**scheduled, "month": str(month), "run_id": "retrain"}  # infra/workflows/retrain.yaml
    if pipeline == "batch":
        yield batch_parameters(str(month), "batch")
        yield submissions.batch(env, model, month, now).parameters
    if pipeline == PipelineName.MONITORING:
        yield submissions.monitoring(env, model, month, now, retrain=env.features.continuous_training).parameters
