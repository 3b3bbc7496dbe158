"""More rows of the same kind, for what must grow with them: each copy is by itself."""

from __future__ import annotations

from pathlib import Path

from ml.datasets.contracts import check_months
from ml.datasets.months import Month
from ml.datasets.parquet import read_parquet
from ml.datasets.schema import Dataset
from ml.datasets.sources import Source
from ml.features.queries import ORDER
from ml.features.tables import build
from tests.grown import airport, grow
from tests.unit.ml.datasets.everything import everything

MARCH, APRIL = Month(2013, 3), Month(2013, 4)
TIMES = 3


def test_a_flight_has_the_features_of_the_flight_it_was_copied_from(months: Source, tmp_path: Path) -> None:
    grown = grow(months, tmp_path / "grown", TIMES)
    config = everything()

    one = build(config, [MARCH, APRIL], months).table().to_pandas()
    all_copies = build(config, [MARCH, APRIL], grown).table().to_pandas()

    assert len(all_copies) == TIMES * len(one)
    for at in range(TIMES):
        copy = one.assign(origin=[code if at == 0 else airport(code, at) for code in one["origin"]])
        found = all_copies[all_copies["origin"].isin(copy["origin"].unique())]
        assert found.reset_index(drop=True).equals(copy.sort_values(list(ORDER), ignore_index=True)[found.columns])


def test_a_copy_keeps_the_contract_and_is_the_same_each_time(months: Source, tmp_path: Path) -> None:
    first, second = (grow(months, tmp_path / name, TIMES, [APRIL]) for name in ("first", "second"))

    reports = check_months([APRIL], 0.0, first)

    assert {report.dataset: report.quarantined for report in reports} == dict.fromkeys(Dataset, 0)
    for dataset in (Dataset.FLIGHTS, Dataset.WEATHER):
        assert read_parquet(first.path(dataset, APRIL)).equals(read_parquet(second.path(dataset, APRIL)))
