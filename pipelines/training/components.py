"""The components of the training pipeline: a few lines each over `pipelines.training.steps`."""

# Annotations are read by kfp: no `from __future__ import annotations` here.

from kfp import dsl

from pipelines.component import component


@component
def extract(config: str, month: str, data: str, code_version: str, partitions: dsl.Output[dsl.Artifact]) -> None:
    """Which months of data the run is made of."""
    from pipelines.training import steps

    steps.extract(config, month, data, partitions.path)


@component
def validate(
    config: str, code_version: str, partitions: dsl.Input[dsl.Artifact], contracts: dsl.Output[dsl.Artifact]
) -> None:
    """Every partition through its contract; stops above the model's limit."""
    from pipelines.training import steps

    steps.validate(config, partitions.path, contracts.path)


@component
def features(
    config: str,
    code_version: str,
    registry: str,
    partitions: dsl.Input[dsl.Artifact],
    contracts: dsl.Input[dsl.Artifact],
    training: dsl.Output[dsl.Dataset],
    holdout: dsl.Output[dsl.Dataset],
    lineage: dsl.Output[dsl.Artifact],
) -> None:
    """Rows to train on, rows held out, and what both are made of."""
    from pipelines.training import steps

    steps.features(config, partitions.path, training.path, holdout.path, lineage.path, registry)


@component
def train(
    config: str,
    code_version: str,
    training: dsl.Input[dsl.Dataset],
    challenger: dsl.Output[dsl.Model],
) -> None:
    """The challenger."""
    from pipelines.training import steps

    steps.train(config, training.path, challenger.path)


@component
def evaluate(
    config: str,
    code_version: str,
    registry: str,
    challenger: dsl.Input[dsl.Model],
    holdout: dsl.Input[dsl.Dataset],
    lineage: dsl.Input[dsl.Artifact],
    evaluation: dsl.Output[dsl.Artifact],
) -> None:
    """Challenger and champion on the same held-out rows."""
    from pipelines.training import steps

    steps.evaluate(config, registry, challenger.path, holdout.path, lineage.path, evaluation.path)


@component
def gate(
    config: str,
    code_version: str,
    registry: str,
    evaluation: dsl.Input[dsl.Artifact],
    lineage: dsl.Input[dsl.Artifact],
    decision: dsl.Output[dsl.Artifact],
) -> str:
    """`promote` or `keep`, and the record of why."""
    from pipelines.training import steps

    return steps.gate(config, registry, evaluation.path, lineage.path, decision.path)


@component
def promote(
    config: str,
    code_version: str,
    registry: str,
    run_id: str,
    job: str,
    commit: str,
    challenger: dsl.Input[dsl.Model],
    lineage: dsl.Input[dsl.Artifact],
    evaluation: dsl.Input[dsl.Artifact],
    decision: dsl.Input[dsl.Artifact],
) -> str:
    """Register the challenger and make it champion; its version."""
    from pipelines.training import steps

    made = steps.promotion_files(challenger.path, lineage.path, evaluation.path, decision.path)
    return steps.promote(config, registry, steps.origin(run_id or job, commit, code_version), made)


@component
def keep(code_version: str, decision: dsl.Input[dsl.Artifact]) -> str:
    """Say why the champion stays."""
    from pipelines.training import steps

    return steps.keep(decision.path)


@component
def report(
    config: str,
    code_version: str,
    registry: str,
    run_id: str,
    job: str,
    version: str,
    contracts: dsl.Input[dsl.Artifact],
    lineage: dsl.Input[dsl.Artifact],
    evaluation: dsl.Input[dsl.Artifact],
    decision: dsl.Input[dsl.Artifact],
    page: dsl.Output[dsl.HTML],
) -> None:
    """The run as one HTML page."""
    from pipelines.training import steps

    seen = steps.report_files(contracts.path, lineage.path, evaluation.path, decision.path)
    steps.report(config, registry, run_id or job, version, seen, page.path)
