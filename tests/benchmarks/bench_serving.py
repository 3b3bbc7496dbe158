"""The prediction server beside what people usually write, on the same model, machine and run, asked by wrk.

BENCH_PEERS=1 installs MLServer, BentoML and mlflow into throw-away environments and measures those that start.
BENCH_ENDURANCE_S=600 makes the endurance run as long as the issue wants it; a minute otherwise.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa

from fonderie.core.home import home
from fonderie.demo.server_process import server_process
from ml.datasets.months import Month
from ml.features.tables import build
from ml.models import load_model
from ml.serving.load import LoadPlan, bodies_of, run
from ml.serving.scoring.compiled_version import probe_instances
from ml.training import artefact
from ml.training.fit import fit
from tests.benchmarks.rows import Row

SECONDS = 6
CONNECTIONS = 4
ROUNDS = 2


def measure() -> Iterator[Row]:
    """Rates, latencies, start, memory, endurance."""
    folder = _version()
    instances = probe_instances(folder)
    single, hundred = bodies_of(instances, 1)[0], bodies_of(instances, 100)[0]
    with server_process(AIP_STORAGE_URI=str(folder)) as ours, _fastapi(folder) as theirs:
        yield from _beside(f"{ours.url}/predict", theirs, single, hundred)
        memory = ours.memory_mb()
    ready = sorted(_ready_s(folder) for _ in range(3))[1]
    yield Row("serving: process start to ready", ready, "s", "<= 2 s", ready <= 2)
    yield Row("serving: resident memory after the load", memory, "MB", "<= 200 MB", memory <= 200)
    yield from _endurance(folder)
    if os.environ.get("BENCH_PEERS"):
        from tests.benchmarks.serving_peers import measure_peers

        yield from measure_peers(folder, single)


def _version() -> Path:
    """air_time trained on April 2013, as `fonderie run training` would leave it."""
    folder = home() / "cache" / "bench-serving"
    if not (folder / "serving.json").exists():
        config = load_model("air_time")
        rows = build(config, [Month(2013, 4)]).table()
        rows = rows.filter(pa.compute.is_valid(rows["target"]))
        artefact.save(config, fit(config, rows), rows, folder)
    return folder


def _beside(ours: str, theirs: str, single: bytes, hundred: bytes) -> Iterator[Row]:
    for what, body, factor in (("one instance", single, 25.0), ("one hundred instances", hundred, 2.4)):
        pairs = [(wrk(ours, body), wrk(theirs, body)) for _ in range(ROUNDS)]
        mine, other = max((p[0] for p in pairs), key=_rate), max((p[1] for p in pairs), key=_rate)
        ratio = mine.rate / other.rate
        name = "FastAPI + pandas + scikit-learn pipeline"
        reach = f">= {factor:g} x; p99 {mine.p99_ms:.2f} ms against {other.p99_ms:.1f} ms"
        yield Row(f"serving: {what}", mine.rate, "requests/s", reach, ratio >= factor, other.rate, name)


def _ready_s(folder: Path) -> float:
    with server_process(AIP_STORAGE_URI=str(folder)) as server:
        return server.ready_s


def _endurance(folder: Path) -> Iterator[Row]:
    """At 80 % of this client's peak: no error, no growth of the memory after the first tenth."""
    seconds = float(os.environ.get("BENCH_ENDURANCE_S", "60"))
    bodies = bodies_of(probe_instances(folder), 1)
    log = Path(tempfile.mkdtemp(prefix="bench-log-"))
    with server_process(AIP_STORAGE_URI=str(folder), SERVING_LOG_SINK=str(log)) as server:
        peak = run(LoadPlan(f"{server.url}/predict", bodies, 5)).rate
        run(LoadPlan(f"{server.url}/predict", bodies, seconds / 10, rate=0.8 * peak))
        before = server.memory_mb()
        load = run(LoadPlan(f"{server.url}/predict", bodies, seconds, rate=0.8 * peak))
        growth = server.memory_mb() - before
    shutil.rmtree(log)
    what = f"serving: {seconds / 60:g} minutes at {load.rate:,.0f} requests/s (80 % of the peak), failed requests"
    yield Row(what, load.failed, "failures", "0", not load.failed)
    yield Row("serving: growth of memory over that time", growth, "MB", "< 5 MB", growth < 5)


@dataclass(frozen=True)
class Wrk:
    """What wrk says."""

    rate: float
    p50_ms: float
    p99_ms: float
    failed: int


def _rate(result: Wrk) -> float:
    return result.rate


def wrk(url: str, body: bytes, *, seconds: int = SECONDS) -> Wrk:
    """Ask with wrk, or with our own client where it is not installed."""
    program = shutil.which("wrk")
    if program is None:
        load = run(LoadPlan(url, [body], seconds, CONNECTIONS))
        return Wrk(load.rate, load.quantile_ms(0.5), load.quantile_ms(0.99), load.failed)
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(
            f'wrk.method="POST"\nwrk.headers["content-type"]="application/json"\nwrk.body=[==[{body.decode()}]==]\n'
        )
        script.flush()
        words = [program, "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", "-s", script.name, url]
        said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    failed = sum(int(number) for number in re.findall(r"(?:Non-2xx.*?: |timeout |read |write )(\d+)", said))
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])  # type: ignore[index]  # wrk always says it
    return Wrk(rate, _quantile(said, "50%"), _quantile(said, "99%"), failed)


def _quantile(said: str, name: str) -> float:
    value, unit = re.search(rf"{name}\s+([\d.]+)(us|ms|s)\b", said).groups()  # type: ignore[union-attr]  # it does
    return float(value) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[unit]


FASTAPI = """
import sys
import pandas as pd
from fastapi import FastAPI
from pydantic import BaseModel
import skops.io

pipeline = skops.io.load(sys.argv[1], trusted=skops.io.get_untrusted_types(file=sys.argv[1]))
NUMBERS, NAMES = sys.argv[3].split(","), sys.argv[4].split(",")
fields = {name: float | None for name in NUMBERS} | {name: str | None for name in NAMES}
Instance = type("Instance", (BaseModel,), {"__annotations__": fields})

class Body(BaseModel):
    instances: list[Instance]

app = FastAPI()

@app.post("/predict")
def predict(body: Body) -> dict[str, list[float]]:
    frame = pd.DataFrame([instance.model_dump() for instance in body.instances])
    frame[NUMBERS] = frame[NUMBERS].astype(float)
    frame[NAMES] = frame[NAMES].astype("str")
    return {"predictions": pipeline.predict(frame).tolist()}

@app.get("/health")
def health() -> str:
    return "ok"

import uvicorn
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning")
"""


@contextmanager
def _fastapi(folder: Path) -> Iterator[str]:
    """The usual server, in this environment plus FastAPI from a throw-away one; the same uvicorn, loop and parser."""
    from fonderie.demo.server_process import free_port

    config = load_model("air_time")
    with ExitStack() as stack:
        extra = stack.enter_context(packages("fastapi"))
        port = free_port()
        names = [",".join(config.features.numeric), ",".join(config.features.categorical)]
        process = subprocess.Popen(
            [sys.executable, "-c", FASTAPI, str(folder / artefact.MODEL), str(port), *names],
            env={**os.environ, "PYTHONPATH": str(extra), "OMP_NUM_THREADS": "1"},
        )
        stack.callback(process.wait)
        stack.callback(process.terminate)
        url = f"http://127.0.0.1:{port}"
        wait_for(f"{url}/health", process)
        _same_answers(f"{url}/predict", folder)
        yield f"{url}/predict"


@contextmanager
def packages(*names: str) -> Iterator[Path]:
    """A folder with these packages beside what is installed here, for PYTHONPATH; kept for the next run."""
    folder = home() / "cache" / "bench-packages" / "-".join(names)
    if not folder.exists():
        uv = [sys.executable, "-m", "uv", "pip", "install", "-q", "--target", str(folder), *names]
        subprocess.run(uv, check=True)
        for double in ("pydantic", "pydantic_core", "starlette", "anyio", "typing_extensions.py"):
            path = folder / double  # the versions of this environment are the ones to compare with
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    yield folder


def wait_for(url: str, process: subprocess.Popen[bytes], *, seconds: float = 60.0) -> None:
    """Until the address answers."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"ended with {process.returncode}")
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"{url} did not answer within {seconds:g} s")


def _same_answers(url: str, folder: Path) -> None:
    """A baseline that answers something else would be none."""
    instances = probe_instances(folder)[:50]
    body = msgspec.json.encode({"instances": instances})
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        theirs = np.array(msgspec.json.decode(answer.read())["predictions"])
    ours = np.array(msgspec.json.decode((folder / "serving-probes.json").read_bytes())["predictions"][:50])
    assert np.abs(theirs - ours).max() < 1e-6, "the baseline answers something else"
