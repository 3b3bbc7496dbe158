"""What a task runs on where it does not run on a laptop, from the model's [compute.*]."""

from __future__ import annotations

from typing import Any

from ml.config import ModelConfig


def on_machine(step: Any, config: ModelConfig) -> Any:
    """Set cores, memory and retries of a Kubeflow task; the local runner takes no notice of the first two."""
    wanted = config.task_compute(step.name)
    step.set_cpu_limit(wanted.cpu).set_memory_limit(wanted.memory)
    step.set_caching_options(False)
    if wanted.retries:
        step.set_retry(num_retries=wanted.retries, backoff_duration="30s", backoff_factor=2.0)
    return step
