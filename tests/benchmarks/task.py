"""One task in a process of its own, measured from within: `python -m tests.benchmarks.task STEP FOLDER [MONTH]`.

Prints seconds without the imports of this module, processor seconds, and the peak of its memory, as JSON. Where the
months are, FONDERIE_DATA says; what goes from task to task lies in FOLDER.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ml.models import load_model

MODEL = "air_time"


@dataclass(frozen=True)
class Taken:
    """What a task took."""

    seconds: float
    processor_seconds: float
    peak_mb: float


def run(step: str, folder: Path, data: Path, home: Path, month: str = "") -> Taken:
    """Run `step` in a fresh process on the months in `data`."""
    seen = os.environ | {"FONDERIE_DATA": str(data), "FONDERIE_HOME": str(home), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.benchmarks.task", step, str(folder), month]
    done = subprocess.run(command, env=seen, stdout=subprocess.PIPE, text=True, check=True)
    return Taken(**json.loads(done.stdout.splitlines()[-1]))


def _steps(folder: Path, month: str) -> dict[str, Callable[[], object]]:
    from pipelines.training import steps

    config = load_model(MODEL).model_dump_json()
    at = {name: str(folder / name) for name in ("partitions", "contracts", "lineage", "challenger", "evaluation")}
    training, holdout = str(folder / "training.parquet"), str(folder / "holdout.parquet")
    registry = str(folder / "registry")
    return {
        "extract": lambda: steps.extract(config, month, "", at["partitions"]),
        "validate": lambda: steps.validate(config, at["partitions"], at["contracts"]),
        "features": lambda: steps.features(config, at["partitions"], training, holdout, at["lineage"]),
        "train": lambda: steps.train(config, training, at["challenger"]),
        "evaluate": lambda: steps.evaluate(
            config, registry, at["challenger"], holdout, at["lineage"], at["evaluation"]
        ),
        "all features": _all_features,
    }


def _all_features() -> None:
    """Feature files of every month there is; their contracts were looked at before."""
    from ml.datasets.sources import source
    from ml.features.tables import build

    build(load_model(MODEL), source().months())


def _peak_mb() -> float:
    """Of this process alone: `ru_maxrss` would begin with what its parent had in memory."""
    status = Path("/proc/self/status").read_text().split("VmHWM:")[1]
    return round(int(status.split()[0]) / 1024, 1)


def main() -> None:
    """Run the step that the command line names."""
    step, folder, month = sys.argv[1:4]
    start, used = time.perf_counter(), time.process_time()
    _steps(Path(folder), month)[step]()
    taken = Taken(
        round(time.perf_counter() - start, 3),
        round(time.process_time() - used, 3),
        _peak_mb(),
    )
    print(json.dumps(taken.__dict__))


if __name__ == "__main__":
    main()
