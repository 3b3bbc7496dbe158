"""Synth of one environment and of all, a process each time, against an empty stack; memory of both halves.

The prebuilt `cdktf-cdktf-provider-google` is measured beside it if `PREBUILT_PYTHON` names a Python that has it (a
throw-away environment: it needs 1 GB).
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from infra.bindings import ROOT
from infra.settings import environment_names
from tests.benchmarks.rows import Row, seconds

EMPTY = """
from infra.bindings import App, TerraformStack
import sys
app = App(outdir=sys.argv[1]); TerraformStack(app, "empty"); app.synth()
"""
# The same resource of the data stack's kind, many times: what differs is where the class comes from.
BUCKETS = """
import sys
from cdktf import App, TerraformStack
from {package}.provider import GoogleProvider
from {package}.storage_bucket import StorageBucket, StorageBucketVersioning
app = App(outdir=sys.argv[1]); stack = TerraformStack(app, "many"); GoogleProvider(stack, "google", project="p")
on = StorageBucketVersioning(enabled=True)
for index in range(20):
    StorageBucket(stack, f"b{{index}}", name=f"b{{index}}", location="EU", versioning=on)
app.synth()
"""


def run(command: list[str], **environment: str) -> None:
    """One process, as a person would start it."""
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]


def memory_mb(command: list[str], **environment: str) -> float:
    """The most that Python and the Node process it starts held, together: sampled from /proc each 20 ms."""
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    most = 0.0
    while True:
        try:
            process.wait(timeout=0.02)
            return most
        except subprocess.TimeoutExpired:
            most = max(most, sum(map(_resident_mb, _family(process.pid))))


def _family(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *(each for child in children for each in _family(int(child)))]


def _resident_mb(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * resource.getpagesize() / 1024**2


def measure() -> Iterator[Row]:
    """Compiled specs and bindings' bytecode are there already: the first run is not counted."""
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "out")
        empty = [sys.executable, "-c", EMPTY, out]
        app = [sys.executable, "-m", "ci.synth"]
        run(app, CDKTF_OUTDIR=out)
        stacks = json.loads((Path(out) / "manifest.json").read_text())["stacks"]

        # Turn by turn and the best of each: what else the machine does then weighs on all three alike.
        rounds = [
            (
                seconds(lambda: run(empty), runs=1),
                seconds(lambda: run([*app, "--env", "prod"], CDKTF_OUTDIR=out), runs=1),
                seconds(lambda: run(app, CDKTF_OUTDIR=out), runs=1),
            )
            for _ in range(7)
        ]
        base, one, every = (min(times) for times in zip(*rounds, strict=True))
        held = memory_mb([*app, "--env", "prod"], CDKTF_OUTDIR=out)
        size = {name: _resources(Path(out), name) for name in environment_names()}

        least, most = min(size.values()), max(size.values())
        name = "an empty stack"
        yield Row(f"synth of prod, {size['prod']} resources", one, "s", "<= 3x", one <= 3 * base, base, name)
        yield Row(f"synth of all, {len(stacks)} stacks", every, "s", "<= 5x", every <= 5 * base, base, name)
        yield Row("Python and Node together, prod", held, "MB", "<= 300 MB", held <= 300)
        yield Row(f"resources an environment, at least ({least}) and at most", most, "", "about 90 to 130", most <= 135)
        if prebuilt := os.environ.get("PREBUILT_PYTHON"):
            yield _against(prebuilt, out)


def _against(prebuilt: str, out: str) -> Row:
    ours = [sys.executable, "-c", BUCKETS.format(package="imports.google"), out]
    theirs = [prebuilt, "-c", BUCKETS.format(package="cdktf_cdktf_provider_google"), out]
    run(theirs)  # bytecode and jsii's cache
    generated, installed = seconds(lambda: run(ours)), seconds(lambda: run(theirs))
    reached = installed >= 5 * generated
    return Row("20 buckets, generated bindings", generated, "s", "<= 1/5", reached, installed, "the prebuilt package")


def _resources(out: Path, environment: str) -> int:
    files = sorted((out / "stacks").glob(f"{environment}-*/cdk.tf.json"))
    return sum(len(each) for file in files for each in json.loads(file.read_text())["resource"].values())
