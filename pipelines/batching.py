"""What the batch component does: call `ml`, write artefacts; and running the batch pipeline on this machine."""

from __future__ import annotations

from pathlib import Path

from ml.config import ModelConfig
from pipelines.engines.engine import Progress


def predict(config: str, registry: str, month: str, data: str, version: str, out: str) -> str:
    """Write the month's predictions under `out`; the version's label. A retried task goes on where it was."""
    from ml.data.months import Month
    from ml.data.origins import open_origin
    from ml.registry import open_registry
    from ml.serving.batch import predict_month

    model = ModelConfig.model_validate_json(config)
    done = predict_month(
        model,
        Month.parse(month),
        open_registry(model.name, registry),
        version=version or None,
        out=Path(out),
        origin=open_origin(data),
    )
    print(f"{done.rows} predictions of {done.days} days by v{done.version:03d}")
    return f"v{done.version:03d}"


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

    from ml.data.months import Month
    from ml.data.sources import source
    from pipelines.compile import compiled
    from pipelines.engines.local import IMAGE, LocalEngine
    from pipelines.running import new_run_id

    source().require([Month.parse(month)])
    engine = LocalEngine()
    run_id = new_run_id(f"batch-{model}", Month.parse(month), datetime.now(UTC))
    parameters = batch_parameters(month, run_id, registry=registry, version=version)
    engine.submit(compiled(model, "batch", IMAGE), run_id, parameters)
    engine.wait(run_id, progress)
    return engine.artefacts(run_id)["predict/predictions"]
