"""`fonderie run`: pipelines, on this machine, on Vertex AI, or on Kubeflow."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.console import Console

from ci.remote.runs import run_remotely, task_progress
from fonderie.cli import options
from ml.datasets.months import Month

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import BaseModel

    from ci.remote.submissions import Submission
    from infra.settings import Environment
    from pipelines.engines.engine import Progress
    from pipelines.monitoring.run import MonitoringResult
    from pipelines.training.run import TrainingResult

app = typer.Typer(help="Run a pipeline.")

Wait = Annotated[bool, typer.Option("--wait", help="Wait until a remote run is over.")]
Result = TypeVar("Result")


@dataclass(frozen=True)
class _Request:
    """Where a pipeline is asked to run, and how its result is printed."""

    engine: str
    env: str
    host: str
    wait: bool
    as_json: bool

    def run(
        self,
        here: Callable[[Progress], Result],
        there: Callable[[Environment], Submission],
        *,
        local_only: Mapping[str, str],
        show: Callable[[Result], None],
        dump: Callable[[Result], str],
    ) -> None:
        """Run `here` and print the result, or submit `there` to an environment's engine.

        `local_only` are options that an environment answers itself, with what was given for them.
        """
        if self.engine != "local" or self.env:
            where = (self.engine, self.env, self.host)
            run_remotely(there, *where, local_only=local_only, wait=self.wait, as_json=self.as_json)
            return
        with task_progress(quiet=self.as_json) as progress:
            result = here(progress)
        if self.as_json:
            print(dump(result))
        else:
            show(result)


@app.command()
def training(
    model: options.Model,
    month: options.Month,
    registry: options.Registry = "",
    engine: options.Engine = "local",
    env: options.EngineEnv = "",
    wait: Wait = False,
    host: options.Host = "",
    as_json: options.AsJson = False,
) -> None:
    """Train a challenger on the months up to this one, evaluate it on the last days, promote it or keep the champion.

    Exits with 0 whether the gate promotes or keeps; 3 for an unknown model, 4 for a month without data,
    5 when a task fails. On a remote engine the same model, month and code is one run, however often it is asked for;
    one that failed is started again.

    ```console
    fonderie run training air_time --month 2013-04
    fonderie run training air_time --month 2013-04 --engine vertex --env dev --wait
    ```
    """
    from ci.remote import submissions
    from pipelines.training.run import commit, train

    of = Month.parse(month)
    _Request(engine, env, host, wait, as_json).run(
        lambda progress: train(model, of, registry=registry, progress=progress),
        lambda where: submissions.training(where, model, of, commit()),
        local_only={"--registry": registry},
        show=_show_training,
        dump=_dump,
    )


@app.command()
def batch(
    model: options.Model,
    month: options.Month,
    version: options.Version = "",
    registry: options.Registry = "",
    engine: options.Engine = "local",
    env: options.EngineEnv = "",
    wait: Wait = False,
    host: options.Host = "",
    as_json: options.AsJson = False,
) -> None:
    """Predict a month in a pipeline, by the champion or `--version`; `fonderie predict` does the same without one.

    ```console
    fonderie run batch air_time --month 2013-05
    fonderie run batch air_time --month 2013-05 --engine vertex --env dev
    ```
    """
    from ci.remote import submissions
    from pipelines.batch.run import run_batch

    of = Month.parse(month)
    _Request(engine, env, host, wait, as_json).run(
        lambda progress: run_batch(model, month, version=version, registry=registry, progress=progress),
        lambda where: submissions.batch(where, model, of, datetime.now(UTC), version),
        local_only={"--registry": registry},
        show=print,
        dump=_dump_folder,
    )


@app.command()
def monitoring(
    model: options.Model,
    month: options.Month,
    retrain: Annotated[bool, typer.Option("--retrain", help="Train when the trigger decides so.")] = False,
    registry: options.Registry = "",
    history: options.History = "",
    engine: options.Engine = "local",
    env: options.EngineEnv = "",
    wait: Wait = False,
    host: options.Host = "",
    as_json: options.AsJson = False,
) -> None:
    """Compare a month with the champion's reference, and decide whether to train again.

    Exits with 0 whatever is decided; 3 without a champion, 4 for a month without data, 5 when a task fails, 6 while
    another loop is running.

    ```console
    fonderie run monitoring air_time --month 2013-05
    fonderie run monitoring air_time --month 2013-05 --retrain
    fonderie run monitoring air_time --month 2013-05 --engine vertex --env dev
    ```
    """
    from ci.remote import submissions
    from pipelines.monitoring.run import run_monitoring

    of = Month.parse(month)
    _Request(engine, env, host, wait, as_json).run(
        lambda progress: run_monitoring(
            model, of, registry=registry, history=history, retrain=retrain, progress=progress
        ),
        lambda where: submissions.monitoring(where, model, of, datetime.now(UTC), retrain=retrain),
        local_only={"--registry": registry, "--history": history},
        show=_show_monitoring,
        dump=_dump,
    )


def _dump(result: BaseModel) -> str:
    return result.model_dump_json(indent=2)


def _dump_folder(folder: Path) -> str:
    return json.dumps({"predictions": str(folder)})


def _show_training(done: TrainingResult) -> None:
    console = Console(highlight=False, soft_wrap=True)
    ours, theirs = done.evaluation.challenger, done.evaluation.champion
    beside = f", champion {theirs.metric:.3f}" if theirs and theirs.metric is not None else ", no champion before"
    score = "none" if ours.metric is None else f"{ours.metric:.3f}"
    console.print(f"{done.evaluation.metric} on {ours.rows:,} held-out rows: challenger {score}{beside}")
    if done.version:
        console.print(f"[bold green]promote[/]  {done.version} is champion of {done.run.model}")
    else:
        console.print(f"[bold yellow]keep[/]  {'; '.join(done.decision.reasons)}", markup=True)
    console.print(f"run     {done.run.id}, {done.run.seconds:.1f} s")
    console.print(f"report  {done.report}")


def _show_monitoring(done: MonitoringResult) -> None:
    console = Console(highlight=False, soft_wrap=True)
    seen, decision = done.verdict, done.decision
    if seen.error is not None:
        console.print(f"error {seen.error:.3f}, at its gate {seen.gate_error:.3f} ({seen.labelled_rows:,} rows)")
    for finding in (*seen.blocked, *seen.alarms):
        console.print(f"[red]{finding.severity}[/]  {finding.kind}: {finding.subject} {finding.reason}")
    console.print(f"[bold]{decision.action}[/]  {'; '.join(decision.reasons)}")
    if done.retrained:
        made = f"{done.version} is champion" if done.version else "; ".join(done.retrained.reasons)
        console.print(f"[bold]{done.retrained.outcome}[/]  {made}")
    elif decision.action == "retrain":
        console.print(f"next    fonderie run training {seen.model} --month {decision.month}, or --retrain")
    console.print(f"report  {done.report}")
