"""The runner's prints become tasks, times and a tail of the failing task's own words."""

from __future__ import annotations

from pathlib import Path

from pipelines.engines.engine import TaskRun, TaskState
from pipelines.engines.tasklog import TaskLog, tail

PRINTED = """23:08:51.472 - INFO - Executing task \x1b[96m'train'\x1b[0m
    [KFP Executor 2026-11-22 23:08:51,511 INFO]: Got executor_input:
    half a line
23:08:53.472 - INFO - Task \x1b[96m'train'\x1b[0m finished with status \x1b[92mSUCCESS\x1b[0m
23:08:53.473 - INFO - Executing task \x1b[96m'gate'\x1b[0m
    Traceback (most recent call last):
      File "/x/site-packages/kfp/dsl/executor_main.py", line 10, in main
        run()
      File "/x/ml/evaluation/gate.py", line 3, in decide
        raise ValueError("no")
    ValueError: no
23:08:54.000 - ERROR - Task \x1b[96m'gate'\x1b[0m finished with status \x1b[91mFAILURE\x1b[0m
"""


def test_tasks_start_and_end_and_the_first_failure_is_kept(tmp_path: Path) -> None:
    seen: list[TaskRun] = []
    log = TaskLog(tmp_path / "log.txt", seen.append)

    for piece in (PRINTED[:100], PRINTED[100:333], PRINTED[333:]):
        log.write(piece)
    log.close()

    assert [(task.name, task.state) for task in seen] == [
        ("train", TaskState.RUNNING),
        ("train", TaskState.SUCCEEDED),
        ("gate", TaskState.RUNNING),
        ("gate", TaskState.FAILED),
    ]
    assert log.failed == "gate"
    assert log.tail == [
        "Traceback (most recent call last):",
        '  File "/x/ml/evaluation/gate.py", line 3, in decide',
        '    raise ValueError("no")',
        "ValueError: no",
    ]
    assert "\x1b" not in (tmp_path / "log.txt").read_text()


def test_without_a_traceback_the_last_lines_are_the_tail() -> None:
    assert tail(["    one", "", "    two"]) == ["one", "two"]
    assert len(tail([f"line {n}" for n in range(100)])) == 12
