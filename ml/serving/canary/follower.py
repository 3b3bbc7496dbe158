"""A server that follows canaries: splits the traffic as their files say, and tells them what it saw."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime

from fonderie.core.errors import FonderieError
from ml.serving.canary.canary import Canary, Status, observe
from ml.serving.canary.observations import requests_of
from ml.serving.canary.outcomes import Outcome
from ml.serving.canary.store import change, read_canary, stop
from ml.serving.scoring.compiled_version import Served
from ml.serving.server.hosting import Arms, Role
from ml.serving.server.predict import Desk
from ml.serving.server.reload import put
from ml.serving.server.version_sources import RegistrySource

LATENCY_FLOOR_S = 0.001
"""Added to both versions' latencies: the network's part, so that microseconds of scoring do not count."""

MOST_OUTCOMES = 200_000  # between two looks; more are let go


class CanaryFollower:
    """Of the models of one process that come from a registry."""

    def __init__(self, desk: Desk, sources: Mapping[str, RegistrySource]) -> None:
        self._desk = desk
        self._sources = sources
        self._seen: dict[str, list[Outcome]] = defaultdict(list)
        desk.observe = self.observe

    def observe(self, arms: Arms, outcome: Outcome) -> None:
        """Called with every answer while there is a challenger.

        One that was begun under another split is let go: a comparison from the shadow says nothing about a later step.
        """
        model = arms.champion.schema.model
        if self._desk.hosting.arms(model) is arms and len(self._seen[model]) < MOST_OUTCOMES:
            self._seen[model].append(outcome)

    async def watch(self, every_s: float) -> None:
        """Follow the canaries until the task is cancelled."""
        while True:
            for model in self._sources:
                try:
                    await self.look(model)
                except FonderieError as error:
                    self._desk.journal.write("ERROR", f"the canary is not followed: {error}", model=model)
            await asyncio.sleep(every_s)

    async def look(self, model: str) -> None:
        """Take in what was seen, decide, and split the traffic accordingly."""
        canary = await asyncio.to_thread(read_canary, model)
        arms = self._desk.hosting.arms(model)
        if arms is None or canary is None:
            return
        if canary.status is Status.RUNNING:
            canary = await asyncio.to_thread(self._decide, canary, arms, self._seen.pop(model, [])) or canary
            if canary.status is Status.RUNNING and canary.champion != arms.champion.version:
                return  # the champion is being reloaded
        await self._apply(canary, arms)

    def _decide(self, canary: Canary, arms: Arms, seen: list[Outcome]) -> Canary | None:
        now = datetime.now(UTC)
        champion = self._sources[canary.model].champion()
        if champion not in (canary.champion, canary.challenger):
            return stop(canary.model, f"version {champion} became champion meanwhile", now=now)
        served = (arms.champion.version, arms.challenger.version if arms.challenger else None)
        if not seen or served != (canary.champion, canary.challenger):
            return canary
        requests, percent = requests_of(seen, floor_s=LATENCY_FLOOR_S), arms.percent
        return change(
            canary.model, lambda known: observe(known, requests, now=now) if known.percent == percent else known
        )

    async def _apply(self, canary: Canary, arms: Arms) -> None:
        match canary.status:
            case Status.RUNNING:
                await self._split(canary, arms)
            case Status.PROMOTED if arms.challenger is not None:
                await self._promote(canary, arms.challenger)
            case Status.ABORTED if arms.challenger is not None:
                self._desk.hosting.put(canary.model, Arms(arms.champion))
                put(self._desk, arms.champion)
                self._say("WARNING", "canary aborted", canary)

    async def _split(self, canary: Canary, arms: Arms) -> None:
        challenger = arms.challenger
        if challenger is None or challenger.version != canary.challenger:
            try:
                challenger = await asyncio.to_thread(self._sources[canary.model].load, canary.challenger)
            except FonderieError as error:
                stop(canary.model, f"the challenger cannot be served: {error}", now=datetime.now(UTC))
                raise
        if (challenger, canary.percent) == (arms.challenger, arms.percent):
            return
        self._desk.hosting.put(canary.model, Arms(arms.champion, challenger, canary.percent))
        self._desk.metrics.served[canary.model, challenger.version] = Role.CHALLENGER
        self._seen.pop(canary.model, None)
        self._say("NOTICE", "canary goes on", canary)

    async def _promote(self, canary: Canary, challenger: Served) -> None:
        await asyncio.to_thread(self._sources[canary.model].promote, canary)
        put(self._desk, challenger)
        self._say("NOTICE", "canary promoted", canary)

    def _say(self, severity: str, words: str, canary: Canary) -> None:
        self._desk.journal.write(
            severity, words, model=canary.model, version=canary.challenger, percent=canary.percent, reason=canary.reason
        )
