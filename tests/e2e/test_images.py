"""What the container images hold is enough: every executor of every compiled pipeline, and the server, run in them."""

from __future__ import annotations

import contextlib
import io
import json
import os
import socket
import subprocess
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fonderie.core.errors import ExitCode
from fonderie.google import Access
from fonderie.google.bigquery.loading import load
from fonderie.google.bigquery.origin import BigQueryOrigin
from fonderie.google.bigquery.tables import PARTITION
from ml.datasets.schema import SCHEMAS, Dataset
from ml.datasets.sources import Source
from ml.models import ModelConfig, load_model
from pipelines.compile import CompiledSpec, compile_config
from pipelines.engines.local import local_spec
from tests.contract.data.conftest import with_partition
from tests.flights import change
from tests.google.server import Google, running
from tests.image import Image, image
from tests.small_model import MONTHS, SMALL, Place, small_place
from tests.unit.ml.serving.flights import INSTANCE, fit, make_flights, register
from tests.unit.ml.serving.running import Client, until
from tests.unit.ml.serving.test_entry_point import answers

pytestmark = pytest.mark.e2e

DIGEST = "@sha256:" + "a" * 64
DATA = "bigquery://acme/europe-west1/dev_flights"
REGISTRY = f"vertex://acme/europe-west1/acme-models?image=europe-west1-docker.pkg.dev/acme/images/serving{DIGEST}"
PIPELINES_IMAGE = f"europe-west1-docker.pkg.dev/acme/images/pipelines{DIGEST}"


# What a task's command ends in, for one task after the other: libraries are imported once.
SERVER = """
import json, sys, tempfile, traceback
from kfp.dsl import executor_main

for line in sys.stdin:
    source, *arguments = json.loads(line)
    with tempfile.NamedTemporaryFile("w", prefix="component_", suffix=".py") as module:
        module.write(source)
        module.flush()
        sys.argv, code = ["executor", "--component_module_path", module.name, *arguments], 0
        try:
            executor_main.executor_main()
        except BaseException:
            traceback.print_exc(file=sys.stdout)
            code = 1
    print(f"\\0{code}", flush=True)
"""


@dataclass
class Executors:
    """Kubeflow's own local runner, which gives each task's command to the image instead of this environment.

    With a `server` in the image the command's Python takes the tasks of all; `make prove` starts each by its own.
    """

    image: Image
    google: str
    config: ModelConfig
    ran: set[str]
    server: subprocess.Popen[str] | None = None

    def run(self, full_command: list[str], env_vars: dict[str, str] | None = None) -> int:
        """One task, as Kubeflow's runner starts it."""
        self.ran.add(full_command[full_command.index("--function_to_execute") + 1])
        if self.server is not None:
            return self._serve(*full_command[3:])  # sh -ec SCRIPT SOURCE ARGUMENTS
        done = self.image.run(full_command, FONDERIE_GOOGLE_ENDPOINT=self.google, **(env_vars or {}))
        print(done.stdout)
        return done.returncode

    def _serve(self, *task: str) -> int:
        assert self.server is not None
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        print(json.dumps(task), file=self.server.stdin, flush=True)
        for line in self.server.stdout:
            if line.startswith("\0"):
                return int(line[1:])
            print(line, end="")
        return 1

    def submit(self, spec: CompiledSpec, run: str, month: str) -> None:
        """Every task of a run whose artefacts lie on /gcs. Raises AssertionError: one failed, and its words."""
        from kfp import components, local

        parameters = {"month": month, "run_id": run, "data": DATA, "registry": REGISTRY}
        if spec.pipeline == "monitoring":
            parameters["history"] = str(self.image.gcs / run / "history")
        printed, before = io.StringIO(), os.umask(0)  # FUSE lets every user write; the folders are the runner's here
        try:
            with warnings.catch_warnings(), contextlib.redirect_stdout(printed):
                warnings.simplefilter("ignore")
                runner, root = local.SubprocessRunner(use_venv=False), str(self.image.gcs / run)
                local.init(runner, pipeline_root=root, raise_on_error=True)
                components.load_component_from_text(json.dumps(local_spec(spec.read())))(**parameters)
        except RuntimeError as error:
            raise AssertionError(f"{error}\n{printed.getvalue()}") from error
        finally:
            os.umask(before)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    text = SMALL.replace("max_bytes_billed = 1_000_000", "max_bytes_billed = 10_000_000")
    place = small_place(tmp_path_factory.mktemp("images"), text=text)
    change(Source(place.data).path(Dataset.FLIGHTS, MONTHS[-1]), lambda rows: rows.assign(carrier="UA"))
    return place


@pytest.fixture(scope="module")
def google(place: Place) -> Iterator[Google]:
    """Vertex AI, BigQuery with the months in it, and the models bucket."""
    with running() as server:
        for dataset in Dataset:
            empty = SCHEMAS[dataset].empty_table()
            if dataset is Dataset.PLANES:
                server.bigquery.create(str(dataset), empty)
            else:
                server.bigquery.create(str(dataset), with_partition(empty), PARTITION)
        server.make_bucket("acme-models")
        access = Access("acme", "europe-west1", endpoint=server.address)
        load(Source(place.data), BigQueryOrigin(access, "dev_flights", {}), list(MONTHS))
        yield server


@pytest.fixture(scope="module")
def pipelines_image() -> Iterator[Image]:
    with image("pipelines") as made:
        yield made


@pytest.fixture(scope="module")
def executors(pipelines_image: Image, google: Google, place: Place, pytestconfig: pytest.Config) -> Iterator[Executors]:
    """The image after a first training, which made the challenger champion."""
    from kfp.local import subprocess_task_handler

    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as running_in_it:
        patch.setenv("FONDERIE_HOME", str(place.home))
        patch.setenv("FONDERIE_MODELS", str(place.models))
        executors = Executors(pipelines_image, google.address, load_model("small"), set())
        if not pytestconfig.getoption("--prove"):
            command = ["python3", "-c", SERVER]
            executors.server = pipelines_image.popen(
                command, stdin=subprocess.PIPE, FONDERIE_GOOGLE_ENDPOINT=google.address
            )
            running_in_it.enter_context(executors.server)
        patch.setattr(subprocess_task_handler, "run_local_subprocess", executors.run)
        patch.setattr(subprocess_task_handler, "replace_python_executable", lambda command, _: command)
        executors.submit(compile_config(executors.config, "training", PIPELINES_IMAGE), "first", "2013-02")
        yield executors


@pytest.mark.prove(every=5)
@pytest.mark.parametrize(
    ("pipeline", "month", "branch", "other"),
    [
        ("training", "2013-02", "promote", "keep"),
        ("training", "2013-02", "keep", "promote"),
        ("monitoring", "2013-02", "rest", "request"),
        ("monitoring", "2013-03", "request", "rest"),  # other airlines fly
        ("batch", "2013-03", "predict", ""),
    ],
)
def test_every_executor_of_a_compiled_pipeline_runs_in_its_image(
    executors: Executors, pipeline: str, month: str, branch: str, other: str
) -> None:
    """By its own command, with the packages of the lock and nothing else, as the image's user, artefacts on /gcs."""
    spec = compile_config(executors.config, pipeline, PIPELINES_IMAGE)
    containers = {
        name.removeprefix("exec-"): executor["container"]
        for name, executor in spec.read()["deploymentSpec"]["executors"].items()
    }
    if branch != "promote":  # that one was the first training's
        executors.ran.clear()
        executors.submit(spec, branch, month)

    files = [path for path in executors.image.gcs.rglob("*") if path.is_file()]
    assert {container["image"] for container in containers.values()} == {PIPELINES_IMAGE}
    assert executors.ran == set(containers) - {other}
    assert branch in executors.ran
    assert {"executor_output.json", "partitions"} <= {path.name for path in files}
    assert {oct(path.stat().st_mode & 0o777) for path in files} == {"0o644"}
    assert [path.name for path in files if path.name.startswith(".")] == []


def test_the_image_meets_what_refuses_on_vertex_ai(pipelines_image: Image) -> None:
    """The witness that the runs met it: chmod on /gcs, the application's folder, a home, another module."""
    path = pipelines_image.gcs / "mine"
    script = f"import pathlib; path = pathlib.Path({str(path)!r}); path.touch(); path.chmod(0o644)"

    chmod = pipelines_image.run(["python", "-c", script])
    shell = pipelines_image.run(["sh", "-c", "echo ${HOME:-no home}; touch ml/new; echo >pipelines/__init__.py"])
    foreign = pipelines_image.run(["python", "-c", "import cdktf"])
    uid = pipelines_image.run(["id", "-u"]).stdout

    assert path.exists()
    assert "PermissionError: [Errno 1] Operation not permitted" in chmod.stdout
    assert shell.stdout.startswith("no home\n")
    assert shell.stdout.lower().count("permission denied") == 2
    assert "No module named 'cdktf'" in foreign.stdout
    assert int(uid) == (pipelines_image.file.user[0] if os.geteuid() == 0 else os.geteuid())


@pytest.fixture(scope="module")
def serving_image() -> Iterator[Image]:
    with image("serving") as made:
        yield made


def test_the_serving_image_serves_a_version_from_the_bucket(serving_image: Image, tmp_path: Path) -> None:
    """By its own entry point, as Vertex AI starts it."""
    register(tmp_path / "v001", fit(make_flights(), iterations=20))
    with running() as google, socket.create_server(("127.0.0.1", 0)) as free:
        files = [path for path in (tmp_path / "v001").rglob("*") if path.is_file()]
        objects = {f"air_time/{path.relative_to(tmp_path)}": path.read_bytes() for path in files}
        google.make_bucket("models", objects)
        port = free.getsockname()[1]
        free.close()
        told = {
            "AIP_STORAGE_URI": "gs://models/air_time/v001",
            "AIP_HTTP_PORT": str(port),
            "AIP_HEALTH_ROUTE": "/healthy",
            "AIP_PREDICT_ROUTE": "/ask",
            "STORAGE_EMULATOR_HOST": google.address,
        }
        with serving_image.popen(serving_image.file.entrypoint, **told) as process:
            try:
                until(lambda: answers(port, "/healthy") == 200 or process.poll() is not None, seconds=60)
                assert process.poll() is None, process.communicate()[0]
                asked = Client(port).post({"instances": [INSTANCE]}, "/ask")
                metrics = Client(port).get("/metrics")
            finally:
                process.terminate()
                process.communicate(timeout=30)

    assert len(asked.body["predictions"]) == 1
    assert (asked.status, metrics.status, process.returncode) == (200, 200, 0)


def test_the_serving_image_says_in_words_what_it_was_not_told(serving_image: Image) -> None:
    done = serving_image.run(serving_image.file.entrypoint)

    assert done.returncode == ExitCode.BAD_INPUT
    assert "AIP_STORAGE_URI" in done.stdout
