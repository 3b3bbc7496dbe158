"""What the components of every pipeline share: their image, their last task, and the machine they run on.

Only `artifact.path` is used in components: a body means the same on a laptop, on Vertex AI and on a cluster. The
image is put in when the pipeline is compiled (`pipelines.compile`). The word `python` in its place-holder keeps
Kubeflow's local runner from warning. `code_version` is an argument of every task: their caches look at arguments, not
at the packages in the image.

`job` is the engine's own name of the run: what a run is called that was started without a `run_id`, by a schedule.
"""

# Annotations are read by kfp: no `from __future__ import annotations` here.

import functools
from typing import Any

from kfp import dsl

from ml.models import ModelConfig

IMAGE = "python-of-fonderie"
component = functools.partial(dsl.component, base_image=IMAGE, install_kfp_package=False)


def on_machine(step: Any, config: ModelConfig) -> Any:
    """Set cores, memory and retries of a Kubeflow task; the local runner takes no notice of the first two."""
    wanted = config.task_compute(step.name)
    step.set_cpu_limit(wanted.cpu).set_memory_limit(wanted.memory)
    step.set_caching_options(False)
    if wanted.retries:
        step.set_retry(num_retries=wanted.retries, backoff_duration="30s", backoff_factor=2.0)
    return step


@component
def conclude(
    run_id: str,
    job: str,
    code_version: str,
    status: dsl.PipelineTaskFinalStatus,
    config: str = "",
    month: str = "",
    history: str = "",
    events: str = "",
) -> None:
    """One line in the log `events`, whatever happened: alerts look for it. A failed retraining is told to `history`."""
    from pipelines.monitoring import steps as monitoring_steps
    from pipelines.training import steps

    monitoring_steps.settle(config, month, history, status.state)
    steps.conclude(run_id or job, status.state, status.error_message, events)
