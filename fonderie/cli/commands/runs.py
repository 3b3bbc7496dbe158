"""`fonderie runs`: what ran on this machine, or in an environment."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ci.remote.runs import same_engine, tell, wait_for
from fonderie.cli import options
from fonderie.cli.tables import show_table

if TYPE_CHECKING:
    from datetime import datetime

    from pipelines.engines import PipelineEngine, Run

app = typer.Typer(help="Show runs, wait for one, cancel one.")


@app.command("list")
def list_runs(
    model: options.OnlyModel = "",
    last: Annotated[int, typer.Option(help="How many runs, newest first.", min=1)] = 100,
    engine: options.Engine = "local",
    env: options.EngineEnv = "",
    host: options.Host = "",
    as_json: options.AsJson = False,
) -> None:
    """List the newest runs, oldest first. A local run whose process is gone is marked as interrupted.

    ```console
    fonderie runs list air_time
    fonderie runs list --engine vertex --env dev --last 20
    ```
    """
    from ci.remote.engines import chosen_engine

    found = [run for run in chosen_engine(engine, env, host).list(last) if model in ("", run.model)]
    if as_json:
        print(json.dumps([_line(run) for run in found], indent=2))
        return
    table = Table("run", "pipeline", "model", "month", "state", "outcome", "seconds", box=None)
    for run in found:
        line = _line(run)
        took = f"{run.seconds:.1f}" if run.seconds is not None else ""
        table.add_row(run.id, run.pipeline, run.model, line["month"], run.state, line["outcome"], took)
    if found:
        show_table(table)
    else:
        print("no runs yet: fonderie run training MODEL --month MONTH")


@app.command()
def show(
    run_id: options.RunId,
    log: Annotated[bool, typer.Option("--log", help="Print its log; for a remote run, what failed and where.")] = False,
    task: Annotated[str | None, typer.Option(help="With --log: only this task.")] = None,
    engine: options.Engine = "local",
    env: options.EngineEnv = "",
    host: options.Host = "",
    as_json: options.AsJson = False,
) -> None:
    """Show one run: its tasks, its decision, where its artefacts are.

    ```console
    fonderie runs show air_time-2013-04-20261122T230102123
    fonderie runs show air_time-2013-04-20261122T230102123 --log --task train
    fonderie runs show training-air-time-2013-04-1f2e3d4c-5b6a79 --engine vertex --env dev
    ```
    """
    from ci.remote.engines import chosen_engine

    runner = chosen_engine(engine, env, host)
    run = runner.get(run_id)
    if log:
        text = runner.logs(run_id, task)
        print(json.dumps({"run": run_id, "log": text}) if as_json else text)
    elif as_json:
        found = {name: str(path) for name, path in runner.artefacts(run_id).items()}
        print(json.dumps(run.model_dump(mode="json") | {"artefacts": found}, indent=2))
    else:
        _show(runner, run)


@app.command()
def wait(
    run_id: options.RunId,
    engine: options.Engine = "vertex",
    env: options.EngineEnv = "",
    host: options.Host = "",
    as_json: options.AsJson = False,
) -> None:
    """Wait until a remote run is over, from any machine, however often the network fails.

    Exits with 0 when it succeeds, 5 when a task fails or it was cancelled. Ctrl-C stops waiting, not the run.

    ```console
    fonderie runs wait training-air-time-2013-04-1f2e3d4c-5b6a79 --env dev
    ```
    """
    from ci.remote.engines import chosen_engine

    runner = chosen_engine(engine, env, host)
    tell(runner, wait_for(runner, run_id, same_engine(engine, env, host), quiet=as_json), as_json=as_json)


@app.command()
def cancel(
    run_id: options.RunId,
    engine: options.Engine = "local",
    env: options.EngineEnv = "",
    host: options.Host = "",
    as_json: options.AsJson = False,
) -> None:
    """Cancel a run; a finished one stays as it is.

    ```console
    fonderie runs cancel training-air-time-2013-04-1f2e3d4c-5b6a79 --engine vertex --env dev
    ```
    """
    from ci.remote.engines import chosen_engine

    run = chosen_engine(engine, env, host).cancel(run_id)
    print(run.model_dump_json(indent=2) if as_json else f"{run.id} {run.state}")


@app.command()
def schedules(
    engine: options.Engine = "vertex",
    env: options.EngineEnv = "",
    host: options.Host = "",
    as_json: options.AsJson = False,
) -> None:
    """List what starts runs on a schedule: Cloud Scheduler's jobs, or Kubeflow's recurring runs.

    ```console
    fonderie runs schedules --env dev
    ```
    """
    from ci.remote.engines import chosen_engine

    found = chosen_engine(engine, env, host).schedules()
    if as_json:
        print(json.dumps([one.model_dump(mode="json") for one in found], indent=2))
        return
    table = Table("schedule", "pipeline", "model", "cron", "last", "next", "state", box=None)
    for one in found:
        state = "paused" if one.paused else one.problem or "on"
        cron = f"{one.cron} {one.time_zone}"
        table.add_row(one.name, one.pipeline, one.model, cron, _minute(one.last), _minute(one.next), state)
    if found:
        show_table(table)
    else:
        print("no schedules here")


def _minute(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""


def _show(runner: PipelineEngine, run: Run) -> None:
    console = Console(highlight=False, soft_wrap=True)
    outcome = f", {said}" if (said := _line(run)["outcome"]) else ""
    console.print(f"[bold]{run.id}[/]  {run.pipeline} of {run.model}: {run.state}{outcome}")
    if run.problem:
        console.print(run.problem, markup=False)
    for each in run.tasks:
        took = f"{each.seconds:6.1f} s" if each.seconds is not None else ""
        console.print(f"  {each.name:<10} {each.state:<10} {took:>8}  {escape(each.log or '')}".rstrip())
    for name, path in runner.artefacts(run.id).items():
        console.print(f"  {name:<24} {path}", style="dim")
    console.print(f"see     {runner.link(run.id)}")


def _line(run: Run) -> dict[str, str]:
    """A run in a line of the table. The outcome is known where the run's folder is: on the machine that ran it."""
    from ml.evaluation.decision import Decision
    from pipelines.engines.folder import RunFolder

    path = RunFolder(run.id).path / "decision.json"
    outcome = str(Decision.model_validate_json(path.read_text()).outcome) if path.exists() else ""
    return {
        "run": run.id,
        "pipeline": run.pipeline,
        "model": run.model,
        "month": run.parameters.get("month", ""),
        "state": str(run.state),
        "outcome": outcome,
    }
