"""Policy: the checks and waivers of base decide over the stacks of head, so that a change cannot judge itself.

What head changes about the checks, and the waivers that it adds, are told by name and count once they are merged.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ci.preview.build.surroundings import harmless
from ci.preview.build.synthesis import Synthesised
from ci.preview.masking.printable import folded, printable
from ci.preview.masking.secrets import Masker
from ci.preview.report import NewWaiver, PolicyResult
from fonderie.core.files import write_text
from fonderie.core.home import home
from infra.policy.findings import PolicyFinding, ScanResult, WaiverProblem

_TIMEOUT_S = 300
_CALL = (
    "import importlib, sys; module, _, function = sys.argv.pop(1).partition(':'); "
    "sys.exit(getattr(importlib.import_module(module), function)())"
)


def scan(source: Path, made: Synthesised, environments: tuple[str, ...]) -> ScanResult | str:
    """What the policy of the working copy `source` says of `made`, or why it says nothing; scanned once for a content.

    Environments without a stack in `made` have nothing to scan.
    """
    there = tuple(name for name in environments if made.of(name))
    if not there:
        return ScanResult(checked={})
    digest = hashlib.sha256("".join(made.digest(name) for name in there).encode())
    infra = source / "infra"
    for path in sorted(
        [*(infra / "policy").rglob("*.py"), *infra.glob("policy/*.toml"), *infra.glob("environments/*.toml")]
    ):
        digest.update(path.name.encode() + path.read_bytes())
    kept = home() / "cache" / "preview" / "policy" / f"{digest.hexdigest()[:32]}.json"
    try:
        if not kept.is_file():
            write_text(kept, _run(source, made.folder, there))
        return ScanResult.model_validate_json(kept.read_text(encoding="utf-8"))
    except (OSError, ValueError, ValidationError, subprocess.TimeoutExpired) as error:
        return str(error).split("\n")[0]


def judge(base: Path, head: Path, made: Synthesised, environments: tuple[str, ...], work: Path) -> ScanResult | str:
    """What base's code, checks and waivers say of head's stacks, or why they say nothing.

    The settings of the environments are head's, as data; where base's code cannot read these, its own.
    """
    found = scan(_with_settings(base, head, work / "judge"), made, environments)
    if isinstance(found, str) and all((base / "infra" / "environments" / f"{name}.toml").is_file()
                                      for name in environments if made.of(name)):  # fmt: skip
        return scan(base, made, environments)
    return found


def _with_settings(base: Path, head: Path, folder: Path) -> Path:
    """Base's files with head's settings of environments, in `folder`."""
    (folder / "infra" / "environments").mkdir(parents=True)
    for source, target in ((base, folder), (base / "infra", folder / "infra")):
        for path in source.iterdir() if source.is_dir() else ():
            if path.name not in ("infra", "environments"):
                (target / path.name).symlink_to(path.absolute(), target_is_directory=path.is_dir())
    for path in sorted((head / "infra" / "environments").glob("*.toml")):
        shutil.copyfile(path, folder / "infra" / "environments" / path.name)
    return folder


def changed_checks(base: Path, head: Path) -> list[str]:
    """The files of checks, and of what they know of resource types, that differ between two working copies."""
    names = {
        path.relative_to(source).as_posix()
        for source in (base, head)
        for path in (*(source / "infra" / "policy").rglob("*.py"), source / "fonderie" / "core" / "resource_types.toml")
    }
    return sorted(name for name in names if _bytes(base / name) != _bytes(head / name))


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def new_waivers(base: Path, head: Path, masker: Masker) -> list[NewWaiver]:
    """The waivers that head has and base has not just so; one that is wider or longer is another."""
    before, after = (_waivers(source / "infra" / "policy" / "waivers.toml") for source in (base, head))
    return [
        NewWaiver(**{key: _clean(str(waiver.get(key, "")), masker) for key in ("check", "path", "reason", "expires")})
        for waiver in after
        if waiver not in before
    ]


def _waivers(path: Path) -> list[dict[str, Any]]:
    """The waivers of a file as they stand; of one that is not TOML none, and the scan says that."""
    try:
        found = tomllib.loads(_bytes(path).decode()).get("waiver", [])
    except (ValueError, RecursionError):
        return []
    return [waiver for waiver in found if isinstance(waiver, dict)] if isinstance(found, list) else []


def _run(source: Path, outdir: Path, environments: tuple[str, ...]) -> str:
    chosen = [part for name in environments for part in ("--env", name)]
    done = subprocess.run(
        [sys.executable, "-c", _CALL, _entry_point(source), "policy", "--out", str(outdir), "--json", *chosen],
        cwd=source,
        env={**harmless(), "PYTHONPATH": str(source.absolute()), "FONDERIE_HOME": str(home())},
        capture_output=True,
        text=True,
        check=False,
        timeout=_TIMEOUT_S,
    )
    try:
        answer = json.loads(done.stdout)
    except ValueError as error:
        message = (done.stderr.strip() or "it printed nothing").split("\n")[-1]
        raise ValueError(f"the policy scan failed: {message}") from error
    if "error" in answer:
        raise ValueError(f"the policy scan failed: {answer.get('what')}")
    return done.stdout


def _entry_point(source: Path) -> str:
    """`module:function` of a working copy's own `fonderie`: that of an older base may be another than ours."""
    project = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8")).get("project", {})
    entry = project.get("scripts", {}).get("fonderie")
    if not isinstance(entry, str):
        raise ValueError("the policy scan failed: pyproject.toml has no [project.scripts] fonderie")
    return entry


def compare(base: ScanResult | str, head: ScanResult | str, today: datetime.date, masker: Masker) -> PolicyResult:
    """Head's findings against base's, both by base's policy, as of `today`; a text says why there is no verdict."""
    if isinstance(head, str):
        return PolicyResult(unavailable=_clean(head, masker), broken=True)
    before = set() if isinstance(base, str) else {finding.key for finding in _all(base)}
    valid = [waived for waived in head.waived if waived.waiver.expires >= today]
    ended = set(_ended(head, today))
    uncovered = {*head.failed, *(waived.finding for waived in head.waived if waived not in valid)}
    findings = sorted(uncovered, key=lambda finding: (finding.check, finding.stack, finding.path, finding.detail))
    return PolicyResult(
        new=tuple(_cleaned(f, masker) for f in findings if f.key not in before and f not in ended),
        expired=tuple(_cleaned(finding, masker) for finding in findings if finding in ended),
        old=sum(finding.key in before and finding not in ended for finding in findings),
        mended=len(before - {finding.key for finding in _all(head)}),
        waived=len({waived.finding.key for waived in valid}),
        waived_until=min(waived.waiver.expires for waived in valid).isoformat() if valid else "",
        unavailable=_clean(f"base: {base}", masker) if isinstance(base, str) else "",
    )


def _all(verdict: ScanResult) -> Iterator[PolicyFinding]:
    yield from verdict.failed
    yield from (waived.finding for waived in verdict.waived)


def _ended(verdict: ScanResult, today: datetime.date) -> Iterator[PolicyFinding]:
    """The findings whose waiver has run out, when it was scanned or since."""
    yield from (waived.finding for waived in verdict.waived if waived.waiver.expires < today)
    for waiver, problem in verdict.problems:
        if problem is WaiverProblem.EXPIRED:
            for finding in verdict.failed:
                if finding.check == waiver.check and fnmatchcase(finding.path, waiver.path):
                    yield finding


def _clean(text: str, masker: Masker) -> str:
    return folded(printable(masker.text(text)), 300)


def _cleaned(finding: PolicyFinding, masker: Masker) -> PolicyFinding:
    texts = {name: _clean(value, masker) for name, value in finding if isinstance(value, str)}
    return finding.model_copy(update=texts)
