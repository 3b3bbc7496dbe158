"""The registry as everything else sees it. tests/contract/registry says the same in tests, for every implementation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

from fonderie.core.errors import BadDataError
from ml.records import Record
from ml.registry.record import Candidate, ModelRecord


class Alias(StrEnum):
    """Names that move from version to version."""

    CHAMPION = "champion"
    PREVIOUS_CHAMPION = "previous-champion"
    CHALLENGER = "challenger"


@dataclass(frozen=True)
class Version:
    """A version's record and the folder its files can be read from (a remote registry has fetched them)."""

    record: ModelRecord
    folder: Path

    @property
    def model_path(self) -> Path:
        """The model file (skops) in the version's folder."""
        return self.folder / self.record.model_file


class AliasMove(BaseModel):
    """One line of the audit log."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    alias: Alias
    before: int | None
    after: int | None
    at: datetime
    who: str
    reason: str


class Aliases(Record):
    """Where the aliases point, and every move that brought them there, oldest first: one file, replaced in one step."""

    current: dict[Alias, int] = Field(default_factory=dict)
    moves: tuple[AliasMove, ...] = ()

    def at(self, alias: Alias) -> int | None:
        """The version an alias points to."""
        return self.current.get(alias)

    @property
    def champion(self) -> int | None:
        """Number of the version that serves; None before the first promotion."""
        return self.at(Alias.CHAMPION)

    @property
    def newest(self) -> int:
        """The highest number that any alias pointed to: a number is not used again when its version is deleted."""
        return max((move.after for move in self.moves if move.after is not None), default=0)

    def champion_at(self, time: datetime) -> AliasMove | None:
        """The move that made the champion of that moment; None before the first one."""
        moves = [move for move in self.moves if move.alias is Alias.CHAMPION and move.at <= time]
        return moves[-1] if moves else None


class Registry(Protocol):
    """The versions of one model.

    A version is whole or absent, and never changes. Its number is never used twice.
    """

    @property
    def model(self) -> str:
        """The name of the model that these are versions of, as in `ml/models`."""

    def register(self, candidate: Candidate, folder: Path, *, who: str, now: datetime) -> ModelRecord:
        """Store the files of `folder` that the candidate names as the next version; it becomes challenger.

        The same candidate (run and model hash) again is given the version it has. Raises BadDataError if a file is
        missing or is not the one that was named.
        """

    def get(self, reference: int | str) -> Version:
        """By number (3, "3", "v003") or alias. Raises BadInputError: there is none, or what there is."""

    def promote(
        self, version: int, expected_current: int | None, *, reason: str, who: str, now: datetime
    ) -> ModelRecord:
        """Make `version` champion if the champion is still `expected_current` (None: there is none).

        Raises ConflictError if somebody else moved it, BadInputError if there is no such version or it is champion,
        BadDataError if a file is not the registered one.
        """

    def rollback(
        self, to: int | None = None, *, expected_current: int | None = None, reason: str, who: str, now: datetime
    ) -> ModelRecord:
        """Make the previous champion (or version `to`) champion again; the one it replaces becomes previous champion.

        Raises RefusedError without a previous champion, ConflictError if the champion is not `expected_current`.
        """

    def list(self) -> tuple[ModelRecord, ...]:
        """The record of every version that can be read, oldest first."""

    def damaged(self) -> tuple[BadDataError, ...]:
        """Why versions are missing in `list`: one that cannot be read stops no other."""

    def aliases(self) -> Aliases:
        """Where the aliases point, and the log of their moves."""
