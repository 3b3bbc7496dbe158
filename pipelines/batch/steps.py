"""What the batch component does: call `ml`, write artefacts."""

from __future__ import annotations

from pathlib import Path

from ml.models import ModelConfig


def predict(config: str, registry: str, month: str, data: str, version: str, out: str) -> str:
    """Write the month's predictions under `out`; the version's label. A retried task goes on where it was."""
    from ml.datasets.months import Month
    from ml.datasets.origins import open_origin
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
