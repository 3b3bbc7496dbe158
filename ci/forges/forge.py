"""What a preview needs of the place where changes are reviewed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class State(StrEnum):
    """Of a commit's status."""

    SUCCESS = "success"
    FAILURE = "failure"


@dataclass(frozen=True)
class Comment:
    """A comment of a change. `own`: made by the account that we are here; another's is neither changed nor believed."""

    id: int
    body: str
    url: str = ""
    own: bool = True


class Forge(Protocol):
    """One change under review. Every method raises a FonderieError that says in words what was refused and why."""

    limit: int
    """How many characters a comment may have here, with a margin."""

    def head(self) -> str:
        """The commit the change is at now."""

    def comments(self) -> list[Comment]:
        """All comments, oldest first."""

    def create(self, body: str) -> Comment:
        """A new comment."""

    def update(self, comment: Comment, body: str) -> Comment | None:
        """Change a comment; None when it is gone, or somebody else's."""

    def delete(self, comment: Comment) -> None:
        """Remove a comment of ours; one that is gone is fine."""

    def set_status(self, commit: str, state: State, description: str, environment: str) -> None:
        """The commit's `fonderie/preview/ENVIRONMENT` status; `description` of at most 140 characters."""
