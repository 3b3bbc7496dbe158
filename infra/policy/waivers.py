"""Waivers: `waivers.toml`, each with a check, a construct path, a reason and an end."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from types import MappingProxyType

from fonderie.core.errors import BadInputError
from fonderie.core.toml import read_toml
from infra.policy.findings import Finding, Frozen, Waived, Waiver, WaiverProblem, Where
from infra.settings import Environment

FILE = Path(__file__).parent / "waivers.toml"


class Waivers(Frozen):
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


def covers(waiver: Waiver, finding: Finding, env: Environment | None = None) -> bool:
    """Whether the waiver speaks of this finding, in this environment."""
    return (
        waiver.check == finding.check
        and fnmatchcase(finding.path, waiver.path)
        and fnmatchcase(finding.detail, waiver.detail)
        and _is_there(waiver.where, env)
    )


def _is_there(where: Where | None, env: Environment | None) -> bool:
    match where:
        case None:
            return True
        case Where.EPHEMERAL:
            return env is not None and env.ephemeral
        case Where.NO_KEYS:
            return env is not None and not env.customer_keys and not env.production


def apply_waivers(
    findings: Sequence[Finding],
    waivers: Sequence[Waiver],
    *,
    today: datetime.date,
    complete: bool,
    environments: Mapping[str, Environment] = MappingProxyType({}),
) -> tuple[list[Finding], list[Waived], list[tuple[Waiver, WaiverProblem]]]:
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
            waived.append(Waived(finding=finding, waiver=waiver))
            used.add(waiver)
    problems = [(waiver, WaiverProblem.EXPIRED) for waiver in waivers if waiver.expires < today]
    if complete:
        problems += [(waiver, WaiverProblem.UNUSED) for waiver in live if waiver not in used]
    return failed, waived, problems
