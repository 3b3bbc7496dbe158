"""A run elsewhere, for a person at a terminal: submitted, found, waited for, told."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fonderie.core.errors import BadInputError

if TYPE_CHECKING:
    from ci.remote.submissions import Submission
    from infra.settings import Environment
    from pipelines.engines import PipelineEngine, Run, TaskRun
    from pipelines.engines.engine import Progress


def run_remotely(
    wanted: Callable[[Environment], Submission],
    engine: str,
    env: str,
    host: str,
    *,
    local_only: Mapping[str, str],
    wait: bool,
    as_json: bool,
) -> None:
    """Submit what is wanted of an environment's engine, and wait for it if asked to.

    `local_only` are options that an environment answers itself, with what was given for them.

    Raises BadInputError for one of these, and all that engines raise.
    """
    from ci.remote.engines import chosen_engine, environment
    from ci.remote.submissions import submit

    if given := [name for name, value in local_only.items() if value]:
        raise BadInputError(
            f"does not apply to {env or engine}, which has its own",
            where=given[0],
            hint=f"leave {', '.join(given)} out",
        )
    runner = chosen_engine(engine, env, host)
    where = environment(env)
    run = submit(runner, where, wanted(where))
    again = same_engine(engine, env, host)
    if not as_json:
        print(_told(run, again), file=sys.stderr)
    if wait:
        run = wait_for(runner, run.id, again, quiet=as_json)
    tell(runner, run, as_json=as_json)


def same_engine(engine: str, env: str, host: str) -> str:
    """The same engine for another command."""
    return f"--engine {engine} --env {env}" + (f" --host {host}" if host else "")


def wait_for(runner: PipelineEngine, run_id: str, again: str, *, quiet: bool) -> Run:
    """Wait with a line a task. Ctrl-C ends the waiting and not the run."""
    try:
        with task_progress(quiet=quiet) as progress:
            return runner.wait(run_id, progress)
    except KeyboardInterrupt:
        print(f"the run continues: fonderie runs wait {run_id} {again}", file=sys.stderr)
        raise


def tell(runner: PipelineEngine, run: Run, *, as_json: bool) -> None:
    """Print what is known of a run, for a machine or a person."""
    if as_json:
        print(run.model_dump_json(indent=2))
    else:
        print(f"{run.id} {run.state}\n{runner.link(run.id)}")


def _told(run: Run, again: str) -> str:
    if run.found:
        return f"{run.id} already exists: the same model, month and code is one run. Nothing was started."
    return f"started {run.id}\nfollow it: fonderie runs wait {run.id} {again}"


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
