"""The imitated cloud: projects, objects, who uses what, policies. Kept in one SQLite file."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from fonderie.core.errors import ConflictError
from fonderie.sandbox.cloud.cloud_file import CloudFile

_FIRST_NUMBER = 123456789012
_SELECT = "SELECT type, path, project, status, serial, attributes FROM objects"


class ObjectStatus(StrEnum):
    """An object that was deleted is remembered: some names stay taken, and an absence is then a known one."""

    LIVE = "live"
    SOFT_DELETED = "soft-deleted"
    GONE = "gone"


@dataclass(frozen=True)
class CloudObject:
    """One object of the cloud: `path` is its canonical name, `serial` grows with every object ever made."""

    type: str
    path: str
    project: str
    status: ObjectStatus
    serial: int
    attributes: dict[str, Any]


class Cloud(CloudFile):
    """What Google knows, in one file. With `history_s` it remembers for so long how a policy was before a change."""

    history_s = 0.0

    # -- notes

    def note(self, key: str) -> str | None:
        """A setting of the cloud itself, such as its faults."""
        row = self.one("SELECT value FROM meta WHERE key = ?", key)
        return row[0] if row else None

    def set_note(self, key: str, value: str | None) -> None:
        """Write a setting; None removes it."""
        if value is None:
            self.run("DELETE FROM meta WHERE key = ?", key)
        else:
            self.run("INSERT OR REPLACE INTO meta VALUES (?, ?)", key, value)

    def count(self, name: str) -> int:
        """The next number of a series, from 1; never given twice, not even after a deletion."""
        with self.transaction():
            number = int(self.note(f"count:{name}") or 0) + 1
            self.set_note(f"count:{name}", str(number))
        return number

    # -- projects and their agents

    def number_of(self, project: str) -> int:
        """The number of a project, which is given to it when it is first named."""
        row = self.one("SELECT number FROM projects WHERE id = ?", project)
        if row:
            return int(row[0])
        with self.transaction():
            number = _FIRST_NUMBER
            while self.one("SELECT 1 FROM projects WHERE number = ?", number):
                number += 1_000_003
            self.run("INSERT OR IGNORE INTO projects VALUES (?, ?)", project, number)
        return self.number_of(project)

    def set_number(self, project: str, number: int) -> None:
        """Give a project the number that is known from elsewhere. Raises ConflictError when it has another one."""
        with self.transaction():
            row = self.one("SELECT number FROM projects WHERE id = ?", project)
            if row and int(row[0]) != number:
                raise ConflictError(f"project {project} has the number {row[0]}, not {number}", where=self.file)
            if (owner := self.project_of(number)) not in (None, project):
                raise ConflictError(f"the number {number} belongs to project {owner}", where=self.file)
            self.run("INSERT OR IGNORE INTO projects VALUES (?, ?)", project, number)

    def project_of(self, number: int) -> str | None:
        """The project with that number."""
        row = self.one("SELECT id FROM projects WHERE number = ?", number)
        return str(row[0]) if row else None

    def projects(self) -> dict[str, int]:
        """Every project there is, with its number."""
        return dict(self.all("SELECT id, number FROM projects ORDER BY id"))

    def add_agent(self, email: str) -> None:
        """A service agent of Google's comes into being."""
        self.run("INSERT OR IGNORE INTO agents VALUES (?)", email)

    def has_agent(self, email: str) -> bool:
        """Whether that agent exists."""
        return self.one("SELECT 1 FROM agents WHERE email = ?", email) is not None

    # -- objects

    def get(self, type: str, path: str) -> CloudObject | None:
        """One object, deleted ones too: look at its status."""
        row = self.one(f"{_SELECT} WHERE type = ? AND path = ?", type, path)
        return _thing(row) if row else None

    def live(self, type: str, path: str) -> CloudObject | None:
        """One object that is there."""
        found = self.get(type, path)
        return found if found and found.status is ObjectStatus.LIVE else None

    def things(
        self, type: str | None = None, *, project: str | None = None, under: str | None = None
    ) -> list[CloudObject]:
        """Objects that are there, in the order they were made; `under` a path, without the object of that path."""
        conditions, values = ["status = 'live'"], list[str]()
        if type is not None:
            conditions, values = [*conditions, "type = ?"], [*values, type]
        if project is not None:
            conditions, values = [*conditions, "project = ?"], [*values, project]
        if under is not None:  # "0" follows "/", so this is every path that begins with `under/`
            conditions, values = [*conditions, "path > ? AND path < ?"], [*values, f"{under}/", f"{under}0"]
        rows = self.all(f"{_SELECT} WHERE {' AND '.join(conditions)} ORDER BY serial", *values)
        return [_thing(row) for row in rows]

    def deleted(self) -> list[CloudObject]:
        """Objects that were deleted and are remembered."""
        return [_thing(row) for row in self.all(f"{_SELECT} WHERE status != 'live' ORDER BY serial")]

    def put(self, type: str, path: str, project: str, attributes: Mapping[str, Any]) -> CloudObject:
        """Make an object, or replace what was deleted under its name."""
        with self.transaction():
            serial = self.count("serial")
            self.run(
                "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, 'live', ?, ?)",
                *(type, path, project, serial, json.dumps(attributes)),
            )
        return CloudObject(type, path, project, ObjectStatus.LIVE, serial, dict(attributes))

    def change(self, type: str, path: str, attributes: Mapping[str, Any]) -> None:
        """Give an object other attributes."""
        self.run("UPDATE objects SET attributes = ? WHERE type = ? AND path = ?", json.dumps(attributes), type, path)

    def mark(self, type: str, path: str, status: ObjectStatus) -> None:
        """Delete an object or bring it back; what used it and its policy go with a deletion."""
        with self.transaction():
            self.run("UPDATE objects SET status = ? WHERE type = ? AND path = ?", status.value, type, path)
            if status is not ObjectStatus.LIVE:
                self.run("DELETE FROM uses WHERE type = ? AND path = ?", type, path)
                self.run("DELETE FROM policies WHERE path = ?", path)

    # -- who uses what

    def set_uses(self, type: str, path: str, used: set[str]) -> None:
        """Note the paths of what an object refers to."""
        with self.transaction():
            self.run("DELETE FROM uses WHERE type = ? AND path = ?", type, path)
            for target in sorted(used):
                self.run("INSERT OR IGNORE INTO uses VALUES (?, ?, ?)", target, type, path)

    def used_by(self, type: str, path: str) -> set[str]:
        """Paths of what an object refers to."""
        return {row[0] for row in self.all("SELECT used FROM uses WHERE type = ? AND path = ?", type, path)}

    def users_of(self, path: str) -> list[tuple[str, str]]:
        """Type and path of what refers to an object."""
        return self.all("SELECT type, path FROM uses WHERE used = ? ORDER BY type, path", path)

    # -- policies

    def policy(self, path: str) -> tuple[int, dict[str, Any]]:
        """The IAM policy of an object and its version, which is what an etag stands for."""
        row = self.one("SELECT version, policy FROM policies WHERE path = ?", path)
        return (int(row[0]), json.loads(row[1])) if row else (0, {"bindings": []})

    def set_policy(self, path: str, policy: Mapping[str, Any], *, version: int) -> bool:
        """Write a policy if it is still of `version`; False when somebody else was first."""
        with self.transaction():
            if self.policy(path)[0] != version:
                return False
            if self.history_s:
                self._remember(path)
            following = self.count("policy")
            self.run("INSERT OR REPLACE INTO policies VALUES (?, ?, ?)", path, following, json.dumps(policy))
        return True

    def policy_at(self, path: str, time_s: float) -> dict[str, Any]:
        """The policy as it was at that time, as far back as it is remembered; seconds since 1970."""
        changes = json.loads(self.note(f"policy-history:{path}") or "[]")
        return next((before for changed_s, before in changes if changed_s > time_s), None) or self.policy(path)[1]

    def _remember(self, path: str) -> None:
        now_s = time.time()
        changes = json.loads(self.note(f"policy-history:{path}") or "[]")
        kept = [change for change in changes if change[0] > now_s - self.history_s]
        self.set_note(f"policy-history:{path}", json.dumps([*kept, [now_s, self.policy(path)[1]]]))

    def policies(self) -> dict[str, dict[str, Any]]:
        """Every policy by the path of its object."""
        return {path: json.loads(text) for path, text in self.all("SELECT path, policy FROM policies ORDER BY path")}


def _thing(row: tuple[str, str, str, str, int, str]) -> CloudObject:
    type, path, project, status, serial, attributes = row
    return CloudObject(type, path, project, ObjectStatus(status), serial, json.loads(attributes))
