"""Waiting for a run that goes on elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fonderie.core.errors import FonderieError, MissingToolError, StepFailedError
from pipelines.engines.engine import Progress, Run, RunState, TaskState

FIRST_PAUSE_S, LONGEST_PAUSE_S, GROWTH = 2.0, 30.0, 1.3
UNREACHED_TRIES = 10  # a network that is cut for minutes does not end the waiting
UNREACHED = (StepFailedError, MissingToolError)


def wait_until_over(
    run_id: str,
    look: Callable[[], Run],
    *,
    page: Callable[[], str],
    pause: Callable[[float], None],
    progress: Progress | None,
) -> Run:
    """Look at a run until it is over, less and less often, and tell each task once a state.

    `page` is where a person sees the run. A network that fails meanwhile is waited for.

    Raises:
        StepFailedError: the run failed or was cancelled, or could not be seen any more.
    """
    told: dict[str, TaskState] = {}
    for seconds in _pauses():
        run = _patiently(run_id, look, pause)
        for task in run.tasks:
            if progress and told.get(task.name) is not task.state:
                progress(task)
            told[task.name] = task.state
        if run.state.over:
            break
        pause(seconds)
    if run.state is not RunState.SUCCEEDED:
        raise failure(run, page())
    return run


def failure(run: Run, page: str) -> StepFailedError:
    """What a run that is over without success tells: the task, its words, its log."""
    failed = next((task for task in run.tasks if task.state is TaskState.FAILED and task.problem), None)
    where, problem, log = f"run {run.id}", run.problem or str(run.state), page
    if failed and failed.problem:
        where, problem, log = f"task {failed.name} of {where}", failed.problem, failed.log or page
    return StepFailedError(problem, where=where, hint=f"its log: {log}")


def _patiently(run_id: str, look: Callable[[], Run], pause: Callable[[float], None]) -> Run:
    problem: FonderieError | None = None
    for _ in range(UNREACHED_TRIES):
        try:
            return look()
        except UNREACHED as error:
            problem = error
            pause(LONGEST_PAUSE_S)
    raise StepFailedError(
        f"the run can no longer be read: {problem.what if problem else ''}",
        where=f"run {run_id}",
        hint=f"it goes on by itself: wait again with `fonderie runs wait {run_id}`",
    )


def _pauses() -> Iterator[float]:
    pause = FIRST_PAUSE_S
    while True:
        yield pause
        pause = min(pause * GROWTH, LONGEST_PAUSE_S)
