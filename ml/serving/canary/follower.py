"""A server that follows canaries: splits the traffic as their files say, and tells them what it saw."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime

from fonderie.core.errors import FonderieError
from ml.serving.canary.canary import Canary, Status, observe
from ml.serving.canary.observations import RequestOutcome, requests_of
from ml.serving.canary.store import change, read_canary, stop
from ml.serving.scoring.compiled_version import Served
from ml.serving.server.hosting import Role, TrafficSplit
from ml.serving.server.predict import AppState
from ml.serving.server.version_sources import RegistrySource

LATENCY_FLOOR_S = 0.001
"""Added to both versions' latencies: the network's part, so that microseconds of scoring do not count."""

MOST_OUTCOMES = 200_000  # between two looks; more are let go


class CanaryFollower:
    """Of the models of one process that come from a registry."""

    def __init__(self, state: AppState, sources: Mapping[str, RegistrySource]) -> None:
        self._state = state
        self._sources = sources
        self._seen: dict[str, list[RequestOutcome]] = defaultdict(list)
        state.observe = self.observe

    def observe(self, split: TrafficSplit, outcome: RequestOutcome) -> None:
        """Called with every answer while there is a challenger.

        One that was begun under another split is let go: a comparison from the shadow says nothing about a later step.
        """
        model = split.champion.schema.model
        if self._state.hosting.split(model) is split and len(self._seen[model]) < MOST_OUTCOMES:
            self._seen[model].append(outcome)

    async def watch(self, every_s: float) -> None:
        """Follow the canaries until the task is cancelled."""
        while True:
            for model in self._sources:
                try:
                    await self.look(model)
                except FonderieError as error:
                    self._state.log.write("ERROR", f"the canary is not followed: {error}", model=model)
            await asyncio.sleep(every_s)

    async def look(self, model: str) -> None:
        """Take in what was seen, decide, and split the traffic accordingly."""
        canary = await asyncio.to_thread(read_canary, model)
        split = self._state.hosting.split(model)
        if split is None or canary is None:
            return
        if canary.status is Status.RUNNING:
            canary = await asyncio.to_thread(self._decide, canary, split, self._seen.pop(model, [])) or canary
            if canary.status is Status.RUNNING and canary.champion != split.champion.version:
                return  # the champion is being reloaded
        await self._apply(canary, split)

    def _decide(self, canary: Canary, split: TrafficSplit, seen: list[RequestOutcome]) -> Canary | None:
        now = datetime.now(UTC)
        champion = self._sources[canary.model].champion()
        if champion not in (canary.champion, canary.challenger):
            return stop(canary.model, f"version {champion} became champion meanwhile", now=now)
        served = (split.champion.version, split.challenger.version if split.challenger else None)
        if not seen or served != (canary.champion, canary.challenger):
            return canary
        requests, percent = requests_of(seen, floor_s=LATENCY_FLOOR_S), split.percent
        return change(
            canary.model, lambda known: observe(known, requests, now=now) if known.percent == percent else known
        )

    async def _apply(self, canary: Canary, split: TrafficSplit) -> None:
        match canary.status:
            case Status.RUNNING:
                await self._split(canary, split)
            case Status.PROMOTED if split.challenger is not None:
                await self._promote(canary, split.challenger)
            case Status.ABORTED if split.challenger is not None:
                self._state.hosting.put(canary.model, TrafficSplit(split.champion))
                self._state.put_champion(split.champion)
                self._say("WARNING", "canary aborted", canary)

    async def _split(self, canary: Canary, split: TrafficSplit) -> None:
        challenger = split.challenger
        if challenger is None or challenger.version != canary.challenger:
            try:
                challenger = await asyncio.to_thread(self._sources[canary.model].load, canary.challenger)
            except FonderieError as error:
                stop(canary.model, f"the challenger cannot be served: {error}", now=datetime.now(UTC))
                raise
        if (challenger, canary.percent) == (split.challenger, split.percent):
            return
        self._state.hosting.put(canary.model, TrafficSplit(split.champion, challenger, canary.percent))
        self._state.metrics.versions.labels(canary.model, challenger.version, Role.CHALLENGER).set(1)
        self._seen.pop(canary.model, None)
        self._say("NOTICE", "canary goes on", canary)

    async def _promote(self, canary: Canary, challenger: Served) -> None:
        await asyncio.to_thread(self._sources[canary.model].promote, canary)
        self._state.put_champion(challenger)
        self._say("NOTICE", "canary promoted", canary)

    def _say(self, severity: str, words: str, canary: Canary) -> None:
        self._state.log.write(
            severity, words, model=canary.model, version=canary.challenger, percent=canary.percent, reason=canary.reason
        )
