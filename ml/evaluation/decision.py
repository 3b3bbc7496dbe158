"""The gate's record: every check with its values and limit, and the outcome they allow."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, model_validator

from ml.records import Record


class Outcome(StrEnum):
    """The gate's answer."""

    PROMOTE = "promote"
    KEEP = "keep"


class Verdict(StrEnum):
    """What one check found. `not_applicable` is for comparisons with a champion when there is none yet."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not_applicable"


Value = float | int | str | None


class Check(BaseModel):
    """One line of the decision: what was compared with what, and what came of it."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    name: str
    challenger: Value = None
    champion: Value = None
    limit: Value = None
    gain: float | None = None  # what is compared with the limit where shares are; its interval is by day
    low: float | None = None
    high: float | None = None
    verdict: Verdict
    reason: str = ""


class Decision(Record):
    """The gate's record. It cannot say `promote` unless every required check is there and none failed."""

    outcome: Outcome
    reasons: tuple[str, ...]
    checks: tuple[Check, ...]
    challenger_hash: str | None = None
    champion_hash: str | None = None
    holdout_hash: str | None = None

    @model_validator(mode="after")
    def _honest(self) -> Decision:
        required = REQUIRED if self.format_version > 1 else REQUIRED_1
        if self.outcome is Outcome.PROMOTE and not all_hold(self.checks, required):
            raise ValueError("a decision to promote needs every check made and none failed")
        return self


REQUIRED_1 = (
    "readable",
    "sides",
    "metric",
    "holdout",
    "distinct",
    "champion",
    "unseen",
    "rows",
    "possible",
    "floor",
    "ceiling",
    "gain",
    "slices",
    "slice rows",
    "slice gain",
)
"""Of decisions of format version 1, from before 2026-11-29."""
REQUIRED = (*REQUIRED_1, "recent", "gain ceiling", "baseline")
_NEEDS_CHAMPION = {"gain", "gain ceiling", "slice gain"}


def unreadable(reason: str) -> Decision:
    """The decision when there are no two scores to compare, such as a score file that does not parse."""
    check = Check(name="readable", verdict=Verdict.FAILED, reason=reason)
    return Decision(outcome=Outcome.KEEP, reasons=(f"readable: {reason}",), checks=(check,))


def all_hold(checks: Sequence[Check], required: Sequence[str] = REQUIRED) -> bool:
    """Every required check was made, none failed, and only comparisons with an absent champion were left out."""
    made = {check.name.split(":")[0] for check in checks}
    absent = any(check.name == "champion" and check.verdict is Verdict.NOT_APPLICABLE for check in checks)
    excused = _NEEDS_CHAMPION | {"champion"} if absent else set()
    return made >= set(required) and all(
        check.verdict is Verdict.PASSED
        or (check.verdict is Verdict.NOT_APPLICABLE and check.name.split(":")[0] in excused)
        for check in checks
    )


def check_that(name: str, holds: bool, reason: str, **values: Value) -> Check:
    """A check that passes only if `holds` is True itself; `reason` is kept when it failed."""
    passed = holds is True
    return Check.model_validate(
        {
            "name": name,
            "verdict": Verdict.PASSED if passed else Verdict.FAILED,
            "reason": "" if passed else reason,
            **values,
        }
    )
