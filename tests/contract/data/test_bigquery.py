"""Months in BigQuery answer as months in a folder do; nothing is read whole, nothing is paid unasked."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from fonderie.core.errors import BadDataError, BadInputError, RefusedError, StepFailedError
from fonderie.google.bigquery.jobs import Jobs, Limit, size
from fonderie.google.bigquery.loading import load
from fonderie.google.bigquery.origin import BigQueryOrigin
from fonderie.sandbox.rest.discovery import RejectedError
from ml.datasets.contracts import ContractReport
from ml.datasets.months import Month
from ml.datasets.origins import FolderOrigin, Origin, open_origin
from ml.datasets.schema import Dataset
from ml.datasets.sources import Source
from ml.models import ModelConfig, load_model
from tests.contract.data.conftest import MONTHS
from tests.flights import change
from tests.google.server import Google
from tests.unit.ml.datasets.everything import everything
from tests.unit.ml.datasets.test_contracts import set_in

MARCH, APRIL = Month(2013, 3), Month(2013, 4)
CONFIGS = [everything(), load_model("air_time"), load_model("late_arrival")]


@pytest.mark.prove(every=len(CONFIGS))
@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
def test_features_are_those_of_the_folder_to_the_last_bit(
    loaded: BigQueryOrigin, folder: Source, config: ModelConfig, google: Google
) -> None:
    here, there = (origin.build(config, [MARCH, APRIL]) for origin in (FolderOrigin(folder), loaded))

    assert there.table().equals(here.table())
    assert len(there.table()) > 3000
    assert (there.features, there.categorical, there.feature_hash) == (
        here.features,
        here.categorical,
        here.feature_hash,
    )
    assert google.refused == []


BROKEN: tuple[dict[str, object], ...] = (
    {"month": 5},
    {"day": 31},
    {"sched_arr_time": 1275.0},
    {"dep_delay": 9999.0},
    {"air_time": 2.0, "distance": 3.0},
    {"carrier": "ua", "origin": "Newark"},
    {"tailnum": None, "sched_dep_time": float("nan")},
    {"carrier": None},
    {"distance": float("nan")},
    {"hour": 25, "minute": 60},
    {"dep_time": float("nan"), "dep_delay": float("nan"), "air_time": 90.0},
    {"air_time": 0.0},
)


def break_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """Five rows of each kind, each breakage by itself."""
    for at, values in enumerate(BROKEN):
        for column, value in values.items():
            kind = object if isinstance(value, str) or value is None else float
            rows[column] = rows[column].astype(kind)
            rows.loc[rows.index[at * 5 : at * 5 + 5], column] = value
    return rows


def test_the_contract_says_the_same_of_the_same_rows(origin: BigQueryOrigin, folder: Source, tmp_path: Path) -> None:
    broken = Source(Path(shutil.copytree(folder.root, tmp_path / "broken")))
    change(broken.path(Dataset.FLIGHTS, APRIL), break_rows)
    change(
        broken.path(Dataset.WEATHER, APRIL),
        lambda rows: rows.assign(temp=rows["temp"].where(rows.index > 3, 400.0)),
    )
    load(broken, origin, MONTHS)
    lenient = with_limit(load_model("air_time"), 1.0)

    here = FolderOrigin(broken).check(lenient, [MARCH, APRIL])
    there = origin.check(lenient, [MARCH, APRIL])

    assert {key(report): facts(report) for report in there} == {key(report): facts(report) for report in here}
    flights = next(report for report in there if key(report) == (Dataset.FLIGHTS, "2013-04"))
    assert flights.quarantined == 5 * len(BROKEN)
    assert len(flights.reasons) > len(BROKEN)
    assert origin.build(lenient, [APRIL]).table().equals(FolderOrigin(broken).build(lenient, [APRIL]).table())


def test_a_second_row_of_the_same_flight_is_one_too_many_in_both(
    origin: BigQueryOrigin, folder: Source, tmp_path: Path
) -> None:
    """Which of the two stays is not the same: the folder keeps its first, BigQuery knows no first."""
    doubled = Source(Path(shutil.copytree(folder.root, tmp_path / "doubled")))
    change(
        doubled.path(Dataset.FLIGHTS, APRIL),
        lambda rows: pd.concat([rows, rows.head(7).assign(air_time=lambda row: row["air_time"] + 1)]),
    )
    load(doubled, origin, MONTHS)
    config = load_model("air_time")

    here, there = (each.check(config, [APRIL])[0] for each in (FolderOrigin(doubled), origin))

    assert facts(there) == facts(here)
    assert there.reasons == {"a second row of the same flight": 7}
    assert len(origin.build(config, [APRIL]).table()) == 1800


def test_too_many_broken_rows_stop_a_run_and_say_why(origin: BigQueryOrigin, folder: Source, tmp_path: Path) -> None:
    broken = Source(Path(shutil.copytree(folder.root, tmp_path / "broken")))
    change(broken.path(Dataset.FLIGHTS, APRIL), set_in(900, distance=-1.0))
    load(broken, origin, MONTHS)

    with pytest.raises(BadDataError, match="900 of 1800 rows break the contract of flights") as refused:
        origin.build(load_model("air_time"), [APRIL])
    assert "distance not between 10 and 12000: 900" in refused.value.what
    assert refused.value.where == "proj-x.dev_flights.flights"


def test_only_the_partitions_that_are_needed_are_read(loaded: BigQueryOrigin, google: Google) -> None:
    config = load_model("air_time")
    whole = loaded.estimate(config, MONTHS)
    one = loaded.estimate(config, [MONTHS[0]])

    assert one["features"] < whole["features"] / 3
    assert one["contract of flights"] < whole["contract of flights"] / 3
    before = google.bigquery.bytes_billed
    loaded.build(config, [MONTHS[0]])
    assert google.bigquery.bytes_billed - before < sum(whole.values()) / 2 + 10_000_000


def test_a_query_that_names_no_partition_is_refused(loaded: BigQueryOrigin) -> None:
    with pytest.raises(BadInputError, match="without a filter over column"):
        loaded.jobs.table("SELECT COUNT(*) FROM `proj-x`.`dev_flights`.`flights`", Limit(10**12, "a test"))


def test_a_query_above_the_limit_is_refused_before_it_runs(loaded: BigQueryOrigin, google: Google) -> None:
    config = load_model("air_time")
    small = config.model_copy(update={"data": config.data.model_copy(update={"max_bytes_billed": 1000})})

    with pytest.raises(RefusedError, match=r"would read .* KB, and 1\.0 KB is the limit") as refused:
        loaded.build(small, [APRIL])

    assert refused.value.where == "ml/models/air_time.toml: data.max_bytes_billed"
    assert [call for call in ran(google) if "breaks_0" in call] == []


def test_bigquery_itself_is_told_the_limit_and_whose_query_it_is(loaded: BigQueryOrigin, google: Google) -> None:
    loaded.build(load_model("air_time"), [APRIL])

    paid = [job["configuration"] for job in google.bigquery.jobs.values() if "query" in job["configuration"]]
    surveys = [each for each in paid if "breaks_0" in each["query"]["query"]]
    assert {each["query"]["maximumBytesBilled"] for each in surveys} == {"20000000000"}
    assert {each["labels"]["model"] for each in surveys} == {"air_time"}


def test_the_same_features_are_not_asked_for_twice(loaded: BigQueryOrigin, google: Google) -> None:
    config = load_model("air_time")
    first = loaded.build(config, [MARCH])
    asked = len(ran(google))

    again = loaded.build(config, [MARCH])

    assert again.paths == first.paths
    assert not any("target" in sql for sql in ran(google)[asked:])


def test_other_rows_are_other_data_and_the_same_rows_are_not(
    loaded: BigQueryOrigin, folder: Source, tmp_path: Path
) -> None:
    config = load_model("air_time")
    before = loaded.build(config, [APRIL])
    load(folder, loaded, [APRIL])
    same = loaded.build(config, [APRIL])
    changed = Source(Path(shutil.copytree(folder.root, tmp_path / "changed")))
    change(changed.path(Dataset.FLIGHTS, MARCH), lambda rows: rows.assign(air_time=rows["air_time"] + 1))
    load(changed, loaded, [MARCH])
    other = loaded.build(config, [APRIL])

    assert same.data_hash == before.data_hash
    assert other.data_hash != before.data_hash
    assert other.paths != before.paths


def test_a_month_is_loaded_in_place_of_what_was_there(loaded: BigQueryOrigin, folder: Source) -> None:
    config = with_limit(load_model("air_time"), 1.0)
    before = {key(report): report.rows for report in loaded.check(config, MONTHS)}

    load(folder, loaded, [MARCH, APRIL])

    assert {key(report): report.rows for report in loaded.check(config, MONTHS)} == before


@pytest.mark.parametrize("kind", ["folder", "bigquery"])
def test_which_months_there_are_is_said_alike(
    kind: str, folder: Source, loaded: BigQueryOrigin, request: pytest.FixtureRequest
) -> None:
    origin: Origin = FolderOrigin(folder) if kind == "folder" else loaded

    assert origin.months() == MONTHS
    assert origin.latest(APRIL, 2) == [MARCH, APRIL]
    with pytest.raises(BadDataError, match="no flights for 2014-01") as missing:
        origin.require([APRIL, Month(2014, 1)])
    assert missing.value.hint == "there are 2013-01 to 2013-04"


def test_an_empty_dataset_says_how_to_fill_it(origin: BigQueryOrigin) -> None:
    assert origin.months() == []
    with pytest.raises(BadDataError, match="no flights for 2013-04") as missing:
        origin.build(load_model("air_time"), [APRIL])
    assert missing.value.hint == "load some: fonderie data load --env ENV"


@pytest.mark.parametrize(
    ("failure", "kind", "hint"),
    [
        (RejectedError(403, "accessDenied", "Access Denied: Table"), RefusedError, "lacks a role"),
        (RejectedError(403, "quotaExceeded", "Quota exceeded"), RefusedError, "quota is used up"),
        (RejectedError(404, "notFound", "Not found: Dataset"), BadInputError, "are the stacks deployed"),
        (RejectedError(400, "invalidQuery", "Syntax error"), BadInputError, None),
    ],
)
def test_a_refusal_of_google_is_said_in_words(
    loaded: BigQueryOrigin, google: Google, failure: RejectedError, kind: type[Exception], hint: str | None
) -> None:
    google.failures.append(failure)

    with pytest.raises(kind, match=failure.message) as said:
        loaded.months()
    assert hint is None or hint in str(said.value)


def test_a_connection_that_cannot_be_made_is_no_traceback(google: Google) -> None:
    from fonderie.google import Access

    nobody = Jobs(Access("proj-x", "europe-west1", endpoint="http://127.0.0.1:9"), give_up_after_s=0.5)
    with pytest.raises(StepFailedError, match="could not be reached"):
        nobody.estimate("SELECT 1")


@pytest.mark.parametrize(
    "address", ["bigquery://", "bigquery://proj-x/dev", "bigquery://proj-x/europe-west1/a;b", "gs://bucket/months"]
)
def test_an_address_that_names_nothing_is_refused(address: str) -> None:
    with pytest.raises(BadInputError, match=r"is not a BigQuery dataset|unknown data location"):
        open_origin(address)


def test_an_address_names_the_dataset_or_the_folder(folder: Source) -> None:
    there = open_origin("bigquery://proj-x/europe-west1/dev_flights")
    assert isinstance(there, BigQueryOrigin)
    assert (there.project, there.jobs.access.region, there.dataset) == ("proj-x", "europe-west1", "dev_flights")
    assert open_origin(str(folder.root)).months() == MONTHS


def test_bytes_are_written_as_a_bill_writes_them() -> None:
    assert [size(count) for count in (999, 1000, 2_340_000, 20_000_000_000, 3 * 10**12)] == [
        "999 bytes",
        "1.0 KB",
        "2.3 MB",
        "20.0 GB",
        "3.0 TB",
    ]


def key(report: ContractReport) -> tuple[str, str]:
    return (report.dataset, report.partition)


def facts(report: ContractReport) -> tuple[object, ...]:
    return report.rows, report.quarantined, report.reasons


def with_limit(config: ModelConfig, fraction: float) -> ModelConfig:
    return config.model_copy(update={"data": config.data.model_copy(update={"max_quarantined_fraction": fraction})})


def ran(google: Google) -> list[str]:
    """The queries that were run, not only estimated."""
    jobs = google.bigquery.jobs.values()
    return [job["configuration"]["query"]["query"] for job in jobs if "query" in job["configuration"]]
