from pathlib import Path

import pytest

from infra.sandbox.facts import Facts
from infra.sandbox.planner import Planner
from infra.sandbox.schema import Schema

GOOGLE = Path("tests/data/google")


@pytest.fixture(scope="session")
def schema() -> Schema:
    return Schema.load(GOOGLE / "schema@7.45.0.json.gz")


@pytest.fixture(scope="session")
def facts() -> Facts:
    return Facts.load()


@pytest.fixture(scope="session")
def planner(schema: Schema, facts: Facts) -> Planner:
    return Planner(schema, facts)
