"""The one exception family. The command line prints what it says and exits with its code; anything else is a bug."""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path


class ExitCode(IntEnum):
    """What a `fonderie` command ends with; `docs/commands.md` documents the same list."""

    OK = 0
    ERROR = 1
    CHANGES = 2  # `preview`, `drift`: as `terraform plan -detailed-exitcode`
    BAD_INPUT = 3  # wrong usage, or a file, key or value of the user's is wrong
    BAD_DATA = 4  # the data broke its contract, or there is none
    STEP_FAILED = 5  # a pipeline task, a Terraform command or a server failed
    CONFLICT = 6  # somebody else got there first, or what was reviewed is not what would happen
    REFUSED = 7  # a rule says no: a policy, a protection, a gate
    MISSING_TOOL = 8  # a tool or a generated part is not there
    INTERRUPTED = 130


class FonderieError(Exception):
    """What was wrong, where, and what to do about it."""

    exit_code = ExitCode.ERROR

    def __init__(self, what: str, *, where: str | Path | None = None, hint: str | None = None) -> None:
        """`what` is one sentence, `where` a file, key or step, `hint` what the user can do."""
        super().__init__(what)
        self.what = what
        self.where = str(where) if where is not None else None
        self.hint = hint

    def __str__(self) -> str:
        """All of it in a line: for logs and for nested messages."""
        place = f"{self.where}: " if self.where else ""
        advice = f" ({self.hint})" if self.hint else ""
        return f"{place}{self.what}{advice}"

    def as_dict(self) -> dict[str, str | int | None]:
        """What `--json` prints: error, what, where, hint and exit code."""
        return {
            "error": type(self).__name__,
            "what": self.what,
            "where": self.where,
            "hint": self.hint,
            "exit_code": int(self.exit_code),
        }


class BadInputError(FonderieError):
    """A settings file, a model file or an argument is wrong."""

    exit_code = ExitCode.BAD_INPUT


class BadDataError(FonderieError):
    """Rows or columns break their contract, or are not there."""

    exit_code = ExitCode.BAD_DATA


class StepFailedError(FonderieError):
    """A pipeline task, a Terraform command or a server failed."""

    exit_code = ExitCode.STEP_FAILED


class ConflictError(FonderieError):
    """Raised when another process or person changed the same thing first."""

    exit_code = ExitCode.CONFLICT


class RefusedError(FonderieError):
    """A policy, a protection or a gate says no."""

    exit_code = ExitCode.REFUSED


class MissingToolError(FonderieError):
    """A tool is not installed, is too old, or a generated part was not generated."""

    exit_code = ExitCode.MISSING_TOOL
