"""A registry survives `kill -9` at every step, a full disk, and two writers at once."""

from __future__ import annotations

import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import FrameType

import pytest

from fonderie.core.errors import BadDataError, BadInputError, ConflictError, FonderieError, StepFailedError
from ml.registry import Alias, Registry, open_registry
from tests.contract.registry.candidates import NOW, make_candidate

KILLED = -int(signal.SIGKILL)
OURS = ("registry/local.py", "fonderie/core/files.py")
THEIRS = {
    "write_text",
    "write_bytes",
    "copyfile",
    "copyfileobj",
    "_rmtree_safe_fd",
    "rename",
    "replace",
    "mkdtemp",
    "unlink",
}
"""Functions of pathlib, shutil and tempfile that change files."""


def in_child(action: Callable[[], None]) -> int:
    """Run `action` in a forked process; 0 if it came to its end, 6 on ConflictError, minus the signal if killed."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            action()
            code = 0
        except FonderieError as error:
            code = int(error.exit_code)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_at(step: int, action: Callable[[], object]) -> Callable[[], None]:
    """`action`, killed by SIGKILL just before the `step`th line it runs of the registry or of what moves its files."""
    left = step

    def trace(frame: FrameType, event: str, argument: object) -> Callable[..., object] | None:
        nonlocal left
        code = frame.f_code
        if not (code.co_filename.endswith(OURS) or code.co_name in THEIRS):
            return None
        if event == "line":
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    def run() -> None:
        sys.settrace(trace)
        action()

    return run


def at_every_step(
    prepare: Callable[[], None], action: Callable[[], object], check: Callable[[], None], steps: Sequence[int]
) -> int:
    """Kill `action` at each of these steps until it comes through; `check` after each. How many steps there are."""
    for step in steps:
        prepare()
        code = in_child(killed_at(step, action))
        assert code in {KILLED, 0}
        check()
        if code == 0:
            return step - 1
    raise AssertionError("never came to its end")


@pytest.fixture
def steps(sample: Callable[[Sequence[int], int], Sequence[int]]) -> Sequence[int]:
    """The steps to be killed at: each, or in `make test` every seventh."""
    return sample(range(1, 2000), 7)


def whole(registry: Registry) -> None:
    """Every version has a record and the files it names; the aliases point to versions."""
    for record in registry.list():
        folder = registry.get(record.version).folder
        assert {path.name for path in folder.iterdir()} == {*record.files, "model_record.json"}
    assert set(registry.aliases().current.values()) <= {record.version for record in registry.list()}


def drafts(root: Path) -> list[str]:
    return [path.name for path in root.rglob(".*") if path.name != ".lock"]


@pytest.mark.prove
def test_a_kill_at_any_step_of_register_leaves_a_whole_version_or_none(tmp_path: Path, steps: Sequence[int]) -> None:
    root = tmp_path / "registry"
    registry = open_registry("air_time", str(root))
    candidate = make_candidate(tmp_path / "one", "one")
    registry.register(candidate, tmp_path / "one", who="test", now=NOW)
    second = make_candidate(tmp_path / "two", "two")

    def register() -> None:
        registry.register(second, tmp_path / "two", who="test", now=NOW)

    def check() -> None:
        whole(registry)
        assert registry.get(1).record.run_id == "run-one"
        assert len(registry.list()) <= 2

    assert at_every_step(lambda: None, register, check, steps) > 50
    register()
    assert [record.run_id for record in registry.list()] == ["run-one", "run-two"]
    assert registry.aliases().at(Alias.CHALLENGER) == 2
    assert drafts(root) == []


@pytest.mark.prove
def test_a_kill_at_any_step_of_promote_leaves_the_old_champion_or_the_new(tmp_path: Path, steps: Sequence[int]) -> None:
    root = tmp_path / "registry"
    registry = open_registry("air_time", str(root))
    for name in ("one", "two"):
        registry.register(make_candidate(tmp_path / name, name), tmp_path / name, who="test", now=NOW)
    registry.promote(1, None, reason="first", who="test", now=NOW)
    before, after = {Alias.CHAMPION: 1, Alias.CHALLENGER: 2}, {Alias.CHAMPION: 2, Alias.PREVIOUS_CHAMPION: 1}

    def prepare() -> None:
        if registry.aliases().current == after:
            registry.rollback(reason="again", who="test", now=NOW)
            before.pop(Alias.CHALLENGER, None)
            before[Alias.PREVIOUS_CHAMPION] = 2

    def check() -> None:
        whole(registry)
        assert registry.aliases().current in (before, after)

    promote = partial(registry.promote, 2, 1, reason="better", who="test", now=NOW)
    assert at_every_step(prepare, promote, check, steps) > 50
    assert registry.aliases().current == after
    registry.rollback(reason="alarm", who="test", now=NOW)
    assert drafts(root) == []


def test_of_two_processes_that_promote_at_once_one_wins_and_the_other_is_told(tmp_path: Path) -> None:
    registry = open_registry("air_time", str(tmp_path / "registry"))
    for name in ("one", "two", "three"):
        registry.register(make_candidate(tmp_path / name, name), tmp_path / name, who="test", now=NOW)
    registry.promote(1, None, reason="first", who="test", now=NOW)
    start, go = os.pipe()

    def promote(version: int) -> int:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.read(start, 1)
                registry.promote(version, 1, reason="race", who=str(version), now=NOW)
                code = 0
            except ConflictError as error:
                code = int(error.exit_code)
            finally:
                os._exit(code)
        return child

    children = {version: promote(version) for version in (2, 3)}
    os.write(go, b"go")
    codes = {version: os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for version, pid in children.items()}

    assert sorted(codes.values()) == [0, 6]
    winner = next(version for version, code in codes.items() if code == 0)
    assert registry.aliases().current[Alias.CHAMPION] == winner
    assert registry.aliases().current[Alias.PREVIOUS_CHAMPION] == 1


def test_processes_that_register_at_once_get_numbers_of_their_own(tmp_path: Path) -> None:
    registry = open_registry("air_time", str(tmp_path / "registry"))
    children = []
    for name in "abcd":
        candidate = make_candidate(tmp_path / name, name)
        child = os.fork()
        if child == 0:
            try:
                registry.register(candidate, tmp_path / name, who="test", now=NOW)
            finally:
                os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)

    whole(registry)
    assert [record.version for record in registry.list()] == [1, 2, 3, 4]
    assert {record.run_id for record in registry.list()} == {f"run-{name}" for name in "abcd"}


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    root = tmp_path / "registry"
    registry = open_registry("air_time", str(root))
    candidate = make_candidate(tmp_path / "one", "one")

    def register_with_no_room() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        registry.register(candidate, tmp_path / "one", who="test", now=NOW)

    assert in_child(register_with_no_room) == int(StepFailedError.exit_code)
    assert registry.list() == ()
    assert drafts(root) == []


def test_a_truncated_record_or_alias_file_is_named(tmp_path: Path) -> None:
    registry = open_registry("air_time", str(tmp_path / "registry"))
    registry.register(make_candidate(tmp_path / "one", "one"), tmp_path / "one", who="test", now=NOW)
    record = registry.get(1).folder / "model_record.json"
    record.write_text(record.read_text()[:100])
    aliases = record.parents[1] / "aliases.json"
    aliases.write_text("{")

    with pytest.raises(BadDataError, match=r"v001/model_record\.json"):
        registry.get(1)
    with pytest.raises(BadDataError, match=r"aliases\.json"):
        registry.aliases()


@pytest.mark.parametrize("name", ["../x", "", "A", "a/b", "x" * 41])
def test_a_name_that_is_no_model_cannot_leave_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInputError):
        open_registry(name, str(tmp_path))


def test_a_place_that_is_no_registry_is_said() -> None:
    with pytest.raises(BadInputError, match="s3://bucket"):
        open_registry("air_time", "s3://bucket")
