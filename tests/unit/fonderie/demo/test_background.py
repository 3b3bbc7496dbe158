"""What runs beside the demo's steps: its result, its error, and that nothing of it is left."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fonderie.core.errors import ConflictError
from fonderie.demo.background import beside

ROOT = Path(__file__).parents[4]


def double(number: int) -> int:
    print(f"doubling {number}")
    return 2 * number


def fail(where: str) -> None:
    raise ConflictError("somebody else does it", where=where, hint="wait")


def sleep_noting(file: Path) -> None:
    file.write_text(str(os.getpid()))
    time.sleep(60)


def noted(file: Path) -> int:
    """The process that `sleep_noting` runs in, once it does."""
    deadline = time.monotonic() + 20
    while not (file.exists() and file.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return int(file.read_text())


def gone(process: int) -> bool:
    deadline = time.monotonic() + 10
    while Path(f"/proc/{process}").exists():
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        if state == "Z":  # dead, and not yet collected
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_results_and_errors_come_when_they_are_asked_for_and_the_screen_stays_clean(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with beside(tmp_path / "log") as aside:
        first, second, third = aside.begin(double, 4), aside.begin(fail, "here"), aside.begin(double, 5)

        assert first.result().result == 8
        assert first.result().seconds >= 0
        with pytest.raises(ConflictError, match="somebody else") as caught:
            second.result()
        assert third.result().result == 10

    assert (caught.value.where, caught.value.hint) == ("here", "wait")
    assert (tmp_path / "log").read_text() == "doubling 4\ndoubling 5\n"
    assert capfd.readouterr() == ("", "")


def test_what_is_unfinished_when_a_step_fails_is_ended(tmp_path: Path) -> None:
    def demo() -> None:
        with beside(tmp_path / "log") as aside:
            aside.begin(sleep_noting, tmp_path / "pid")
            noted(tmp_path / "pid")
            fail("a step")

    with pytest.raises(ConflictError):
        demo()

    assert gone(noted(tmp_path / "pid"))


def test_it_ends_with_the_demo_even_when_that_is_killed(tmp_path: Path) -> None:
    text = f"""
from pathlib import Path
from fonderie.demo.background import beside
from tests.unit.fonderie.demo.test_background import sleep_noting
if __name__ == "__main__":
    with beside(Path({str(tmp_path / "log")!r})) as aside:
        aside.begin(sleep_noting, Path({str(tmp_path / "pid")!r})).result()
"""
    script = tmp_path / "demo.py"
    script.write_text(text)
    with subprocess.Popen([sys.executable, script], env=os.environ | {"PYTHONPATH": str(ROOT)}) as demo:
        process = noted(tmp_path / "pid")
        demo.send_signal(signal.SIGKILL)

    assert gone(process)
