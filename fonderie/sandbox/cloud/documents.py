"""What Google keeps and Terraform does not make: documents of the REST APIs by kind and name, in the cloud file."""

from __future__ import annotations

import json
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any

from fonderie.sandbox.cloud.cloud import Cloud

Document = dict[str, Any]


@dataclass(frozen=True)
class Documents(MutableMapping[str, Any]):
    """The documents of one kind, in the order they were made. What is read is a copy: assign it to keep a change."""

    cloud: Cloud
    kind: str

    def __getitem__(self, name: str) -> Any:
        row = self.cloud.one("SELECT body FROM documents WHERE kind = ? AND name = ?", self.kind, name)
        if row is None:
            raise KeyError(name)
        return json.loads(row[0])

    def __setitem__(self, name: str, body: Any) -> None:
        upsert = "ON CONFLICT (kind, name) DO UPDATE SET body = excluded.body"
        self.cloud.run(
            f"INSERT INTO documents (kind, name, body) VALUES (?, ?, ?) {upsert}", self.kind, name, json.dumps(body)
        )

    def __delitem__(self, name: str) -> None:
        self[name]  # a KeyError where there is none
        self.cloud.run("DELETE FROM documents WHERE kind = ? AND name = ?", self.kind, name)

    def __iter__(self) -> Iterator[str]:
        rows = self.cloud.all("SELECT name FROM documents WHERE kind = ? ORDER BY number", self.kind)
        return iter([row[0] for row in rows])

    def __len__(self) -> int:
        return int(self.cloud.one("SELECT count(*) FROM documents WHERE kind = ?", self.kind)[0])

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (
            self.cloud.one("SELECT 1 FROM documents WHERE kind = ? AND name = ?", self.kind, name) is not None
        )

    def under(self, prefix: str) -> list[tuple[str, Document]]:
        """Names that begin with `prefix`, with what they hold, in the order they were made."""
        rows = self.cloud.all(
            "SELECT name, body FROM documents WHERE kind = ? AND substr(name, 1, ?) = ? ORDER BY number",
            *(self.kind, len(prefix), prefix),
        )
        return [(name, json.loads(body)) for name, body in rows]
