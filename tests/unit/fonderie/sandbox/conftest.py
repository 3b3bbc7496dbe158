from pathlib import Path

import pytest

from fonderie.sandbox.planning.planner import Planner
from fonderie.sandbox.provider.facts import Facts
from fonderie.sandbox.provider.schema import ProviderSchema
from tests.unit.fonderie.sandbox.google import Google

GOOGLE = Path("tests/data/google")


@pytest.fixture(scope="session")
def schema() -> ProviderSchema:
    return ProviderSchema.load(GOOGLE / "schema@7.45.0.json.gz")


@pytest.fixture(scope="session")
def facts() -> Facts:
    return Facts.load()


@pytest.fixture(scope="session")
def planner(schema: ProviderSchema, facts: Facts) -> Planner:
    return Planner(schema, facts)


@pytest.fixture
def fresh(tmp_path: Path, schema: ProviderSchema, facts: Facts) -> Google:
    """A fresh project: nothing is on, nothing is there."""
    return Google.at(tmp_path / "cloud.sqlite", schema, facts)


@pytest.fixture
def established(tmp_path: Path, schema: ProviderSchema, facts: Facts) -> Google:
    """A project where every API is on and what is named from outside exists."""
    return Google.at(tmp_path / "cloud.sqlite", schema, facts, established=True)
