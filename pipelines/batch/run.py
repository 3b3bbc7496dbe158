"""Run the batch pipeline on this machine."""

from __future__ import annotations

from pathlib import Path

from pipelines.engines.engine import Progress


def batch_parameters(month: str, run_id: str, *, registry: str = "", version: str = "") -> dict[str, str]:
    """What a run of the batch pipeline is given here; its data are this machine's."""
    return {"month": month, "run_id": run_id, "registry": registry, "version": version}


def run_batch(
    model: str, month: str, *, version: str = "", registry: str = "", progress: Progress | None = None
) -> Path:
    """Run the batch pipeline through Kubeflow's local runner; the folder of the predictions.

    Raises BadInputError (no such model), BadDataError (no such month), StepFailedError (a task failed).
    """
    from datetime import UTC, datetime

    from ml.datasets.months import Month
    from ml.datasets.sources import source
    from pipelines.compile import compile_pipeline
    from pipelines.engines.local import IMAGE, LocalEngine
    from pipelines.training.run import new_run_id

    source().require([Month.parse(month)])
    engine = LocalEngine()
    run_id = new_run_id(f"batch-{model}", Month.parse(month), datetime.now(UTC))
    parameters = batch_parameters(month, run_id, registry=registry, version=version)
    engine.submit(compile_pipeline(model, "batch", IMAGE), run_id, parameters)
    engine.wait(run_id, progress)
    return engine.artefacts(run_id)["predict/predictions"]
