"""The container's entry point, run as the container runs it."""

from __future__ import annotations

import ast
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from pydantic import ValidationError

from fonderie.core.errors import BadInputError
from ml.serving.server.settings import ServerSettings
from tests.unit.ml.serving.flights import INSTANCE
from tests.unit.ml.serving.running import Client, until

ROOT = Path(__file__).parents[4]
GOOD = {"instances": [INSTANCE]}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def start(folder: Path | str, **variables: str) -> tuple[subprocess.Popen[str], int]:
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "AIP_HTTP_PORT": str(port),
        "AIP_HEALTH_ROUTE": "/v1/health",
        "AIP_PREDICT_ROUTE": "/v1/ask",
        "AIP_STORAGE_URI": str(folder),
        **variables,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "fonderie.serve"], cwd=ROOT, env=environment, text=True, stderr=subprocess.PIPE
    )
    return process, port


def answers(port: int, path: str) -> int:
    try:
        return Client(port).get(path).status
    except OSError:
        return 0


@contextmanager
def up(folder: Path | str, **variables: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    process, port = start(folder, **variables)
    try:
        until(lambda: answers(port, "/v1/health") == 200 or process.poll() is not None, seconds=20)
        yield process, port
    finally:
        process.kill()
        process.communicate()


def test_it_serves_the_version_at_its_uri_on_the_routes_it_is_told(version: Path) -> None:
    with up(version) as (_, port):
        reply = Client(port).post(GOOD, "/v1/ask")

        assert reply.status == 200
        assert len(reply.body["predictions"]) == 1
        assert answers(port, "/live") == 200
        assert answers(port, "/health") == 404


def test_it_drains_on_sigterm_not_ready_but_still_answering(version: Path) -> None:
    with up(version, SERVING_DRAIN_S="1") as (process, port):
        waiting = Client(port).socket()
        body = json.dumps(GOOD).encode()
        waiting.sendall(b"POST /v1/ask HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body))

        process.send_signal(signal.SIGTERM)
        until(lambda: answers(port, "/v1/health") == 503)
        late = Client(port).post(GOOD, "/v1/ask").status
        time.sleep(1.2)
        waiting.sendall(body)

        assert late == 200
        assert b" 200 OK" in waiting.recv(4096)
        assert process.wait(10) == 0
        assert answers(port, "/v1/health") == 0


@pytest.mark.parametrize(
    ("spoil", "code", "words"),
    [
        (lambda folder: (folder / "serving-trees.npz").write_bytes(b"PK"), 4, "truncated or changed"),
        (lambda folder: (folder / "serving.json").unlink(), 4, "no serving manifest"),
        (lambda folder: (folder / "serving.json").write_text("{"), 4, "cannot be read"),
    ],
)
def test_it_refuses_a_damaged_version_in_words(version: Path, tmp_path: Path, spoil, code: int, words: str) -> None:  # type: ignore[no-untyped-def]
    for file in version.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    spoil(tmp_path)

    process, _ = start(tmp_path)
    _, said = process.communicate(timeout=20)

    assert process.returncode == code
    assert said.startswith("error: ")
    assert words in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("variables", "word"),
    [
        ({"AIP_STORAGE_URI": ""}, "AIP_STORAGE_URI"),
        ({"AIP_STORAGE_URI": "/nowhere"}, "/nowhere"),
        ({"AIP_HTTP_PORT": "http"}, "AIP_HTTP_PORT"),
        ({"AIP_PREDICT_ROUTE": "ask"}, "AIP_PREDICT_ROUTE"),
        ({"SERVING_LOG_SHARE": "7"}, "SERVING_LOG_SHARE"),
        ({"SERVING_MODEL": "late_arrival"}, "late_arrival"),
        ({"SERVING_LOG_SINK": "bigquery://project"}, "bigquery://project"),
    ],
)
def test_it_names_the_setting_that_is_wrong(version: Path, variables: dict[str, str], word: str) -> None:
    process, _ = start(version, **variables)
    _, said = process.communicate(timeout=20)

    assert process.returncode in (3, 7)
    assert word in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AIP_HTTP_PORT", "65536"),
        ("AIP_HEALTH_ROUTE", "health"),
        ("SERVING_MAX_BODY_BYTES", "0"),
        ("SERVING_MAX_CONNECTIONS", "-1"),
        ("SERVING_BODY_TIMEOUT_S", "0"),
        ("SERVING_LOG_SHARE", "nan"),
        ("SERVING_DRAIN_S", "soon"),
    ],
)
def test_a_setting_no_server_can_run_with_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(BadInputError, match=f'{name} = "{value}"'):
        ServerSettings.read({name: value, "PATH": "/bin"})


def test_settings_are_read_once_and_an_empty_variable_is_none() -> None:
    settings = ServerSettings.read({"AIP_HTTP_PORT": " 81 ", "SERVING_LOG_SHARE": "1", "AIP_HEALTH_ROUTE": ""})

    assert (settings.http_port, settings.log_share, settings.health_route) == (81, 1.0, "/health")
    with pytest.raises(ValidationError):
        settings.http_port = 82
    with pytest.raises(BadInputError, match="AIP_HEALTH_ROUTE and AIP_PREDICT_ROUTE are the same"):
        ServerSettings.read({"AIP_HEALTH_ROUTE": "/predict"})


def test_a_taken_port_is_said(version: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        process, _ = start(version, AIP_HTTP_PORT=str(taken.getsockname()[1]))
        _, said = process.communicate(timeout=20)

    assert process.returncode == 5
    assert "is in use" in said


@contextmanager
def storage(objects: dict[str, bytes]) -> Iterator[str]:
    """Cloud Storage's JSON interface over a dict: list by prefix, get by name."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urllib.parse.urlparse(self.path)
            name = urllib.parse.unquote(url.path.removeprefix("/storage/v1/b/models/o").removeprefix("/"))
            if name:
                body = objects[name]
            else:
                prefix = urllib.parse.parse_qs(url.query)["prefix"][0]
                body = json.dumps({"items": [{"name": key} for key in objects if key.startswith(prefix)]}).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_it_fetches_a_version_from_cloud_storage(version: Path) -> None:
    objects = {f"air_time/v012/{file.name}": file.read_bytes() for file in version.iterdir()}
    objects["air_time/v012/model_record.json"] = b'{"version": 12, "model": "air_time"}'

    with storage(objects) as host, up("gs://models/air_time/v012", STORAGE_EMULATOR_HOST=host) as (_, port):
        assert Client(port).post(GOOD, "/v1/ask").headers["x-model-version"] == "12"


def test_an_empty_or_silent_storage_is_said(version: Path) -> None:
    with storage({}) as host:
        process, _ = start("gs://models/air_time/v012", STORAGE_EMULATOR_HOST=host)
        _, nothing = process.communicate(timeout=20)
    process, _ = start("gs://models/air_time/v012", STORAGE_EMULATOR_HOST=host)
    _, silent = process.communicate(timeout=20)

    assert "no objects under this prefix" in nothing
    assert "the version cannot be fetched" in silent


def imported(path: Path) -> set[str]:
    """Modules a file imports, at its top or inside a function."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def file_of(module: str) -> Path | None:
    path = ROOT / module.replace(".", "/")
    return next((one for one in (path.with_suffix(".py"), path / "__init__.py") if one.is_file()), None)


@pytest.mark.parametrize(
    ("image", "entries", "beyond"),
    [
        # a container is given a URI or a folder, and no data
        (
            "serving",
            ["fonderie.serve"],
            [
                "fonderie.google.vertex_registry",
                "fonderie.google.bigquery.origin",
                "fonderie.google.bucket_records",
                "ml.datasets.origins",
            ],
        ),
        ("pipelines", [f"pipelines.{name}.components" for name in ("training", "monitoring", "batch")], []),
    ],
)
def test_an_image_imports_only_what_its_requirements_hold(image: str, entries: list[str], beyond: list[str]) -> None:
    lines = (ROOT / f"requirements/{image}.txt").read_text()
    locked = {name.lower().replace("_", "-") for name in re.findall(r"^([A-Za-z0-9_.-]+)==", lines, re.MULTILINE)}
    waiting, foreign = list(entries), set()
    seen = {file_of(module) for module in beyond}
    while waiting:
        module = waiting.pop()
        path = file_of(module)
        if path is None:
            foreign.add(module.partition(".")[0])
        elif path not in seen:
            seen.add(path)
            waiting += imported(path)

    foreign -= {"ml", "fonderie", "pipelines", *sys.stdlib_module_names}
    distributions = packages_distributions()
    missing = {
        name for name in foreign if not {known.lower().replace("_", "-") for known in distributions[name]} & locked
    }

    assert {"msgspec", "numpy", "pydantic"} <= foreign
    assert missing == set()
