"""mlflow, BentoML and MLServer with the same pipeline, each in an environment of its own, used as its guide says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import msgspec

from fonderie.core.home import home
from fonderie.demo.server_process import free_port, server_process
from ml.models import load_model
from ml.training import artefact
from tests.benchmarks.bench_serving import wait_for, wrk
from tests.benchmarks.rows import Row

LOAD = """
import skops.io
def load(path):
    return skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))
"""

MLFLOW = (
    LOAD
    + """
import sys, mlflow.sklearn
mlflow.sklearn.save_model(load(sys.argv[1]), sys.argv[2], serialization_format="cloudpickle")
"""
)

BENTOML = (
    LOAD
    + """
import os
import bentoml
import pandas as pd

NUMBERS, NAMES = os.environ["NUMBERS"].split(","), os.environ["NAMES"].split(",")

@bentoml.service(workers=1)
class AirTime:
    def __init__(self):
        self.pipeline = load(os.environ["PIPELINE"])

    @bentoml.api
    def predict(self, instances: list[dict]) -> list[float]:
        frame = pd.DataFrame(instances)
        frame[NUMBERS] = frame[NUMBERS].astype(float)
        frame[NAMES] = frame[NAMES].astype("str")
        return self.pipeline.predict(frame).tolist()
"""
)

MLSERVER = (
    LOAD
    + """
import os
from mlserver import MLModel
from mlserver.codecs import NumpyCodec, PandasCodec

NUMBERS, NAMES = os.environ["NUMBERS"].split(","), os.environ["NAMES"].split(",")

class AirTime(MLModel):
    async def load(self):
        self.pipeline = load(os.environ["PIPELINE"])
        return True

    async def predict(self, payload):
        from mlserver.types import InferenceResponse
        frame = PandasCodec.decode_request(payload)
        frame[NUMBERS] = frame[NUMBERS].astype(float)
        frame[NAMES] = frame[NAMES].astype("str")
        answers = self.pipeline.predict(frame)
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("predictions", answers)])
"""
)


@dataclass(frozen=True)
class Peer:
    """How one is started in its folder, and asked."""

    package: str
    files: dict[str, str]
    command: Callable[[Path, Path, int], list[str]]  # environment's bin, folder, port
    route: str
    health: str
    body: Callable[[dict[str, object]], bytes]
    prepare: tuple[str, ...] = ()  # a script of `files` and its arguments, run before


def measure_peers(folder: Path, single: bytes) -> Iterator[Row]:
    """One row a peer: our requests a second over theirs, one instance a request."""
    instance = msgspec.json.decode(single)["instances"][0]
    with server_process(AIP_STORAGE_URI=str(folder)) as ours:
        for peer in PEERS:
            with _running(peer, folder) as url:
                mine, other = wrk(f"{ours.url}/predict", single), wrk(url, peer.body(instance))
            said = f"ahead; p99 {mine.p99_ms:.2f} ms against {other.p99_ms:.1f} ms"
            name = f"{peer.package}, failed {other.failed}"
            ahead = mine.rate > other.rate and not other.failed
            yield Row(
                f"serving: one instance beside {peer.package}", mine.rate, "requests/s", said, ahead, other.rate, name
            )


@contextmanager
def _running(peer: Peer, folder: Path) -> Iterator[str]:
    binaries = _environment(peer.package)
    config = load_model("air_time")
    port = free_port()
    variables = {
        **os.environ,
        "PATH": f"{binaries}:{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
        "PIPELINE": str(folder / artefact.MODEL),
        "NUMBERS": ",".join(config.features.numeric),
        "NAMES": ",".join(config.features.categorical),
        "DO_NOT_TRACK": "1",
        "BENTOML_DO_NOT_TRACK": "1",
        "MLSERVER_HTTP_PORT": str(port),
        "MLSERVER_GRPC_PORT": str(free_port()),
        "MLSERVER_METRICS_PORT": str(free_port()),
        "MLSERVER_PARALLEL_WORKERS": "0",
    }
    with tempfile.TemporaryDirectory(prefix="peer-") as name, tempfile.TemporaryFile() as said:
        place = Path(name)
        for file, text in peer.files.items():
            (place / file).write_text(text)
        if peer.prepare:
            words = [str(binaries / "python"), *peer.prepare, variables["PIPELINE"], str(place / "made")]
            subprocess.run(words, cwd=place, env=variables, check=True, capture_output=True)
        words = peer.command(binaries, place, port)
        process = subprocess.Popen(words, cwd=place, env=variables, stdout=said, stderr=said)
        try:
            wait_for(f"http://127.0.0.1:{port}{peer.health}", process, seconds=90)
            yield f"http://127.0.0.1:{port}{peer.route}"
        finally:
            process.terminate()
            process.wait()


def _environment(package: str) -> Path:
    """A virtual environment's bin, with the package and what the pipeline's file needs; kept for the next run."""
    place = home() / "cache" / "bench-peers" / package
    if not (place / "done").exists():
        same = [f"{name}=={version(name)}" for name in ("scikit-learn", "pandas", "skops")]
        uv = [sys.executable, "-m", "uv"]
        subprocess.run([*uv, "venv", "-q", "--allow-existing", str(place), "--python", sys.executable], check=True)
        python = str(place / "bin" / "python")
        subprocess.run([*uv, "pip", "install", "-q", "--python", python, package, *same], check=True)
        (place / "done").touch()
    return place / "bin"


def _tensors(instance: dict[str, object]) -> bytes:
    """An instance as the Open Inference Protocol has it."""
    numeric = load_model("air_time").features.numeric
    inputs = [
        {
            "name": name,
            "shape": [1, 1],
            "datatype": "FP64" if name in numeric else "BYTES",
            "data": [value],
            **({} if name in numeric else {"parameters": {"content_type": "str"}}),
        }
        for name, value in instance.items()
    ]
    return json.dumps({"parameters": {"content_type": "pd"}, "inputs": inputs}).encode()


PEERS = (
    Peer(
        "mlflow",
        {"save.py": MLFLOW},
        lambda bin, folder, port: [
            str(bin / "mlflow"), "models", "serve", "-m", str(folder / "made"), "-p", str(port),
            "--env-manager", "local",
        ],
        "/invocations",
        "/ping",
        lambda instance: json.dumps({"dataframe_records": [instance]}).encode(),
        prepare=("save.py",),
    ),
    Peer(
        "bentoml",
        {"service.py": BENTOML},
        lambda bin, folder, port: [str(bin / "bentoml"), "serve", "service:AirTime", "--port", str(port)],
        "/predict",
        "/readyz",
        lambda instance: json.dumps({"instances": [instance]}).encode(),
    ),
    Peer(
        "mlserver",
        {
            "runtime.py": MLSERVER,
            "model-settings.json": json.dumps({"name": "air-time", "implementation": "runtime.AirTime"}),
        },
        lambda bin, folder, port: [str(bin / "mlserver"), "start", str(folder)],
        "/v2/models/air-time/infer",
        "/v2/health/ready",
        _tensors,
    ),
)  # fmt: skip
