"""What a check found, and what a whole scan says."""

from __future__ import annotations

import datetime
from collections import Counter
from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """Base of the policy's records: immutable, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Finding(Frozen):
    """A resource that breaks a check."""

    check: str  # CKV_GCP_62, FND_REGION
    what: str  # what the check wants
    stack: str
    path: str  # construct path, which a waiver names
    address: str
    detail: str = ""  # the value that is wrong
    line: int = 1  # in the stack's cdk.tf.json

    @property
    def key(self) -> tuple[str, str]:
        """What makes it the same finding before and after a change."""
        return self.check, self.path


class Where(StrEnum):
    """The environments that a waiver speaks of, when it is not all of them."""

    EPHEMERAL = "ephemeral"
    NO_KEYS = "without customer keys"  # production never counts as one: it has to have keys


class Waiver(Frozen):
    """A check that need not hold somewhere, why, and until when.

    `path` is a construct path, `detail` what the finding says is wrong, both with `*` and `?`; `where` narrows it to
    environments with that setting, so that a new environment needs no waivers of its own.
    """

    check: str
    path: str
    detail: str = "*"
    where: Where | None = None
    reason: str
    expires: datetime.date


class WaiverProblem(StrEnum):
    """Why a waiver fails the scan."""

    EXPIRED = "expired"
    UNUSED = "unused"


class Waived(Frozen):
    """A finding and the waiver that covers it."""

    finding: Finding
    waiver: Waiver


class Verdict(Frozen):
    """What a scan says. `checked` counts the checks made per stack, passed and failed together."""

    checked: dict[str, int]
    failed: tuple[Finding, ...] = ()
    waived: tuple[Waived, ...] = ()
    problems: tuple[tuple[Waiver, WaiverProblem], ...] = ()

    @property
    def passed(self) -> bool:
        """No finding without a waiver, no waiver without use or beyond its end."""
        return not self.failed and not self.problems

    def by_stack(self) -> dict[str, tuple[int, int, int]]:
        """Per stack: checks made, failed, waived."""
        failed = Counter(finding.stack for finding in self.failed)
        waived = Counter(one.finding.stack for one in self.waived)
        return {stack: (count, failed[stack], waived[stack]) for stack, count in self.checked.items()}
