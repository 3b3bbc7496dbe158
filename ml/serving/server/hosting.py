"""Which versions this process answers with: changed by one assignment; a request keeps what it started with."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from enum import StrEnum

from ml.serving.scoring.compiled_version import Served


class Role(StrEnum):
    """What a version is to its model."""

    CHAMPION = "champion"
    CHALLENGER = "challenger"


@dataclass(frozen=True)
class TrafficSplit:
    """The champion of a model and, during a canary, its challenger with `percent` of the traffic (0: shadow)."""

    champion: Served
    challenger: Served | None = None
    percent: float = 0.0

    @property
    def shadow(self) -> Served | None:
        """The challenger, when it is asked only for comparison."""
        return self.challenger if self.percent == 0 else None

    def role(self, request_id: str) -> Role:
        """Who answers: a hash of the request's id, so that a retry meets the same version."""
        if self.challenger is None or self.percent == 0:
            return Role.CHAMPION
        place = zlib.crc32(b"canary" + request_id.encode()) % 10_000
        return Role.CHALLENGER if place < self.percent * 100 else Role.CHAMPION

    def version(self, role: Role) -> Served:
        """The version in a role; the champion's when there is no challenger."""
        return self.challenger if role is Role.CHALLENGER and self.challenger is not None else self.champion


class Hosting:
    """The models of one process by name; the first is the one the plain predict route asks."""

    def __init__(self) -> None:
        self._splits: dict[str, TrafficSplit] = {}
        self.draining = False

    @property
    def models(self) -> tuple[str, ...]:
        """Names, first come first."""
        return tuple(self._splits)

    @property
    def ready(self) -> bool:
        """Has it a model, and is it not on its way out?"""
        return bool(self._splits) and not self.draining

    def split(self, model: str = "") -> TrafficSplit | None:
        """Of the named model, or of the first."""
        return self._splits.get(model or next(iter(self._splits), ""))

    def put(self, model: str, split: TrafficSplit) -> None:
        """Answer with these from the next request on."""
        self._splits = {**self._splits, model: split}

    def put_champion(self, model: str, champion: Served) -> None:
        """Another champion; a challenger stays what it is, unless it became champion."""
        split = self._splits.get(model)
        if split is None or (split.challenger is not None and split.challenger.version == champion.version):
            self.put(model, TrafficSplit(champion))
        else:
            self.put(model, replace(split, champion=champion))
