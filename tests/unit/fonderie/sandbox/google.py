"""Drives the apply side without Terraform: resources are written as attributes, what is computed is left unknown."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fonderie.sandbox.cloud.clock import Clock
from fonderie.sandbox.cloud.cloud import Cloud
from fonderie.sandbox.iam.caller import Caller
from fonderie.sandbox.lifecycle.interface import UNKNOWN, ApplyResult, DiagnosticSeverity, ProviderConfig, State
from fonderie.sandbox.lifecycle.lifecycle import GoogleLifecycle
from fonderie.sandbox.lifecycle.settling import Settling
from fonderie.sandbox.lifecycle.world import World
from fonderie.sandbox.provider.facts import Facts
from fonderie.sandbox.provider.schema import ProviderSchema

PROJECT = "demo-proj"
NUMBER = 123456789012
PROVIDER = ProviderConfig(project=PROJECT, region="us-central1")
CLOCK = Clock(scale=0.0, sleep=lambda _: None)


@dataclass(frozen=True)
class Google:
    """A cloud and its provider."""

    world: World
    provider: ProviderConfig = PROVIDER

    @classmethod
    def at(cls, file: Path, schema: ProviderSchema, facts: Facts, *, established: bool = False) -> Google:
        world = World(Cloud(file), schema, facts, clock=CLOCK, established=established, settling=Settling(quiet_s=0.0))
        return cls(world)

    def as_(self, caller: Caller, **values: Any) -> Google:
        """The same cloud, called by somebody; `values` of the provider block."""
        return replace(self, provider=replace(self.provider, caller=caller, values=values))

    @property
    def life(self) -> GoogleLifecycle:
        return GoogleLifecycle(self.world)

    def planned(self, type: str, /, **attributes: Any) -> State:
        """As the planner leaves it: what is computed and not given is unknown."""
        block = self.world.schema.resource(type).block
        facts = self.world.facts.type(type).attributes
        state = block.empty()
        for name in block.attributes:
            fact = facts.get(name)
            if name == "id" or (fact and fact.computed):
                state[name] = UNKNOWN
            elif fact:
                state[name] = fact.default
        if "project" in state and state["project"] is UNKNOWN:
            state["project"] = self.provider.project
        return {**state, **attributes}

    def make(self, type: str, /, **attributes: Any) -> State:
        """Create; the state that is left."""
        done = self.life.create(type, self.planned(type, **attributes), self.provider)
        assert done.state is not None
        return done.state

    def change(self, type: str, prior: State, **attributes: Any) -> ApplyResult:
        return self.life.update(type, prior, {**prior, **attributes}, self.provider)

    def read(self, type: str, state: State) -> State | None:
        return self.life.read(type, state, self.provider)

    def delete(self, type: str, state: State) -> None:
        assert not [
            one for one in self.life.delete(type, state, self.provider) if one.severity is DiagnosticSeverity.ERROR
        ]

    def bring(self, type: str, id: str) -> State | None:
        """Import, then read."""
        (state,) = self.life.import_(type, id, self.provider)
        return self.read(type, state)

    def enable(self, *services: str) -> None:
        for service in services:
            name = f"{service}.googleapis.com"
            self.make("google_project_service", service=name, disable_on_destroy=False)

    def later(self) -> Google:
        """The same cloud for another process."""
        fresh = World(Cloud(self.world.cloud.file), self.world.schema, self.world.facts, clock=CLOCK,
                      established=self.world.established, settling=Settling(quiet_s=0.0))  # fmt: skip
        return replace(self, world=fresh)
