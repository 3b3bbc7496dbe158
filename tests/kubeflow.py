"""Kubeflow's API for the tests: runs whose specs are checked, in its own models, a page at a time."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from google.protobuf import json_format
from kfp.kubernetes import kubernetes_executor_config_pb2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from fonderie.sandbox.rest.discovery import RejectedError
from fonderie.sandbox.rest.jobs import ENDED, STARTED, check_spec


@dataclass
class Kubeflow:
    """Runs by id. `script` holds what later looks will show: (state, tasks)."""

    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    experiments: list[dict[str, Any]] = field(default_factory=list)
    recurring: list[dict[str, Any]] = field(default_factory=list)
    script: list[tuple[str, list[dict[str, Any]]]] = field(default_factory=list)
    failures: list[RejectedError] = field(default_factory=list)  # the next calls fail with these
    page: int = 2
    address: str = ""

    async def answer(self, request: Request) -> JSONResponse:
        """Answer one request."""
        try:
            return JSONResponse(self._answer(request, json.loads(await request.body() or b"{}")))
        except RejectedError as error:
            return JSONResponse({"error": error.message, "code": 3, "message": error.message}, status_code=error.status)

    def _answer(self, request: Request, body: dict[str, Any]) -> dict[str, Any]:
        if self.failures:
            raise self.failures.pop(0)
        path = request.url.path.removeprefix("/apis/v2beta1/")
        match request.method, path.partition("/")[0], path:
            case "GET", "healthz", _:
                return {"multi_user": False}
            case "GET", "experiments", _:
                return {"experiments": self.experiments}
            case "POST", "experiments", _:
                self.experiments.append({**body, "experiment_id": f"e{len(self.experiments)}"})
                return self.experiments[-1]
            case "POST", "runs", "runs":
                return self._create(body)
            case "GET", "runs", "runs":
                return self._list(request.query_params)
            case "GET", "recurringruns", _:
                return {"recurringRuns": self.recurring}
            case "GET", "runs", _:
                return self._look(path.partition("/")[2])
            case "POST", "runs", _:
                self.runs[path.partition("/")[2].removesuffix(":terminate")]["state"] = "CANCELED"
                return {}
        raise RejectedError(404, "NOT_FOUND", path)

    def _list(self, query: Mapping[str, str]) -> dict[str, Any]:
        """A page of runs, those of the name that is asked for; oldest first unless told otherwise."""
        wanted = json.loads(query.get("filter") or "{}").get("predicates", [])
        names = {one["stringValue"] for one in wanted}
        found = [run for run in self.runs.values() if not names or run["display_name"] in names]
        if query.get("sort_by") == "created_at desc":
            found.reverse()
        start = int(query.get("page_token") or 0)
        end = start + min(self.page, int(query["page_size"]))
        shown = [{key: value for key, value in run.items() if key != "run_details"} for run in found[start:end]]
        return {"runs": shown, **({"next_page_token": str(end)} if end < len(found) else {})}

    def _create(self, body: dict[str, Any]) -> dict[str, Any]:
        document = body["pipeline_spec"]
        check_spec(document["pipeline_spec"], body["runtime_config"]["parameters"])
        for executor in document["platform_spec"]["platforms"]["kubernetes"]["deploymentSpec"]["executors"].values():
            json_format.ParseDict(executor, kubernetes_executor_config_pb2.KubernetesExecutorConfig())
        run = {**body, "run_id": f"r{len(self.runs)}", "created_at": STARTED, "state": "PENDING"}
        self.runs[run["run_id"]] = run
        return run

    def _look(self, run_id: str) -> dict[str, Any]:
        run = self.runs[run_id]
        if self.script:
            state, tasks = self.script.pop(0)
            run |= {"state": state, "run_details": {"task_details": [task("root", state), *tasks]}}
            if state in {"SUCCEEDED", "FAILED"}:
                run["finished_at"] = ENDED
        return run


def task(name: str, state: str, message: str = "") -> dict[str, Any]:
    """The detail of one task."""
    detail: dict[str, Any] = {"display_name": name, "state": state, "start_time": STARTED}
    if state in {"SUCCEEDED", "FAILED"}:
        detail["end_time"] = ENDED
    return detail | ({"error": {"code": 9, "message": message}} if message else {})


@contextmanager
def running() -> Iterator[Kubeflow]:
    """A stand-in that listens on a free port of this machine until the block ends."""
    stand_in = Kubeflow()
    app = Starlette(routes=[Route("/{path:path}", stand_in.answer, methods=["GET", "POST"])])
    listener = socket.create_server(("127.0.0.1", 0))
    stand_in.address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield stand_in
    finally:
        server.should_exit = True
        thread.join(timeout=5)
        listener.close()
