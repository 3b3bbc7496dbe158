"""checkov, in process, over one stack's `cdk.tf.json`.

Only its `terraform_json` framework reads such a file: `terraform` and `terraform_plan` scan nothing and exit 0. It
calls some resources `resource.NAME`, without their type; the construct path comes from the lines it quotes.
"""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

from fonderie.core.errors import StepFailedError
from infra.policy.findings import PolicyFinding
from infra.synthesised import Resource, SynthesisedStack


def _runner() -> Any:
    os.environ.setdefault("LOG_LEVEL", "ERROR")  # read when checkov is imported
    from checkov.terraform_json.runner import TerraformJsonRunner

    logging.getLogger("checkov").setLevel(logging.ERROR)
    return TerraformJsonRunner()


def _quoted(record: Any) -> tuple[str, str]:
    """(name, construct path) of the resource whose lines a record quotes."""
    text = "".join(line for _, line in record.code_block).strip().rstrip(",")
    ((name, values),) = json.loads("{" + text + "}").items()
    return name, values.get("//", {}).get("metadata", {}).get("path", name).removesuffix("/Default")


def _finding(record: Any, stack: SynthesisedStack, by_place: dict[tuple[str, str], Resource]) -> PolicyFinding:
    name, path = _quoted(record)
    resource = by_place.get((name, path))
    return PolicyFinding(
        check=record.check_id,
        what=record.check_name,
        stack=stack.name,
        path=path,
        address=resource.address if resource else record.resource,
        line=record.file_line_range[0],
    )


class _Crashes(logging.Filter):
    """Keeps checkov's word of a check that failed to run, which it else prints with a traceback and forgets."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def filter(self, record: logging.LogRecord) -> bool:
        """Take the record out of the log if it is one."""
        message = record.getMessage()
        if crashed := message.startswith("Failed to run check"):
            self.messages.append(message)
        return not crashed


def _unchecked(stack: SynthesisedStack, message: str) -> PolicyFinding:
    address = message.rpartition(":")[2]
    path = next((one.path for one in stack.resources if one.address == address), stack.name)
    return PolicyFinding(
        check="FND_UNCHECKED",
        what="checkov can judge every resource",
        stack=stack.name,
        path=path,
        address=address,
        detail=message,
    )


def scan(stack: SynthesisedStack) -> tuple[int, list[PolicyFinding]]:
    """(number of checks made, what failed) for one stack.

    Raises:
        StepFailedError: checkov could not read the stack.
    """
    from checkov.runner_filter import RunnerFilter

    crashes, root = _Crashes(), logging.getLogger()
    runner = _runner()
    root.addFilter(crashes)
    try:
        report = runner.run(root_folder=str(stack.folder), runner_filter=RunnerFilter(framework=["terraform_json"]))
    finally:
        root.removeFilter(crashes)
    if report.parsing_errors:
        raise StepFailedError("checkov could not parse it", where=Path(report.parsing_errors[0]))
    made = len(report.passed_checks) + len(report.failed_checks)
    if not made and stack.resources:
        raise StepFailedError("checkov ran no checks", where=stack.folder, hint="has the format of its output changed?")
    by_place = {(resource.name, resource.path): resource for resource in stack.resources}
    findings = {_finding(record, stack, by_place) for record in report.failed_checks}
    findings |= {_unchecked(stack, message) for message in crashes.messages}
    return made, sorted(findings, key=lambda finding: (finding.check, finding.path))
