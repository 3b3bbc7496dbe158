"""A verdict as SARIF 2.1.0, which code hosts show beside the lines of a change."""

from __future__ import annotations

from typing import Any

from infra.policy.findings import PolicyFinding, ScanResult

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def _result(finding: PolicyFinding, *, reason: str | None = None) -> dict[str, Any]:
    detail = f" ({finding.detail})" if finding.detail else ""
    result: dict[str, Any] = {
        "ruleId": finding.check,
        "level": "error",
        "message": {"text": f"{finding.address} at {finding.path}: {finding.what}{detail}"},
        "partialFingerprints": {"fonderie/v1": f"{finding.check}:{finding.path}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": f"cdktf.out/stacks/{finding.stack}/cdk.tf.json"},
                    "region": {"startLine": finding.line},
                },
                "logicalLocations": [{"fullyQualifiedName": finding.path, "kind": "resource"}],
            }
        ],
    }
    if reason is not None:
        result["suppressions"] = [{"kind": "external", "justification": reason}]
    return result


def sarif(verdict: ScanResult) -> dict[str, Any]:
    """One run; a waived finding is a suppressed result with the waiver's reason."""
    findings = [*verdict.failed, *(one.finding for one in verdict.waived)]
    rules = {finding.check: finding.what for finding in findings}
    results = [_result(finding) for finding in verdict.failed]
    results += [_result(one.finding, reason=one.waiver.reason) for one in verdict.waived]
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "fonderie policy",
                        "informationUri": "https://www.checkov.io/",
                        "rules": [
                            {"id": check, "shortDescription": {"text": what}} for check, what in sorted(rules.items())
                        ],
                    }
                },
                "results": results,
            }
        ],
    }
