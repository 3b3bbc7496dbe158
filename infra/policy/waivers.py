"""Waivers: `waivers.toml`, each with a check, a construct path, a reason and an end."""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from pydantic import ValidationError

from fonderie.errors import BadInputError
from infra.policy.findings import Finding, Waived, Waiver, WaiverProblem

FILE = Path(__file__).parent / "waivers.toml"


def read_waivers(file: Path = FILE) -> list[Waiver]:
    """The waivers of `file`, in its order.

    Raises:
        BadInputError: the file is not TOML, or a waiver lacks a key, has an unknown one or gives no reason.
    """
    try:
        entries = tomllib.loads(file.read_text(encoding="utf-8")).get("waiver", [])
        waivers = [Waiver(**entry) for entry in entries]
    except (tomllib.TOMLDecodeError, ValidationError, TypeError) as error:
        raise BadInputError(
            str(error).replace("\n", " "), where=file, hint="a [[waiver]] has check, path, reason and expires"
        ) from error
    for waiver in waivers:
        if len(waiver.reason.split()) < 4:
            raise BadInputError(
                f"the waiver of {waiver.check} at {waiver.path} gives no reason",
                where=file,
                hint="say why the check need not hold there, in a sentence",
            )
    return waivers


def covers(waiver: Waiver, finding: Finding) -> bool:
    """Whether the waiver speaks of this finding."""
    return waiver.check == finding.check and fnmatchcase(finding.path, waiver.path)


def apply_waivers(
    findings: Sequence[Finding], waivers: Sequence[Waiver], *, today: datetime.date, complete: bool
) -> tuple[list[Finding], list[Waived], list[tuple[Waiver, WaiverProblem]]]:
    """(failed, waived, waivers that fail): an expired waiver covers nothing and fails itself.

    `complete` says that every environment was scanned; only then is a waiver that covered nothing unused.
    """
    live = [waiver for waiver in waivers if waiver.expires >= today]
    failed, waived, used = [], [], set()
    for finding in findings:
        waiver = next((waiver for waiver in live if covers(waiver, finding)), None)
        if waiver is None:
            failed.append(finding)
        else:
            waived.append(Waived(finding=finding, waiver=waiver))
            used.add(waiver)
    problems = [(waiver, WaiverProblem.EXPIRED) for waiver in waivers if waiver.expires < today]
    if complete:
        problems += [(waiver, WaiverProblem.UNUSED) for waiver in live if waiver not in used]
    return failed, waived, problems
