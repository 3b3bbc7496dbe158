"""The components of the monitoring pipeline, a few lines each over `pipelines.monitoring.steps`."""

# Annotations are read by kfp: no `from __future__ import annotations` here.

from kfp import dsl

from pipelines.component import component


@component
def monitor(
    config: str,
    month: str,
    data: str,
    code_version: str,
    registry: str,
    history: str,
    verdict: dsl.Output[dsl.Artifact],
) -> None:
    """The month against the champion's reference."""
    from pipelines.monitoring import steps

    steps.monitor(config, month, data, registry, history, verdict.path)


@component
def judge(
    config: str,
    code_version: str,
    history: str,
    events: str,
    verdict: dsl.Input[dsl.Artifact],
    decision: dsl.Output[dsl.Artifact],
) -> str:
    """`retrain`, `wait` or `investigate`, and the record of why."""
    from pipelines.monitoring import steps

    return steps.judge(config, history, events, verdict.path, decision.path)


@component
def request(config: str, code_version: str, history: str, topic: str, decision: dsl.Input[dsl.Artifact]) -> str:
    """Ask for the retraining; the id of its run."""
    from pipelines.monitoring import steps

    return steps.request(config, history, topic, decision.path)


@component
def rest(code_version: str, decision: dsl.Input[dsl.Artifact]) -> str:
    """Say why nothing is trained."""
    from pipelines.monitoring import steps

    return steps.rest(decision.path)


@component
def report(
    config: str,
    code_version: str,
    history: str,
    verdict: dsl.Input[dsl.Artifact],
    decision: dsl.Input[dsl.Artifact],
    page: dsl.Output[dsl.HTML],
) -> None:
    """The month as one HTML page."""
    from pipelines.monitoring import steps

    steps.report(config, history, verdict.path, decision.path, page.path)
