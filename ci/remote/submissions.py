"""Runs of pipelines in an environment: what each is called, and what it is given."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from fonderie.core.errors import BadInputError
from infra import names
from infra.settings import Environment
from ml.datasets.months import Month
from ml.models import load_model
from pipelines.compile import code_version, compile_pipeline
from pipelines.engines import PipelineEngine, Run


@dataclass(frozen=True)
class Submission:
    """One run to be had. `parameters` are the pipeline's own."""

    pipeline: str
    model: str
    run_id: str
    parameters: dict[str, str]


def training(env: Environment, model: str, month: Month, commit: str) -> Submission:
    """Training for `month`. The same model, configuration, month and code is the same run, wherever it is asked for."""
    config = hashlib.sha256(load_model(model).model_dump_json().encode()).hexdigest()
    run_id = f"training-{_readable(model, month)}-{code_version()[:8]}-{config[:6]}"
    return Submission("training", model, run_id, _common(env, run_id, month) | {"commit": commit})


def batch(env: Environment, model: str, month: Month, now: datetime, version: str = "") -> Submission:
    """Predictions of `month` by `version`, or by the champion of the moment: each time it is asked, a run."""
    run_id = f"batch-{_readable(model, month)}-{_moment(now)}"
    return Submission("batch", model, run_id, _common(env, run_id, month) | {"version": version})


def monitoring(env: Environment, model: str, month: Month, now: datetime, *, retrain: bool) -> Submission:
    """Comparison of `month` with the champion's reference; with `retrain` what it decides is asked for.

    Raises BadInputError: the environment has no continuous training to ask.
    """
    if retrain and not env.features.continuous_training:
        raise BadInputError(
            f"{env.name} has no continuous training", where="--retrain", hint="features.continuous_training = true"
        )
    run_id = f"monitoring-{_readable(model, month)}-{_moment(now)}"
    topic = names.topic_path(env, names.RETRAIN) if retrain else ""
    given = _common(env, run_id, month) | {"history": names.monitoring_history(env), "topic": topic}
    return Submission("monitoring", model, run_id, given)


def submit(engine: PipelineEngine, env: Environment, wanted: Submission) -> Run:
    """Start the run, or find it (`Run.found`), if it was asked for before. Raises BadInputError: no image yet."""
    if not env.images.complete:
        hint = "build them, then set pipelines and serving: docs/getting-started.md"
        raise BadInputError(f"{env.name} has no images", where=f"infra/environments/{env.name}.toml: images", hint=hint)
    spec = compile_pipeline(wanted.model, wanted.pipeline, names.image(env, names.ImageName.PIPELINES))
    return engine.submit(spec, wanted.run_id, wanted.parameters)


def _readable(model: str, month: Month) -> str:
    return f"{load_model(model).name.replace('_', '-')}-{month}"


def _moment(now: datetime) -> str:
    return f"{now:%Y%m%d%H%M%S}{now.microsecond // 1000:03d}"


def _common(env: Environment, run_id: str, month: Month) -> dict[str, str]:
    return {
        "month": str(month),
        "run_id": run_id,
        "registry": names.registry_location(env),
        "data": names.data_location(env),
        "events": names.event_log(env),
    }
