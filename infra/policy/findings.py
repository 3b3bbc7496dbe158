"""What a check found, the waivers (`waivers.toml`) that may cover it, and what a whole scan says."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict

from fonderie.core.errors import BadInputError
from fonderie.core.toml import read_toml
from infra.settings import Environment


class PolicyRecord(BaseModel):
    """Base of the policy's records: immutable, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PolicyFinding(PolicyRecord):
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


class WaiverScope(StrEnum):
    """The environments that a waiver speaks of, when it is not all of them."""

    EPHEMERAL = "ephemeral"
    NO_KEYS = "without customer keys"  # production never counts as one: it has to have keys


class Waiver(PolicyRecord):
    """A check that need not hold somewhere, why, and until when.

    `path` is a construct path, `detail` what the finding says is wrong, both with `*` and `?`; `where` narrows it to
    environments with that setting, so that a new environment needs no waivers of its own.
    """

    check: str
    path: str
    detail: str = "*"
    where: WaiverScope | None = None
    reason: str
    expires: datetime.date


class WaiverProblem(StrEnum):
    """Why a waiver fails the scan."""

    EXPIRED = "expired"
    UNUSED = "unused"


class WaivedFinding(PolicyRecord):
    """A finding and the waiver that covers it."""

    finding: PolicyFinding
    waiver: Waiver


class ScanResult(PolicyRecord):
    """What a scan says. `checked` counts the checks made per stack, passed and failed together."""

    checked: dict[str, int]
    failed: tuple[PolicyFinding, ...] = ()
    waived: tuple[WaivedFinding, ...] = ()
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


FILE = Path(__file__).parent / "waivers.toml"


class Waivers(PolicyRecord):
    """The file."""

    waiver: tuple[Waiver, ...] = ()


def read_waivers(file: Path = FILE) -> list[Waiver]:
    """The waivers of `file`, in its order.

    Raises:
        BadInputError: the file is not TOML, or a waiver lacks a key, has an unknown one or gives no reason.
    """
    waivers = read_toml(file, Waivers, hint="a [[waiver]] has check, path, reason and expires").waiver
    for waiver in waivers:
        if len(waiver.reason.split()) < 4:
            raise BadInputError(
                f"the waiver of {waiver.check} at {waiver.path} gives no reason",
                where=file,
                hint="say why the check need not hold there, in a sentence",
            )
    return list(waivers)


def covers(waiver: Waiver, finding: PolicyFinding, env: Environment | None = None) -> bool:
    """Whether the waiver speaks of this finding, in this environment."""
    return (
        waiver.check == finding.check
        and fnmatchcase(finding.path, waiver.path)
        and fnmatchcase(finding.detail, waiver.detail)
        and _is_there(waiver.where, env)
    )


def _is_there(where: WaiverScope | None, env: Environment | None) -> bool:
    match where:
        case None:
            return True
        case WaiverScope.EPHEMERAL:
            return env is not None and env.ephemeral
        case WaiverScope.NO_KEYS:
            return env is not None and not env.customer_keys and not env.production


def apply_waivers(
    findings: Sequence[PolicyFinding],
    waivers: Sequence[Waiver],
    *,
    today: datetime.date,
    complete: bool,
    environments: Mapping[str, Environment] = MappingProxyType({}),
) -> tuple[list[PolicyFinding], list[WaivedFinding], list[tuple[Waiver, WaiverProblem]]]:
    """(failed, waived, waivers that fail): an expired waiver covers nothing and fails itself.

    `complete` says that every environment was scanned; only then is a waiver that covered nothing unused.
    `environments` are their settings by name, for waivers that hold in some only.
    """
    live = [waiver for waiver in waivers if waiver.expires >= today]
    failed, waived, used = [], [], set()
    for finding in findings:
        env = environments.get(finding.stack.partition("-")[0])
        waiver = next((waiver for waiver in live if covers(waiver, finding, env)), None)
        if waiver is None:
            failed.append(finding)
        else:
            waived.append(WaivedFinding(finding=finding, waiver=waiver))
            used.add(waiver)
    problems = [(waiver, WaiverProblem.EXPIRED) for waiver in waivers if waiver.expires < today]
    if complete:
        problems += [(waiver, WaiverProblem.UNUSED) for waiver in live if waiver not in used]
    return failed, waived, problems
