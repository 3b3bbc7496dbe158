"""Pipelines on this machine: Kubeflow's own local runner, a process a task, no virtual environments, no cache.

The runner starts a shell a task and leaves it behind when it is interrupted: what a run started is ended with it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fonderie.core.errors import StepFailedError
from fonderie.core.home import home
from pipelines.compile import CompiledSpec
from pipelines.engines.engine import Progress, Run, RunState, Schedule, TaskRun
from pipelines.engines.folder import RunFolder, run_ids
from pipelines.engines.tasklog import TaskLog

IMAGE = "python"
"""Named in local specs; the runner runs tasks in this interpreter."""


class LocalEngine:
    """Runs pipelines on this machine: `submit` writes the run's folder, `wait` executes it with kfp's local runner."""

    def submit(self, spec: CompiledSpec, run_id: str, parameters: dict[str, str]) -> Run:
        """Create the run's folder, not yet executed. Raises ConflictError if the run already exists."""
        run = Run(
            id=run_id,
            pipeline=spec.pipeline,
            model=spec.model,
            parameters=parameters,
            spec_sha256=spec.sha256,
            state=RunState.RUNNING,
            started=datetime.now(UTC),
            process=os.getpid(),
        )
        RunFolder(run_id).create(run, spec.path)
        return run

    def wait(self, run_id: str, progress: Progress | None = None) -> Run:
        """Execute the run if this process submitted it. Raises StepFailedError: task, error and output."""
        folder = RunFolder(run_id)
        run = folder.read()
        if run.state.over or run.process != os.getpid():
            return run
        log = TaskLog(folder.log, progress or _silent)
        others = descendants(os.getpid())
        try:
            with _environment(), _signals():
                _execute(folder, run.parameters, log)
        except KeyboardInterrupt:
            end_descendants(but=others)
            folder.finish(_with_tasks(run, log), RunState.INTERRUPTED, "stopped by the user")
            raise
        except _RUNNER_ERRORS as error:
            problem = _problem(folder, log, error)
            folder.finish(_with_tasks(run, log), RunState.FAILED, str(problem))
            raise problem from None
        finally:
            log.close()
        return folder.finish(_with_tasks(run, log), RunState.SUCCEEDED)

    def logs(self, run_id: str, task: str | None = None) -> str:
        """The run's log, or the part of one task. Raises BadInputError for an unknown run."""
        folder = RunFolder(run_id)
        folder.read()
        text = folder.log.read_text()
        if task is None:
            return text
        part = text.partition(f"Executing task '{task}'")[2]
        return part.partition("Executing task '")[0]

    def link(self, run_id: str) -> str:
        """Path of the run's folder."""
        return str(RunFolder(run_id).path)

    def cancel(self, run_id: str) -> Run:
        """Send SIGTERM to the run's process and mark the run as cancelled."""
        folder = RunFolder(run_id)
        run = folder.read()
        if not run.state.over and run.process and run.process != os.getpid():
            os.kill(run.process, signal.SIGTERM)
        return run if run.state.over else folder.finish(run, RunState.CANCELLED, "cancelled")

    def get(self, run_id: str) -> Run:
        """Read the run's status from its folder. Raises BadInputError for an unknown run."""
        return RunFolder(run_id).read()

    def list(self, last: int | None = None) -> tuple[Run, ...]:
        """The `last` runs of this machine, or all, oldest first."""
        ids = run_ids() if last is None else run_ids()[-last:]
        return tuple(RunFolder(run_id).read() for run_id in ids)

    def artefacts(self, run_id: str) -> dict[str, Path]:
        """`task/output` -> the file or folder it was written to."""
        folder = RunFolder(run_id)
        folder.read()
        return folder.artefacts()

    def schedules(self) -> tuple[Schedule, ...]:
        """Always empty: this engine has no schedules."""
        return ()


_RUNNER_ERRORS = (RuntimeError, ValueError, KeyError, OSError)
"""What kfp's runner raises: RuntimeError for a failed task, the others for a spec or a disk it cannot work with."""


def _execute(folder: RunFolder, parameters: dict[str, str], log: TaskLog) -> None:
    """Run the spec with everything that is printed going to `log`."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(log):
        warnings.simplefilter("ignore")
        from kfp import components, local

        spec = local_spec(json.loads(folder.spec.read_bytes()))
        local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(folder.root), raise_on_error=True)
        components.load_component_from_text(json.dumps(spec))(**parameters)


def local_spec(spec: dict[str, Any]) -> dict[str, Any]:
    """The spec without what only a cluster can do: machine sizes, and retries with their waiting."""
    for executor in spec["deploymentSpec"]["executors"].values():
        executor["container"].pop("resources", None)
    dags = [spec["root"], *spec["components"].values()]
    for dag in dags:
        for task in dag.get("dag", {}).get("tasks", {}).values():
            task.pop("retryPolicy", None)
    return spec


def _problem(folder: RunFolder, log: TaskLog, error: Exception) -> StepFailedError:
    """The failed task's own words, once."""
    if log.failed is None:
        return StepFailedError(f"the runner stopped: {error}", where=folder.id, hint=f"see {folder.log}")
    left = list(folder.root.glob(f"*/{log.failed}"))
    words = "\n".join(log.tail)
    return StepFailedError(
        f"failed\n{words}", where=f"task {log.failed}", hint=f"artefacts: {left[0] if left else folder.root}"
    )


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    """What tasks inherit: the same home wherever they start, one thread each, compiled Python kept."""
    before = dict(os.environ)
    os.environ["FONDERIE_HOME"] = str(home())
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), before.get("PYTHONPATH")]))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """SIGTERM stops a run as Ctrl-C does: its folder says so."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _with_tasks(run: Run, log: TaskLog) -> Run:
    return run.model_copy(update={"tasks": tuple(log.tasks.values())})


def _silent(_: TaskRun) -> None:
    """No progress is wanted."""


def descendants(process: int) -> set[int]:
    """Children of `process`, their children and so on. Empty where there is no /proc: Ctrl-C reaches them there."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended in the meantime
            after_name = stat.read_text().rpartition(")")[2].split()
            parents[int(stat.parent.name)] = int(after_name[1])
    found: set[int] = set()
    grown = {process}
    while grown:
        grown = {child for child, parent in parents.items() if parent in grown} - found
        found |= grown
    return found


def end_descendants(*, but: set[int]) -> None:
    """Kill what this process has started, except those that were there before the run."""
    for child in descendants(os.getpid()) - but:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
