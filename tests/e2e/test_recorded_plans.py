"""The recorded plans of the real provider, all of them, against the sandbox with an established project."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from fonderie.sandbox.cloud.cloud import Cloud
from fonderie.sandbox.lifecycle.lifecycle import GoogleLifecycle
from fonderie.sandbox.lifecycle.world import World
from fonderie.sandbox.planning.planner import Planner
from fonderie.sandbox.protocol.server import RunningProvider, serve_provider
from fonderie.sandbox.provider.facts import Facts
from fonderie.sandbox.provider.schema import ProviderSchema
from tests.sandbox import recordings
from tests.sandbox.recordings import Outcome, Recording

pytestmark = pytest.mark.e2e
GOOGLE = Path("tests/data/google")
REACH = 0.99


@pytest.fixture(scope="module")
def established(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProvider]:
    schema, facts = ProviderSchema.load(GOOGLE / "schema@7.45.0.json.gz"), Facts.load()
    world = World(Cloud(tmp_path_factory.mktemp("cloud") / "cloud.sqlite"), schema, facts, established=True)
    with world.cloud, serve_provider(schema, Planner(schema, facts), GoogleLifecycle(world)) as up:
        yield up


@pytest.fixture(scope="module")
def planned(established: RunningProvider, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Recording, Outcome]]:
    recorded = recordings.recordings(GOOGLE / "vectors.json.gz")
    folder = tmp_path_factory.mktemp("recorded")
    return recordings.compare(recorded, GOOGLE / "base.tf.json", folder, established.environment)


def test_the_plans_agree_in_outcome_actions_and_replace_paths(planned: list[tuple[Recording, Outcome]]) -> None:
    apart = [f"{one}: recorded {one.outcome}, got {got}" for one, got in planned if not recordings.agrees(one, got)]
    assert len(planned) == 603
    assert len(apart) <= (1 - REACH) * len(planned), "\n".join(apart)


def test_every_kind_of_outcome_agrees(planned: list[tuple[Recording, Outcome]]) -> None:
    all_of = Counter(one.outcome for one, _ in planned)
    agreed = Counter(one.outcome for one, got in planned if recordings.agrees(one, got))
    shares = {outcome: agreed[outcome] / count for outcome, count in all_of.items()}
    assert all(share >= 0.97 for share in shares.values()), shares


def test_what_becomes_unknown_agrees(planned: list[tuple[Recording, Outcome]]) -> None:
    changing = [
        (one, got) for one, got in planned if one.outcome == got.outcome and one.outcome in ("update", "replace")
    ]
    agreed = [one for one, got in changing if recordings.same_unknown(one, got)]
    assert len(agreed) >= REACH * len(changing)
