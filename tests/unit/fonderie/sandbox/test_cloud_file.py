import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fonderie.core.errors import BadDataError, BadInputError, ConflictError
from fonderie.sandbox.cloud.cloud import Cloud, ObjectStatus


def test_what_was_written_is_there_for_the_next_process(tmp_path: Path) -> None:
    with Cloud(tmp_path / "c.sqlite") as cloud:
        cloud.put("google_pubsub_topic", "projects/p/topics/t", "p", {"name": "t"})
    with Cloud(tmp_path / "c.sqlite") as cloud:
        assert cloud.live("google_pubsub_topic", "projects/p/topics/t").attributes == {"name": "t"}  # type: ignore[union-attr]


def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    with Cloud(tmp_path / "c.sqlite") as cloud:
        with pytest.raises(RuntimeError, match="half-way"):
            _write_and_fail(cloud)
        assert cloud.things() == []


def _write_and_fail(cloud: Cloud) -> None:
    with cloud.transaction():
        cloud.put("google_pubsub_topic", "projects/p/topics/t", "p", {})
        raise RuntimeError("half-way")


def test_a_deleted_object_is_remembered_but_not_listed(tmp_path: Path) -> None:
    with Cloud(tmp_path / "c.sqlite") as cloud:
        cloud.put("t", "a/b", "p", {})
        cloud.mark("t", "a/b", ObjectStatus.SOFT_DELETED)
        assert cloud.things() == []
        assert cloud.get("t", "a/b").status is ObjectStatus.SOFT_DELETED  # type: ignore[union-attr]


def test_what_lies_under_a_path_has_it_as_a_folder(tmp_path: Path) -> None:
    with Cloud(tmp_path / "c.sqlite") as cloud:
        for path in ("a/b", "a/b/c/d", "a/b/c/d/e/f", "a/bc/d", "a/b0"):
            cloud.put("t", path, "p", {})
        assert [one.path for one in cloud.things(under="a/b")] == ["a/b/c/d", "a/b/c/d/e/f"]


@pytest.mark.parametrize("content", [b"not a database at all", b"SQLite format 3\0" + b"garbage" * 400])
def test_a_corrupt_file_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "c.sqlite"
    file.write_bytes(content)
    with pytest.raises(BadDataError, match=r"corrupt|not a cloud file"):
        Cloud(file)
    assert file.read_bytes() == content


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "c.sqlite"
    with sqlite3.connect(file) as other:
        other.execute("CREATE TABLE mine (a)")
    with pytest.raises(BadInputError, match="another program"):
        Cloud(file)


def test_another_version_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "c.sqlite"
    Cloud(file).close()
    with sqlite3.connect(file) as raw:
        raw.execute("PRAGMA user_version = 99")
    with pytest.raises(BadInputError, match="version 99"):
        Cloud(file)


def test_a_locked_file_is_named_as_such(tmp_path: Path) -> None:
    file = tmp_path / "c.sqlite"
    cloud = Cloud(file, busy_timeout_s=0.05)
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(ConflictError, match="locked"):
        cloud.put("t", "a/b", "p", {})
    holder.execute("ROLLBACK")
    cloud.put("t", "a/b", "p", {})


def test_two_processes_count_without_gaps_or_doubles(tmp_path: Path) -> None:
    file = tmp_path / "c.sqlite"
    Cloud(file).close()
    script = (
        "import sys; from pathlib import Path; from fonderie.sandbox.cloud.cloud import Cloud\n"
        "cloud = Cloud(Path(sys.argv[1])); print(*[cloud.count('n') for _ in range(50)])"
    )
    command = [sys.executable, "-c", script, str(file)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    numbers = [int(word) for one in running for word in one.communicate(timeout=60)[0].split()]
    assert sorted(numbers) == list(range(1, 101))


def test_threads_share_a_cloud(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path / "c.sqlite")
    threads = [threading.Thread(target=lambda n=n: cloud.put("t", f"a/{n}", "p", {})) for n in range(20)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(cloud.things()) == 20


def test_a_projects_number_is_kept_and_no_two_share_one(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path / "c.sqlite")
    cloud.set_number("b", 987654321098)
    assert cloud.number_of("b") == 987654321098
    assert len({cloud.number_of(name) for name in ("a", "b", "c")}) == 3
    assert cloud.project_of(cloud.number_of("c")) == "c"
    with pytest.raises(ConflictError):
        cloud.set_number("b", 1)
    with pytest.raises(ConflictError):
        cloud.set_number("d", 987654321098)
