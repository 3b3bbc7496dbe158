"""Policy over every stack of every environment, after imports."""

from __future__ import annotations

import datetime
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ci.synth import synthesise
from infra.policy.findings import read_waivers
from infra.policy.scan import evaluate
from infra.settings import environment_names, load_environment
from infra.synthesised import read_stacks
from tests.benchmarks.rows import Row, seconds


def measure() -> Iterator[Row]:
    """The first scan imports checkov and is not counted."""
    environments = {name: load_environment(name) for name in environment_names()}
    with tempfile.TemporaryDirectory() as folder:
        synthesise(list(environments.values()), Path(folder))
        stacks = read_stacks(Path(folder))

        def scan() -> object:
            return evaluate(stacks, environments, read_waivers(), today=datetime.date.today(), complete=True)

        scan()
        taken = seconds(scan)
    yield Row(f"policy over {len(stacks)} stacks, after import", taken, "s", "<= 5 s", taken <= 5)
