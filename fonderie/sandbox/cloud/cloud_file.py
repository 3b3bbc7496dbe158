"""One SQLite file, opened with care: whole transactions, clear words when it is corrupt, foreign or locked.

Every change is one transaction under SQLite's write lock (`BEGIN IMMEDIATE`, write-ahead log), so a process that is
killed leaves the last whole state, and two writers wait for each other.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from fonderie.core.errors import BadDataError, BadInputError, ConflictError

VERSION = 1
_APPLICATION = 0x464F4E44  # "FOND", so that another program's SQLite file is recognised as such
_RESET = "it was left as it is; keep a copy if you need it, then start anew with `fonderie sandbox reset`"
_ANOTHER = "name another file with --cloud"
_LOCKED = "another process is writing to it; wait for it to end, or name another file with --cloud"
_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE projects (id TEXT PRIMARY KEY, number INTEGER NOT NULL UNIQUE) WITHOUT ROWID;
CREATE TABLE agents (email TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE objects (
    type TEXT NOT NULL, path TEXT NOT NULL, project TEXT NOT NULL, status TEXT NOT NULL, serial INTEGER NOT NULL,
    attributes TEXT NOT NULL, PRIMARY KEY (type, path)) WITHOUT ROWID;
CREATE INDEX objects_by_path ON objects (path);
CREATE TABLE uses (used TEXT NOT NULL, type TEXT NOT NULL, path TEXT NOT NULL, PRIMARY KEY (used, type, path))
    WITHOUT ROWID;
CREATE INDEX uses_by_user ON uses (type, path);
CREATE TABLE policies (path TEXT PRIMARY KEY, version INTEGER NOT NULL, policy TEXT NOT NULL) WITHOUT ROWID;
"""
_DOCUMENTS = """CREATE TABLE IF NOT EXISTS documents (
    number INTEGER PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL, UNIQUE (kind, name))"""


class CloudFile:
    """An open file. Threads share it; processes open the same file each for themselves."""

    def __init__(self, file: Path, *, busy_timeout_s: float = 30.0) -> None:
        """Open `file`, or make it. Raises when it is corrupt, of another version, or locked for too long."""
        self.file = file
        self._lock = threading.RLock()
        self._depth = 0
        fresh = not file.exists() or file.stat().st_size == 0
        with self._explained():
            if not fresh:
                _check_header(file)
            file.parent.mkdir(parents=True, exist_ok=True)
            self._sql = sqlite3.connect(file, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False)
            try:
                self._prepare()
            except BaseException:
                self._sql.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; what was committed stays."""
        with self._lock:
            self._sql.close()

    # -- transactions

    @contextmanager
    def transaction(self) -> Iterator[Self]:
        """All of what happens inside, or nothing. Transactions may nest; the outermost one commits."""
        with self._lock, self._explained():
            if self._depth == 0:
                self._sql.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield self
            except BaseException:
                self._depth -= 1
                if self._depth == 0 and self._sql.in_transaction:
                    self._sql.execute("ROLLBACK")
                raise
            self._depth -= 1
            if self._depth == 0:
                self._sql.execute("COMMIT")

    # -- SQLite

    def _prepare(self) -> None:
        application = self.one("PRAGMA application_id")[0]
        if application == 0 and not self.one("SELECT 1 FROM sqlite_master"):
            self._sql.execute("PRAGMA journal_mode = WAL")
            with self.transaction():
                if not self.one("SELECT 1 FROM sqlite_master"):  # another process may have been first
                    for statement in filter(str.strip, _TABLES.split(";")):
                        self._sql.execute(statement)
                    self._sql.execute(f"PRAGMA application_id = {_APPLICATION}")
                    self._sql.execute(f"PRAGMA user_version = {VERSION}")
        elif application != _APPLICATION:
            raise BadInputError("this is the database of another program", where=self.file, hint=_ANOTHER)
        elif (version := self.one("PRAGMA user_version")[0]) != VERSION:
            what = f"this cloud file is of version {version}; this program reads version {VERSION}"
            raise BadInputError(what, where=self.file, hint=_ANOTHER)
        elif (verdict := self.one("PRAGMA quick_check(1)")[0]) != "ok":
            raise BadDataError(f"the cloud file is corrupt: {verdict}", where=self.file, hint=_RESET)
        self._sql.execute("PRAGMA synchronous = NORMAL")
        if not self.one("SELECT 1 FROM sqlite_master WHERE name = 'documents'"):  # files of before have none
            self.run(_DOCUMENTS)

    def run(self, statement: str, *values: str | int) -> None:
        """Execute one statement, in a transaction."""
        with self.transaction():
            self._sql.execute(statement, values)

    def one(self, statement: str, *values: str | int) -> Any:
        """The first row of a query, or None. Raises BadDataError for a corrupt file."""
        with self._lock, self._explained():
            return self._sql.execute(statement, values).fetchone()

    def all(self, statement: str, *values: str | int) -> list[Any]:
        """Every row of a query. Raises BadDataError for a corrupt file."""
        with self._lock, self._explained():
            return self._sql.execute(statement, values).fetchall()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if "locked" in str(error) or "busy" in str(error):
                raise ConflictError("the cloud file is locked", where=self.file, hint=_LOCKED) from error
            raise BadInputError(f"the cloud file cannot be used: {error}", where=self.file, hint=_ANOTHER) from error
        except sqlite3.DatabaseError as error:
            raise BadDataError(f"the cloud file is corrupt: {error}", where=self.file, hint=_RESET) from error
        except OSError as error:
            raise BadInputError(f"the cloud file cannot be opened: {error}", where=self.file, hint=_ANOTHER) from error


def _check_header(file: Path) -> None:
    with file.open("rb") as opened:
        if opened.read(16) != b"SQLite format 3\0":
            raise BadDataError("this is not a cloud file", where=file, hint=_RESET)
