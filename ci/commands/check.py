"""`fonderie check`: every configuration of the repository, against itself, before anything is submitted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from fonderie.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.settings import Environment


def command(as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False) -> None:
    """Check environments, models and pipelines offline.

    Every environment's settings load; every model's file loads; every pipeline of every model compiles, takes the
    parameters that a submission gives it, and names its images by digest where it runs in the cloud. All problems are
    named, not only the first. Leaves with 3 if there is one.

    ```console
    fonderie check
    ```
    """
    from rich.console import Console

    found = list(_findings())
    problems = {what: problem for what, problem in found if problem}
    if as_json:
        print(json.dumps([{"what": what, "problem": problem or None} for what, problem in found], indent=2))
    else:
        console = Console(highlight=False)
        for what, problem in found:
            console.print(f"[bold red]✗[/] {what}: " if problem else f"[green]✓[/] {what}", end="")
            console.print(problem, markup=False)
    raise typer.Exit(int(ExitCode.BAD_INPUT if problems else ExitCode.OK))


def _findings() -> Iterator[tuple[str, str]]:
    """(what was checked, what is wrong with it or nothing)."""
    from fonderie.errors import FonderieError
    from infra.settings import environment_names, load_environment
    from ml.config import list_models, load_model

    environments = []
    for name in environment_names():
        try:
            environments.append(load_environment(name))
            yield f"environment {name}", ""
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
    from ci.engines import training_parameters
    from fonderie.errors import FonderieError
    from ml.data.months import Month
    from pipelines.compile import PIPELINES, compiled
    from pipelines.engines.vertex import check_images, check_parameters

    for pipeline in sorted(PIPELINES):
        what = f"pipeline {pipeline} of {model} in {env.name}"
        try:
            spec = compiled(model, pipeline, str(env.images.pipelines))
            document = spec.read()
            check_images(document, spec.path)
            if pipeline == "training":
                parameters = training_parameters(env, model, Month.parse("2013-04"), "commit")
                check_parameters(document, parameters, where=spec.name)
            yield what, ""
        except FonderieError as error:
            yield what, str(error)
