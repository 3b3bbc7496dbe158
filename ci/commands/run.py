"""`fonderie run`: pipelines, on this machine, on Vertex AI, or on Kubeflow."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.engines import TaskRun
    from pipelines.engines.engine import Progress
    from pipelines.running import Trained
    from pipelines.watching import Watched

app = typer.Typer(help="Run a pipeline.")


@app.callback()
def group() -> None:
    """Run a pipeline."""


@app.command()
def training(
    model: Annotated[str, typer.Option(help="A model, by the name of its file in ml/models.")],
    month: Annotated[str, typer.Option(help="The month to learn from and to be judged on, written 2013-04.")],
    registry: Annotated[str, typer.Option(help="Folder of the registry; the one under .fonderie by default.")] = "",
    engine: Annotated[str, typer.Option(help="local, vertex or kubeflow.")] = "local",
    env: Annotated[str, typer.Option(help="The environment whose Vertex AI or Kubeflow runs it.")] = "",
    wait: Annotated[bool, typer.Option("--wait", help="Of a remote run: wait until it is over.")] = False,
    host: Annotated[str, typer.Option(help="Where Kubeflow answers.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print what came of it as JSON.")] = False,
) -> None:
    """Train a challenger on the months up to this one, judge it on the last days, promote it or keep the champion.

    Leaves with 0 whether the gate promotes or keeps; 3 for a model that is not there, 4 for a month without data,
    5 when a task fails.

    ```console
    fonderie run training --model air_time --month 2013-04
    fonderie run training --model air_time --month 2013-04 --engine vertex --env dev --wait
    ```
    """
    if engine != "local":
        remote_training(model, month, engine, env, host, wait=wait, as_json=as_json)
        return
    from ml.data.months import Month
    from pipelines.running import train

    with task_progress(quiet=as_json) as progress:
        done = train(model, Month.parse(month), registry=registry, progress=progress)
    if as_json:
        print(done.model_dump_json(indent=2))
    else:
        show(done)


@app.command()
def batch(
    model: Annotated[str, typer.Option(help="A model, by the name of its file in ml/models.")],
    month: Annotated[str, typer.Option(help="The month to predict, written 2013-05.")],
    version: Annotated[str, typer.Option(help="A number or an alias; the champion by default.")] = "",
    registry: Annotated[str, typer.Option(help="Folder of the registry; the one under .fonderie by default.")] = "",
) -> None:
    """Predict a month in a pipeline, as it runs on Vertex AI; `fonderie predict` does the same without one.

    ```console
    fonderie run batch --model air_time --month 2013-05
    ```
    """
    from pipelines.batching import run_batch

    with task_progress(quiet=False) as progress:
        print(run_batch(model, month, version=version, registry=registry, progress=progress))


def remote_training(model: str, month: str, engine: str, env: str, host: str, *, wait: bool, as_json: bool) -> None:
    """Submit a training to an environment's engine, and wait for it if asked to."""
    import os

    from ci.engines import EngineName, environment, open_engine, submit_training
    from fonderie.errors import BadInputError
    from ml.data.months import Month
    from pipelines.running import commit

    if engine not in set(EngineName):
        raise BadInputError(f"{engine!r} is no engine", where="--engine", hint=f"one of {', '.join(EngineName)}")
    where = environment(env)
    runner = open_engine(
        EngineName(engine), where, model, host=host, endpoint=os.environ.get("FONDERIE_GOOGLE_ENDPOINT", "")
    )
    run = submit_training(runner, where, model, Month.parse(month), commit())
    if wait:
        with task_progress(quiet=as_json) as progress:
            run = runner.wait(run.id, progress)
    if as_json:
        print(run.model_dump_json(indent=2))
    else:
        print(f"{run.id} is {run.state} on {engine} of {env}\n{runner.logs(run.id).splitlines()[-1]}")


@app.command()
def monitoring(
    model: Annotated[str, typer.Option(help="A model, by the name of its file in ml/models.")],
    month: Annotated[str, typer.Option(help="The month to compare with the champion's reference, written 2013-05.")],
    retrain: Annotated[bool, typer.Option("--retrain", help="Train at once when the trigger says so.")] = False,
    registry: Annotated[str, typer.Option(help="Folder of the registry; the one under .fonderie by default.")] = "",
    history: Annotated[str, typer.Option(help="Folder of verdicts and decisions; under .fonderie by default.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print what came of it as JSON.")] = False,
) -> None:
    """Compare a month with the champion's reference, and decide whether to train again.

    Leaves with 0 whatever is decided; 3 without a champion, 4 for a month without data, 5 when a task fails, 6 while
    another loop is at work.

    ```console
    fonderie run monitoring --model air_time --month 2013-05
    fonderie run monitoring --model air_time --month 2013-05 --retrain
    ```
    """
    from ml.data.months import Month
    from pipelines.watching import turn

    with task_progress(quiet=as_json) as progress:
        done = turn(model, Month.parse(month), registry=registry, history=history, retrain=retrain, progress=progress)
    if as_json:
        print(done.model_dump_json(indent=2))
    else:
        show_watched(done)


@contextmanager
def task_progress(*, quiet: bool) -> Iterator[Progress]:
    """A line a task on stderr: a spinner while it runs, its seconds when it is over."""
    from rich.console import Console

    console = Console(stderr=True, quiet=quiet, highlight=False)
    with console.status("starting") as status:

        def progress(task: TaskRun) -> None:
            if task.seconds is None:
                status.update(task.name)
            else:
                sign = "[green]✓[/]" if task.state == "succeeded" else "[red]✗[/]"
                console.print(f"{sign} {task.name:<10} {task.seconds:5.1f} s")

        yield progress


def show(done: Trained) -> None:
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


def show_watched(done: Watched) -> None:
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
