"""`fonderie runs`: what ran on this machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pipelines.engines import Run

app = typer.Typer(help="Look at runs.")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_runs(
    model: Annotated[str | None, typer.Option(help="Only runs of this model.")] = None, as_json: AsJson = False
) -> None:
    """Every run, oldest first. A run whose process is gone is marked as interrupted.

    ```console
    fonderie runs list --model air_time
    ```
    """
    from rich.console import Console
    from rich.table import Table

    from pipelines.engines.local import LocalEngine

    runs = [run for run in LocalEngine().list() if model in (None, run.model)]
    if as_json:
        print(json.dumps([_line(run) for run in runs], indent=2))
        return
    table = Table("run", "pipeline", "month", "state", "outcome", "seconds", box=None)
    for run in runs:
        line = _line(run)
        took = f"{run.seconds:.1f}" if run.seconds is not None else ""
        table.add_row(run.id, run.pipeline, line["month"], run.state, line["outcome"], took)
    Console(highlight=False).print(table if runs else "no runs yet: fonderie run training --help")


@app.command()
def show(
    run_id: Annotated[str, typer.Argument(help="A run, by its id.")],
    log: Annotated[bool, typer.Option("--log", help="Print its log.")] = False,
    task: Annotated[str | None, typer.Option(help="With --log: of this task only.")] = None,
    as_json: AsJson = False,
) -> None:
    """One run: its tasks, its decision, where its artefacts are.

    ```console
    fonderie runs show air_time-2013-04-20261122T230102123
    fonderie runs show air_time-2013-04-20261122T230102123 --log --task train
    ```
    """
    from rich.console import Console

    from pipelines.engines.folder import RunFolder
    from pipelines.engines.local import LocalEngine

    engine = LocalEngine()
    run = engine.get(run_id)
    if log:
        print(engine.logs(run_id, task))
        return
    if as_json:
        print(run.model_dump_json(indent=2))
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"[bold]{run.id}[/]  {run.pipeline} of {run.model}: {run.state}, {_line(run)['outcome']}")
    if run.problem:
        console.print(run.problem, markup=False)
    for each in run.tasks:
        console.print(f"  {each.name:<10} {each.state:<10} {each.seconds or 0:6.1f} s")
    for name, path in engine.artefacts(run_id).items():
        console.print(f"  {name:<24} {path}", style="dim")
    console.print(f"folder  {RunFolder(run_id).path}")


def _line(run: Run) -> dict[str, str]:
    """A run in a line of the table."""
    from ml.decision import Decision
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
