"""The policy scan of a working copy's stacks, by that working copy's own checks and waivers."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

from pydantic import ValidationError

from ci.preview.build.policy import Scan, Waiver
from ci.preview.build.synthesis import Synthesised
from ci.preview.report import Finding
from fonderie.core.files import write_text
from fonderie.core.home import home
from infra.policy.findings import Verdict, WaiverProblem

_TIMEOUT_S = 300


def scan(source: Path, made: Synthesised, environments: tuple[str, ...]) -> Scan:
    """What policy finds in `made`; the same content is scanned once. A scan that fails says why instead."""
    found = hashlib.sha256("".join(made.digest(name) for name in environments).encode())
    policy = source / "infra" / "policy"
    for path in sorted([*policy.rglob("*.py"), *policy.rglob("*.toml")]):
        found.update(path.read_bytes())
    kept = home() / "cache" / "preview" / "policy" / f"{found.hexdigest()[:32]}.json"
    try:
        if not kept.is_file():
            write_text(kept, _run(source, made.folder, environments))
        return _as_scan(Verdict.model_validate_json(kept.read_text(encoding="utf-8")))
    except (OSError, ValueError, ValidationError, subprocess.TimeoutExpired) as error:
        return Scan(unavailable=str(error).split("\n")[0])


def _run(source: Path, outdir: Path, environments: tuple[str, ...]) -> str:
    chosen = [part for name in environments for part in ("--env", name)]
    done = subprocess.run(
        [sys.executable, "-m", "fonderie.cli.main", "policy", "--out", str(outdir), "--json", *chosen],
        cwd=source,
        env={**os.environ, "PYTHONPATH": str(source.absolute()), "FONDERIE_HOME": str(home())},
        capture_output=True,
        text=True,
        check=False,
        timeout=_TIMEOUT_S,
    )
    try:
        answer = json.loads(done.stdout)
    except ValueError as error:
        said = (done.stderr.strip() or "it said nothing").split("\n")[-1]
        raise ValueError(f"the policy scan failed: {said}") from error
    if "error" in answer:
        raise ValueError(f"the policy scan failed: {answer.get('what')}")
    return done.stdout


def _as_scan(verdict: Verdict) -> Scan:
    waivers = [
        Waiver(check=one.finding.check, stack=one.finding.stack, resource=one.finding.path, reason=one.waiver.reason,
               expires=one.waiver.expires)
        for one in verdict.waived
    ]  # fmt: skip
    for waiver, problem in verdict.problems:
        if problem is WaiverProblem.EXPIRED:
            waivers += [
                Waiver(check=waiver.check, stack=finding.stack, resource=finding.path, reason=waiver.reason,
                       expires=waiver.expires)
                for finding in verdict.failed
                if finding.check == waiver.check and fnmatch.fnmatchcase(finding.path, waiver.path)
            ]  # fmt: skip
    everything = [*verdict.failed, *(one.finding for one in verdict.waived)]
    findings = [
        Finding(check=one.check, title=one.what, stack=one.stack, resource=one.path, hint=one.detail)
        for one in everything
    ]
    return Scan(findings=tuple(findings), waivers=tuple(waivers))
