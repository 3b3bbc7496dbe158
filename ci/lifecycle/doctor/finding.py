"""What a check of the doctor says."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class State(StrEnum):
    """`unseen`: it could not be read, for the reason given; never counted as well."""

    WELL = "well"
    WRONG = "wrong"
    UNSEEN = "unseen"


class Diagnosis(BaseModel):
    """One check: what was seen and, if it is wrong, the command or the page that fixes it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    check: str
    state: State
    seen: str
    mend: str = ""


def well(check: str, seen: str) -> Diagnosis:
    """A check that passes; `seen` says what was read."""
    return Diagnosis(check=check, state=State.WELL, seen=seen)


def wrong(check: str, seen: str, mend: str) -> Diagnosis:
    """A check that fails; `mend` is the command or the page that fixes it."""
    return Diagnosis(check=check, state=State.WRONG, seen=seen, mend=mend)


def unseen(check: str, why: str, mend: str = "") -> Diagnosis:
    """A check that could not be made; `why` is the reason, `mend` what would make it possible."""
    return Diagnosis(check=check, state=State.UNSEEN, seen=why, mend=mend)
