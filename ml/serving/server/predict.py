"""The predict route, as a plain ASGI application: read, encode, score, answer, then count, log and compare."""

from __future__ import annotations

import asyncio
import re
import time
import traceback
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
from starlette.types import Receive, Scope, Send

from ml.serving.canary.observations import Answer, RequestOutcome
from ml.serving.scoring.compiled_version import Served
from ml.serving.scoring.encoder import BodyError, Matrix
from ml.serving.scoring.engines import Engine, Predictions
from ml.serving.server.hosting import Hosting, Role, TrafficSplit
from ml.serving.server.metrics import Metrics
from ml.serving.server.prediction_log import Answered, PredictionLog, sampled
from ml.serving.server.request_body import GoneError, header, read_body
from ml.serving.server.settings import ServerSettings
from ml.serving.server.structured_log import StructuredLog

REQUEST_ID = re.compile(rb"[0-9A-Za-z-]{8,64}")
JSON = (b"content-type", b"application/json")
FAILED = Answer(failed=True, latency_s=float("nan"), predictions=None)


@dataclass
class AppState:
    """What the predict route works with; one a process."""

    settings: ServerSettings
    hosting: Hosting = field(default_factory=Hosting)
    metrics: Metrics = field(default_factory=Metrics)
    log: StructuredLog = field(default_factory=StructuredLog)
    prediction_log: PredictionLog | None = None
    observe: Callable[[TrafficSplit, RequestOutcome], None] | None = (
        None  # told of every answer while there is a challenger
    )
    clock: Callable[[], float] = time.perf_counter  # seconds; what latencies are measured by

    def put_champion(self, served: Served, *, as_model: str = "") -> None:
        """Make a version the champion of its model, from the next request on."""
        model = as_model or served.schema.model
        self.hosting.put_champion(model, served)
        self.metrics.versions.remove_by_labels({"model": model})
        self.metrics.versions.labels(model, served.version, Role.CHAMPION).set(1)


class PredictRoute:
    """POST {"instances": [...]} -> {"predictions": [...]}, for one model (empty: the process's first)."""

    def __init__(self, state: AppState) -> None:
        self._state = state
        self._encode = msgspec.json.Encoder().encode

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Called by Starlette's router."""
        request_id = _request_id(scope)
        model = scope.get("path_params", {}).get("model", "")
        split = self._state.hosting.split(model)
        if split is None:
            status, words = (404, f"unknown model {model!r}") if model else (503, "no model is loaded")
            await _refuse(send, status, words, "$", request_id)
            return
        try:
            await self._answer(split, request_id, scope, receive, send)
        except BodyError as error:
            words = f"{error.path}: {error.reason.partition(chr(39))[0]}"  # without the value: it may be a person's
            self._count_refusal(split.champion, error.status, request_id, words)
            await _refuse(send, error.status, error.reason, error.path, request_id)
        except GoneError:
            self._count_refusal(split.champion, 499, request_id, "the client left")

    async def _answer(self, split: TrafficSplit, request_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        settings = self._state.settings
        body = await read_body(scope, receive, max_bytes=settings.max_body_bytes, timeout_s=settings.body_timeout_s)
        started = self._state.clock()
        role = split.role(request_id)
        answer, served = await self._score(split, role, body, request_id)
        if answer is None:
            await _refuse(send, 500, "the model failed; the request id leads to the reason", "$", request_id)
            return
        payload = self._encode({"predictions": answer.predictions.tolist()})
        latency_s = self._state.clock() - started
        await _send(send, 200, payload, request_id, served.version)
        await self._after(split, served, role, request_id, body, answer, latency_s)

    async def _score(
        self, split: TrafficSplit, role: Role, body: bytes, request_id: str
    ) -> tuple[_Scored | None, Served]:
        """By the version whose turn it is; where a challenger fails, the champion answers in its place."""
        served = split.version(role)
        scored = await self._try(served, body, request_id)
        if role is Role.CHALLENGER:
            self._observe(split, RequestOutcome(Role.CHALLENGER, challenger=_seen(scored)))
            if scored is None:
                return await self._try(split.champion, body, request_id), split.champion
        return scored, served

    async def _try(self, served: Served, body: bytes, request_id: str) -> _Scored | None:
        """Matrix and predictions, None for a failure of ours. Raises BodyError for one of the client's."""
        began = self._state.clock()
        try:
            matrix = served.encoder.decode(body)
            if served.parity.engine is Engine.SKLEARN:
                predictions = await asyncio.to_thread(served.predict, matrix)
            else:
                predictions = served.predict(matrix)
            return _Scored(matrix, predictions, self._state.clock() - began)
        except BodyError:
            raise
        except Exception:  # the border: whatever a model does, the server goes on and says so
            self._state.metrics.refused((served.schema.model, served.version), 500)
            self._state.log.request(
                "ERROR", "a model failed", request_id=request_id, version=served.version, trace=traceback.format_exc()
            )
            return None

    async def _after(
        self,
        split: TrafficSplit,
        served: Served,
        role: Role,
        request_id: str,
        body: bytes,
        scored: _Scored,
        latency_s: float,
    ) -> None:
        """The client has its answer: count it, log it, ask the shadow."""
        state = self._state
        model = served.schema.model
        state.metrics.answered((model, served.version), latency_s, scored.predictions, served.edges)
        if state.prediction_log is not None and sampled(request_id, state.settings.log_share):
            state.prediction_log.offer(
                Answered(
                    request_id, model, served.version, role, time.time(), latency_s, served.schema, scored.matrix,
                    scored.predictions,
                )
            )  # fmt: skip
        if split.challenger is None or role is not Role.CHAMPION:
            return
        seen = _seen(scored)
        if split.shadow is None:
            self._observe(split, RequestOutcome(Role.CHAMPION, champion=seen))
        else:
            await self._compare(split, split.shadow, seen, body, request_id)

    async def _compare(self, split: TrafficSplit, shadow: Served, seen: Answer, body: bytes, request_id: str) -> None:
        try:
            scored = await self._try(shadow, body, request_id)
        except BodyError:  # the challenger's schema refuses what the champion's takes: its failure
            scored = None
        self._observe(split, RequestOutcome(Role.CHAMPION, champion=seen, challenger=_seen(scored)))

    def _observe(self, split: TrafficSplit, outcome: RequestOutcome) -> None:
        if self._state.observe is not None:
            self._state.observe(split, outcome)

    def _count_refusal(self, served: Served, status: int, request_id: str, words: str) -> None:
        self._state.metrics.refused((served.schema.model, served.version), status)
        self._state.log.request("NOTICE", words, request_id=request_id, status=status)


@dataclass(frozen=True)
class _Scored:
    matrix: Matrix
    predictions: Predictions
    latency_s: float  # decoding and scoring: of both versions the same part, unlike what a client waits for


def _seen(scored: _Scored | None) -> Answer:
    return FAILED if scored is None else Answer(False, scored.latency_s, scored.predictions)


def _request_id(scope: Scope) -> str:
    """The client's x-request-id when it is plainly an id (no name, no mail address), or a new one."""
    given = header(scope, b"x-request-id")
    if given is not None and REQUEST_ID.fullmatch(given):
        return given.decode()
    return uuid.uuid4().hex


async def _refuse(send: Send, status: int, words: str, path: str, request_id: str) -> None:
    error = {"code": status, "message": words, "path": path, "request_id": request_id}
    await _send(send, status, msgspec.json.encode({"error": error}), request_id)


async def _send(send: Send, status: int, payload: bytes, request_id: str, version: str = "") -> None:
    headers = [JSON, (b"content-length", b"%d" % len(payload)), (b"x-request-id", request_id.encode())]
    if version:
        headers.append((b"x-model-version", version.encode()))
    if status in (408, 413):
        headers.append((b"connection", b"close"))  # the rest of the body is not worth reading
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": payload})
