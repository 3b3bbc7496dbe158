"""What a recreate has done: a failed one says which step, and the next run goes on from there."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from fonderie.core.errors import BadInputError
from fonderie.core.files import write_text
from fonderie.core.home import home


class RecreateJournal(BaseModel):
    """One recreate of one environment. A step is, for example, `destroy dev-data`."""

    model_config = ConfigDict(extra="forbid")

    environment: str
    started: datetime
    lost: int = 0
    done: list[str] = []
    failed: str | None = None
    why: str | None = None
    finished: datetime | None = None

    @staticmethod
    def path(environment: str) -> Path:
        """Where the journal of an environment is; a finished one has its time in its name."""
        return home() / "recreate" / f"{environment}.json"

    @classmethod
    def open(cls, environment: str) -> Self:
        """The journal of the run that stopped, or a new one. Raises BadInputError when it cannot be read."""
        file = cls.path(environment)
        if not file.is_file():
            return cls(environment=environment, started=datetime.now(UTC))
        try:
            return cls.model_validate_json(file.read_bytes())
        except ValidationError as error:
            raise BadInputError("not the journal of a recreate", where=file, hint="remove it to start over") from error

    @property
    def resumed(self) -> bool:
        """Whether an earlier run had begun."""
        return bool(self.done)

    def write(self) -> None:
        """Write the journal; a finished one is renamed to its time."""
        file = self.path(self.environment)
        if self.finished is not None:
            file.unlink(missing_ok=True)
            file = file.with_name(f"{self.environment}-{self.finished:%Y%m%dT%H%M%S}.json")
        write_text(file, self.model_dump_json(indent=1))

    def did(self, step: str) -> None:
        """Record a finished step and write the journal."""
        self.done.append(step)
        self.failed = self.why = None
        self.write()
