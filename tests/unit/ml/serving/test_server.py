from __future__ import annotations

import json
import random
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.pipeline import Pipeline

from ml.serving.scoring.compiled_version import load_version
from ml.serving.server.hosting import TrafficSplit
from tests.unit.ml.serving.flights import FEATURES, INSTANCE, fit, make_flights, register
from tests.unit.ml.serving.running import Client, FolderSource, Running, running, until

GOOD = {"instances": [INSTANCE]}


@pytest.fixture(scope="module")
def server(version: Path, late_version: Path) -> Iterator[Running]:
    sources = {
        "air_time": FolderSource({"3": version}, "3", max_instances=50),
        "late_arrival": FolderSource({"1": late_version}, "1"),
    }
    with running(sources, max_body_bytes=100_000, max_instances=50) as up:
        yield up


def test_answers_are_the_pipelines_by_the_containers_contract(server: Running, pipeline: Pipeline) -> None:
    flights = make_flights(20, seed=3)
    instances = json.loads(flights[FEATURES].to_json(orient="records"))

    reply = server.client.post({"instances": instances, "parameters": {"unused": 1}})

    assert reply.status == 200
    assert list(reply.body) == ["predictions"]
    assert np.abs(np.array(reply.body["predictions"]) - pipeline.predict(flights[FEATURES])).max() <= 1e-9
    assert reply.headers["x-model-version"] == "3"


def test_two_models_answer_in_one_process(server: Running) -> None:
    minutes = server.client.post(GOOD, "/models/air_time/predict").body["predictions"][0]
    probability = server.client.post(GOOD, "/models/late_arrival/predict").body["predictions"][0]

    assert server.client.post(GOOD).body["predictions"] == [minutes]
    assert minutes > 1 > probability > 0
    assert [model["model"] for model in server.client.get("/models").body["models"]] == ["air_time", "late_arrival"]


def test_a_request_id_is_kept_when_it_is_plainly_one(server: Running) -> None:
    kept = server.client.post(GOOD, x_request_id="7f3c2a10-44aa").headers["x-request-id"]
    replaced = server.client.post(GOOD, x_request_id="jane@example.org").headers["x-request-id"]

    assert kept == "7f3c2a10-44aa"
    assert "jane" not in replaced


@pytest.mark.parametrize(
    ("body", "status", "path"),
    [
        (b"not json", 400, "$"),
        (b"[" * 90_000, 400, "$"),
        (b'{"instances": [' + b'{"a":' * 10_000, 400, "$"),
        (json.dumps(GOOD).replace("41.5", "NaN").encode(), 400, "$"),
        (json.dumps(GOOD).replace("41.5", '"warm"').encode(), 400, "$.instances[0].temp"),
        (json.dumps(GOOD).replace("D07", "Atlantis").encode(), 400, "$.instances[0].dest"),
        (b'{"instances": [{"temp": 1}]}', 400, "$.instances[0].distance"),
        (json.dumps({"instances": [INSTANCE] * 51}).encode(), 400, "$.instances"),
        (b" " * 100_001, 413, "$"),
    ],
    ids=["words", "deep", "deeper", "nan", "string", "category", "missing", "too many", "too large"],
)
def test_a_bad_body_is_refused_with_the_reason(server: Running, body: bytes, status: int, path: str) -> None:
    reply = Client(server.port).post(body)

    assert reply.status == status
    assert reply.body["error"]["path"] == path
    assert reply.body["error"]["message"]
    assert server.client.post(GOOD).status == 200


def test_a_body_that_does_not_say_how_long_it_is_has_the_same_limit(server: Running) -> None:
    with server.client.socket() as endless:
        endless.sendall(b"POST /predict HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
        for _ in range(3):
            endless.sendall(b"c350\r\n" + b" " * 50_000 + b"\r\n")

        assert b" 413 " in endless.recv(4096)


def test_unknown_routes_methods_and_models_are_refused_as_json(server: Running) -> None:
    replies = [server.client.get("/nope"), server.client.get("/predict"), server.client.post(GOOD, "/models/x/predict")]

    assert [reply.status for reply in replies] == [404, 405, 404]
    assert all(reply.body["error"]["message"] for reply in replies)


def mutated(rng: random.Random, body: bytes) -> bytes:
    """A few bytes of a good body changed, dropped or doubled; sometimes only noise."""
    if rng.random() < 0.1:
        return rng.randbytes(rng.randrange(200))
    data = bytearray(body)
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(data))
        match rng.randrange(4):
            case 0:
                data[at] = rng.randrange(256)
            case 1:
                del data[at : at + rng.randrange(1, 20)]
            case 2:
                data[at:at] = data[rng.randrange(len(data)) :][: rng.randrange(30)]
            case _:
                data[at : at + 1] = rng.choice([b"NaN", b"null", b"1e400", b'"\\ud800"', b"[[", b"{}", b"true", b"-"])
        if not data:
            break
    return bytes(data)


def test_ten_thousand_random_bodies_never_fail_or_stop_the_server(server: Running) -> None:
    rng = random.Random(20130401)
    good = json.dumps(GOOD).encode()

    replies = [server.client.post(mutated(rng, good)) for _ in range(10_000)]

    statuses = {reply.status for reply in replies}
    assert statuses == {200, 400}
    assert all(reply.body["error"]["message"] for reply in replies if reply.status == 400)
    assert server.client.post(GOOD).status == 200


def test_metrics_count_answers_by_version_status_and_bucket(server: Running) -> None:
    server.client.post(GOOD)
    server.client.post(b"{}")

    text = server.client.get("/metrics").body

    assert 'serving_requests_total{model="air_time",status="200",version="3"}' in text
    assert 'serving_requests_total{model="air_time",status="400",version="3"}' in text
    assert 'serving_latency_seconds_bucket{le="0.005",model="air_time",version="3"}' in text
    assert 'serving_predictions_bucket{le="+Inf",model="air_time",version="3"}' in text
    assert 'serving_version{model="air_time",role="champion",version="3"} 1.0' in text


def test_logs_are_json_and_name_no_value_a_client_sent(version: Path) -> None:
    with running({"": FolderSource({"1": version}, "1")}) as up:
        for _ in range(200):
            up.client.post(json.dumps(GOOD).replace("D07", "jane@example.org").encode())

        lines = [line for line in up.lines() if "status" in line]
        assert {"severity", "time", "message", "request_id", "status"} <= set(lines[0])
        assert "$.instances[0].dest" in lines[0]["message"]
        assert len(lines) <= 150  # 50 a second: a flood of bad requests is no flood of lines
        assert "jane" not in up.stream.getvalue()


def test_slow_clients_are_told_or_left(version: Path) -> None:
    with running({"": FolderSource({"1": version}, "1")}, body_timeout_s=0.2, header_timeout_s=0.2) as up:
        slow_body, slow_head = up.client.socket(), up.client.socket()
        slow_body.sendall(b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{")
        slow_head.sendall(b"POST /predict HTTP/1.1\r\nhost: ")

        assert b" 408 " in slow_body.recv(4096)
        assert slow_head.recv(4096) == b""
        assert up.client.post(GOOD).status == 200


def test_a_flood_of_idle_connections_does_not_keep_a_client_out(version: Path) -> None:
    with running({"": FolderSource({"1": version}, "1")}, max_connections=20) as up:
        flood = [up.client.socket() for _ in range(100)]
        for connection in flood[::2]:
            connection.sendall(b"POST /pre")

        replies = [Client(up.port).post(GOOD).status for _ in range(5)]

        assert replies == [200] * 5
        until(lambda: up.counted("serving_refused_connections_total") >= 80)
        for connection in flood:
            connection.close()


def test_a_client_that_leaves_is_counted_and_forgotten(server: Running) -> None:
    gone = server.client.socket()
    gone.sendall(b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{")
    gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    gone.close()

    until(lambda: server.counted("serving_requests_total", model="air_time", version="3", status="499") == 1)
    assert server.client.post(GOOD).status == 200


@pytest.fixture(scope="module")
def other_version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("other")
    register(folder, fit(make_flights(seed=4), iterations=20, seed=1))
    return folder


def test_a_new_champion_takes_over_without_a_dropped_request(version: Path, other_version: Path) -> None:
    source = FolderSource({"1": version, "2": other_version}, "1")
    seen: list[tuple[int, str]] = []
    stop = threading.Event()

    def ask(port: int) -> None:
        client = Client(port)
        while not stop.is_set():
            reply = client.post(GOOD)
            seen.append((reply.status, reply.headers.get("x-model-version", "")))

    with running({"air_time": source}) as up:
        threads = [threading.Thread(target=ask, args=(up.port,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for champion in ("2", "1", "2"):
            until(lambda: len(seen) > 20)
            source.at = champion
            until(lambda wanted=champion: seen[-1][1] == wanted)
        stop.set()
        for thread in threads:
            thread.join()

        assert {status for status, _ in seen} == {200}
        assert {number for _, number in seen} == {"1", "2"}
        assert up.counted("serving_reloads_total", model="air_time", result="ok") == 3


def test_a_champion_that_cannot_be_loaded_leaves_the_old_one(version: Path, tmp_path: Path) -> None:
    source = FolderSource({"1": version, "2": tmp_path}, "1")

    with running({"air_time": source}) as up:
        source.at = "2"
        until(lambda: up.counted("serving_reloads_total", model="air_time", result="failed") == 1)

        assert up.client.post(GOOD).headers["x-model-version"] == "1"
        assert any("the champion stays" in line["message"] for line in up.lines())


def boom(matrix: Any) -> Any:
    raise RuntimeError("out of trees")


def test_a_failing_model_is_a_500_with_an_id_and_the_server_goes_on(version: Path) -> None:
    with running({"": FolderSource({"1": version}, "1")}, reload_every_s=60.0) as up:
        champion = load_version(version, version="1")
        up.state.hosting.put("air_time", TrafficSplit(replace(champion, predict=boom)))
        failed = up.client.post(GOOD)
        up.state.hosting.put("air_time", TrafficSplit(champion))

        assert failed.status == 500
        assert "out of trees" not in str(failed.body)
        assert any("out of trees" in line.get("trace", "") for line in up.lines())
        assert up.client.post(GOOD).status == 200


def test_where_a_challenger_fails_the_champion_answers(version: Path) -> None:
    with running({"": FolderSource({"1": version}, "1")}, reload_every_s=60.0) as up:
        champion = load_version(version, version="1")
        up.state.hosting.put(
            "air_time", TrafficSplit(champion, replace(champion, version="2", predict=boom), percent=100)
        )
        outcomes: list[Any] = []
        up.state.observe = lambda split, outcome: outcomes.append((split, outcome))

        reply = up.client.post(GOOD)

        assert (reply.status, reply.headers["x-model-version"]) == (200, "1")
        assert outcomes[0][0] is up.state.hosting.split("air_time")
        assert outcomes[0][1].challenger.failed


@pytest.mark.parametrize(("percent", "low", "high"), [(0, 0, 0), (5, 60, 140), (25, 420, 580), (100, 2000, 2000)])
def test_the_splitter_gives_the_challenger_its_share(version: Path, percent: int, low: int, high: int) -> None:
    champion = load_version(version, version="1")
    split = TrafficSplit(champion, replace(champion, version="2"), percent=percent)
    rng = random.Random(1)

    roles = [split.role(rng.randbytes(16).hex()) for _ in range(2000)]

    assert low <= roles.count("challenger") <= high  # four standard deviations


def logged(folder: Path) -> list[dict[str, Any]]:
    return [row for file in sorted(folder.glob("date=*/*.parquet")) for row in pq.read_table(file).to_pylist()]


def test_the_prediction_log_holds_what_was_asked_and_nothing_of_who_asked(version: Path, tmp_path: Path) -> None:
    person = INSTANCE | {"passenger": "Jane Doe"}
    with running({"": FolderSource({"7": version}, "7")}, log_sink=str(tmp_path), log_share=1.0) as up:
        answers = up.client.post({"instances": [person, INSTANCE]}, x_request_id="aaaa-bbbb").body["predictions"]

    rows = logged(tmp_path)
    assert [row["prediction"] for row in rows] == answers
    assert {(row["request_id"], row["version"], row["model"]) for row in rows} == {("aaaa-bbbb", "7", "air_time")}
    assert json.loads(rows[0]["features"]) == INSTANCE
    assert "Jane" not in str(rows)


def test_the_prediction_log_samples(version: Path, tmp_path: Path) -> None:
    with running({"": FolderSource({"7": version}, "7")}, log_sink=str(tmp_path), log_share=0.2) as up:
        for _ in range(500):
            up.client.post(GOOD)

    assert 60 <= len(logged(tmp_path)) <= 140


def test_a_full_disk_under_the_prediction_log_costs_no_answer(version: Path, tmp_path: Path) -> None:
    not_a_folder = tmp_path / "log"
    not_a_folder.write_text("in the way: every write fails as on a full disk")
    with running({"": FolderSource({"7": version}, "7")}, log_sink=str(not_a_folder), log_share=1.0) as up:
        statuses = {up.client.post(GOOD).status for _ in range(50)}
    assert statuses == {200}
    assert up.counted("serving_log_rows_total", result="failed") == 50
    assert any("were not written" in line["message"] for line in up.lines())


def test_a_stuck_prediction_log_drops_rows_and_delays_no_answer(version: Path) -> None:
    from ml.serving.server.prediction_log import LogRow, PredictionLog

    release = threading.Event()

    class Stuck:
        def write(self, rows: list[LogRow]) -> None:
            release.wait()

    with running({"": FolderSource({"7": version}, "7")}, log_share=1.0) as up:
        up.state.prediction_log = PredictionLog(
            Stuck(), count=up.state.metrics.logged, on_failure=print, capacity=5, batch=1
        )
        began = time.monotonic()
        statuses = {up.client.post(GOOD).status for _ in range(50)}
        took = time.monotonic() - began
        release.set()

    assert statuses == {200}
    assert took < 5
    assert up.counted("serving_log_rows_total", result="dropped") >= 40
