from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from fonderie.google import Access
from fonderie.google.bigquery.loading import load
from fonderie.google.bigquery.origin import BigQueryOrigin
from fonderie.google.bigquery.tables import PARTITION
from ml.datasets.months import Month
from ml.datasets.schema import SCHEMAS, Dataset
from ml.datasets.sources import Source
from tests.flights import months_between, write_months
from tests.google.server import Google, running

MONTHS = months_between(Month(2013, 1), Month(2013, 4))


@pytest.fixture(scope="session")
def server() -> Iterator[Google]:
    with running() as google:
        yield google


@pytest.fixture
def google(server: Google) -> Google:
    """A project with the three tables as the data stack makes them, empty."""
    server.start_anew()
    for dataset in Dataset:
        schema = SCHEMAS[dataset]
        if dataset is Dataset.PLANES:
            server.bigquery.create(str(dataset), schema.empty_table())
        else:
            server.bigquery.create(str(dataset), with_partition(schema.empty_table()), PARTITION)
    return server


def with_partition(table: pa.Table) -> pa.Table:
    """`table`, empty, as BigQuery has it."""
    return table.append_column(pa.field(PARTITION, pa.date32(), nullable=False), pa.array([], pa.date32()))


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FONDERIE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("FONDERIE_DATA", raising=False)
    return tmp_path / "home"


@pytest.fixture(scope="session")
def invented(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Invented months, as a folder that nobody changes."""
    return write_months(tmp_path_factory.mktemp("invented"), MONTHS)


@pytest.fixture
def folder(invented: Path) -> Source:
    return Source(invented)


@pytest.fixture
def origin(google: Google) -> BigQueryOrigin:
    """The dataset, through the real client, with nothing in it yet."""
    return BigQueryOrigin(
        Access("proj-x", "europe-west1", endpoint=google.address), "dev_flights", {"model": "air_time"}
    )


@pytest.fixture
def loaded(origin: BigQueryOrigin, folder: Source) -> BigQueryOrigin:
    load(folder, origin, MONTHS)
    return BigQueryOrigin(origin.jobs.access, origin.dataset, origin.jobs.labels)
