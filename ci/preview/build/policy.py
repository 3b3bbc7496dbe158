"""Policy findings of base and head, set against each other: what is new, what was there, which waivers have run out."""

from __future__ import annotations

import datetime
from collections.abc import Iterable

from ci.preview.masking.printable import folded, printable
from ci.preview.masking.secrets import Masker
from ci.preview.report import Finding, Frozen, PolicyResult


class Waiver(Frozen):
    """A finding somebody has accepted, until a day."""

    check: str
    stack: str
    resource: str
    reason: str
    expires: datetime.date


class Scan(Frozen):
    """What a policy scan of one revision found; waived findings are in `findings` too."""

    findings: tuple[Finding, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    unavailable: str = ""


def compare(base: Scan, head: Scan, today: datetime.date, masker: Masker) -> PolicyResult:
    """Head's findings against base's, as of `today`."""
    if head.unavailable:
        return PolicyResult(unavailable=_clean(head.unavailable, masker))
    valid = {_waived(waiver) for waiver in head.waivers if waiver.expires >= today}
    over = {_waived(waiver) for waiver in head.waivers if waiver.expires < today}
    before = {_key(finding) for finding in base.findings}
    now = {_key(finding) for finding in head.findings}
    open_ones = [finding for finding in _sorted(head.findings) if _key(finding) not in valid]
    until = [waiver.expires for waiver in head.waivers if _waived(waiver) in now & valid]
    return PolicyResult(
        new=tuple(_cleaned(f, masker) for f in open_ones if _key(f) not in before and _key(f) not in over),
        expired=tuple(_cleaned(finding, masker) for finding in open_ones if _key(finding) in over),
        old=sum(_key(finding) in before and _key(finding) not in over for finding in open_ones),
        mended=len(before - now),
        waived=len(now & valid),
        waived_until=min(until).isoformat() if until else "",
        unavailable=_clean(f"base: {base.unavailable}", masker) if base.unavailable else "",
    )


def _key(finding: Finding) -> tuple[str, str, str]:
    return finding.check, finding.stack, finding.resource


def _waived(waiver: Waiver) -> tuple[str, str, str]:
    return waiver.check, waiver.stack, waiver.resource


def _sorted(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(set(findings), key=lambda finding: (*_key(finding), finding.title))


def _clean(text: str, masker: Masker) -> str:
    return folded(printable(masker.message(text)), 300)


def _cleaned(finding: Finding, masker: Masker) -> Finding:
    return Finding(**{name: _clean(value, masker) for name, value in finding.model_dump().items()})
