"""`fonderie run`: pipelines, on this machine, on Vertex AI, or on Kubeflow."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from ci.remote.runs import run_remotely, task_progress

if TYPE_CHECKING:
    from pipelines.monitoring.run import MonitoringResult
    from pipelines.training.run import TrainingResult

app = typer.Typer(help="Run a pipeline.")

Model = Annotated[str, typer.Option(help="A model, by the name of its file in ml/models.")]
Registry = Annotated[str, typer.Option(help="Folder of the registry; default: the one under .fonderie.")]
OfEngine = Annotated[str, typer.Option("--engine", help="Where to run: local, vertex or kubeflow.")]
OfEnv = Annotated[str, typer.Option("--env", help="The environment whose Vertex AI or Kubeflow to use.")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait until a remote run is over.")]
Host = Annotated[str, typer.Option(help="Address of Kubeflow Pipelines; default: http://127.0.0.1:8080.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")]


@app.callback()
def group() -> None:
    """Run a pipeline."""


@app.command()
def training(
    model: Model,
    month: Annotated[str, typer.Option(help="The month to train and evaluate on, such as 2013-04.")],
    registry: Registry = "",
    engine: OfEngine = "local",
    env: OfEnv = "",
    wait: Wait = False,
    host: Host = "",
    as_json: AsJson = False,
) -> None:
    """Train a challenger on the months up to this one, evaluate it on the last days, promote it or keep the champion.

    Exits with 0 whether the gate promotes or keeps; 3 for an unknown model, 4 for a month without data,
    5 when a task fails. On a remote engine the same model, month and code is one run, however often it is asked for;
    one that failed is started again.

    ```console
    fonderie run training --model air_time --month 2013-04
    fonderie run training --model air_time --month 2013-04 --engine vertex --env dev --wait
    ```
    """
    from ml.datasets.months import Month
    from pipelines.training.run import commit, train

    of = Month.parse(month)
    if engine != "local" or env:
        from ci.remote import submissions

        run_remotely(
            lambda where: submissions.training(where, model, of, commit()),
            *(engine, env, host),
            local_only={"--registry": registry},
            wait=wait,
            as_json=as_json,
        )
        return
    with task_progress(quiet=as_json) as progress:
        done = train(model, of, registry=registry, progress=progress)
    if as_json:
        print(done.model_dump_json(indent=2))
    else:
        show(done)


@app.command()
def batch(
    model: Model,
    month: Annotated[str, typer.Option(help="The month to predict, such as 2013-05.")],
    version: Annotated[str, typer.Option(help="A version, by number or alias; default: the champion.")] = "",
    registry: Registry = "",
    engine: OfEngine = "local",
    env: OfEnv = "",
    wait: Wait = False,
    host: Host = "",
    as_json: AsJson = False,
) -> None:
    """Predict a month in a pipeline; `fonderie predict` does the same without one.

    ```console
    fonderie run batch --model air_time --month 2013-05
    fonderie run batch --model air_time --month 2013-05 --engine vertex --env dev
    ```
    """
    from datetime import UTC, datetime

    from ml.datasets.months import Month
    from pipelines.batch.run import run_batch

    of = Month.parse(month)
    if engine != "local" or env:
        from ci.remote import submissions

        run_remotely(
            lambda where: submissions.batch(where, model, of, datetime.now(UTC), version),
            *(engine, env, host),
            local_only={"--registry": registry},
            wait=wait,
            as_json=as_json,
        )
        return
    with task_progress(quiet=as_json) as progress:
        done = run_batch(model, month, version=version, registry=registry, progress=progress)
    print(json.dumps({"predictions": str(done)}) if as_json else done)


@app.command()
def monitoring(
    model: Model,
    month: Annotated[str, typer.Option(help="The month to compare with the champion's reference, such as 2013-05.")],
    retrain: Annotated[bool, typer.Option("--retrain", help="Train when the trigger decides so.")] = False,
    registry: Registry = "",
    history: Annotated[
        str, typer.Option(help="Folder of verdicts and decisions; default: the one under .fonderie.")
    ] = "",
    engine: OfEngine = "local",
    env: OfEnv = "",
    wait: Wait = False,
    host: Host = "",
    as_json: AsJson = False,
) -> None:
    """Compare a month with the champion's reference, and decide whether to train again.

    Exits with 0 whatever is decided; 3 without a champion, 4 for a month without data, 5 when a task fails, 6 while
    another loop is running.

    ```console
    fonderie run monitoring --model air_time --month 2013-05
    fonderie run monitoring --model air_time --month 2013-05 --retrain
    fonderie run monitoring --model air_time --month 2013-05 --engine vertex --env dev
    ```
    """
    from datetime import UTC, datetime

    from ml.datasets.months import Month
    from pipelines.monitoring.run import run_monitoring

    of = Month.parse(month)
    if engine != "local" or env:
        from ci.remote import submissions

        run_remotely(
            lambda where: submissions.monitoring(where, model, of, datetime.now(UTC), retrain=retrain),
            *(engine, env, host),
            local_only={"--registry": registry, "--history": history},
            wait=wait,
            as_json=as_json,
        )
        return
    with task_progress(quiet=as_json) as progress:
        done = run_monitoring(model, of, registry=registry, history=history, retrain=retrain, progress=progress)
    if as_json:
        print(done.model_dump_json(indent=2))
    else:
        show_watched(done)


def show(done: TrainingResult) -> None:
    """What came of a training run, for a person."""
    from rich.console import Console

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


def show_watched(done: MonitoringResult) -> None:
    """What came of a monitoring run, for a person."""
    from rich.console import Console

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
        console.print(f"next    fonderie run training --model {seen.model} --month {decision.month}, or --retrain")
    console.print(f"report  {done.report}")
