"""The scan: every check over every stack, waivers applied."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence

from fonderie.core.errors import StepFailedError
from infra.policy import checkov_scan, checks
from infra.policy.findings import PolicyFinding, ScanResult, Waiver, apply_waivers
from infra.settings import Environment
from infra.synthesised import SynthesisedStack


def evaluate(
    stacks: Sequence[SynthesisedStack],
    environments: Mapping[str, Environment],
    waivers: Sequence[Waiver],
    *,
    today: datetime.date,
    complete: bool,
    progress: Callable[[str], None] = lambda _: None,
) -> ScanResult:
    """Scan `stacks`; `environments` holds the settings of each stack's environment by name.

    `complete` says that these are all the environments there are: then a waiver that covers nothing fails.

    Raises:
        StepFailedError: checkov could not read a stack, or checked nothing in any of them: that is never a pass.
    """
    findings: list[PolicyFinding] = []
    checked, by_checkov = {}, 0
    for stack in stacks:
        progress(stack.name)
        made, failed = checkov_scan.scan(stack)
        own_made, own_failed = checks.scan(stack, environments[stack.environment])
        by_checkov += made
        checked[stack.name] = made + own_made
        findings += [*failed, *own_failed]
    if not by_checkov:
        raise StepFailedError("checkov ran no checks", where=", ".join(checked), hint="is the synth empty?")
    kept, waived, problems = apply_waivers(findings, waivers, today=today, complete=complete, environments=environments)
    return ScanResult(checked=checked, failed=tuple(kept), waived=tuple(waived), problems=tuple(problems))
