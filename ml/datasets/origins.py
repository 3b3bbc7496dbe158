"""Where months come from, as a pipeline is told it: a folder of this machine, or a dataset in BigQuery."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fonderie.core.errors import BadInputError
from ml.datasets.contracts import ContractReport, check_months
from ml.datasets.months import Month
from ml.datasets.schema import Dataset
from ml.datasets.sources import Source, source
from ml.features.tables import FeatureSet, build
from ml.locations import ORIGINS
from ml.models import ModelConfig


class Origin(Protocol):
    """Months of flights: which there are, what their contracts say, and the features of a model."""

    def months(self) -> list[Month]:
        """Months there are flights for, in order."""

    def require(self, months: Iterable[Month]) -> None:
        """Raises BadDataError naming the months there are, unless all of `months` are among them."""

    def latest(self, month: Month, count: int) -> list[Month]:
        """`month` and the months with data before it, `count` in all at most, in order. Raises BadDataError."""

    def check(self, config: ModelConfig, months: Iterable[Month]) -> Sequence[ContractReport]:
        """Every partition through its contract. Raises BadDataError above the model's limit."""

    def build(self, config: ModelConfig, months: Iterable[Month]) -> FeatureSet:
        """Features of `months`, with history from the months before them; one Parquet file a month."""


@dataclass(frozen=True)
class FolderOrigin:
    """A folder of monthly partitions, read by DuckDB."""

    folder: Source

    def months(self) -> list[Month]:
        """Months with a `flights/YYYY-MM.parquet`, in order."""
        return self.folder.months()

    def require(self, months: Iterable[Month]) -> None:
        """Raises BadDataError naming the missing months."""
        self.folder.require(months)

    def latest(self, month: Month, count: int) -> list[Month]:
        """The last `count` months with flights up to `month`, in order. Raises BadDataError."""
        return self.folder.latest(month, count)

    def check(self, config: ModelConfig, months: Iterable[Month]) -> Sequence[ContractReport]:
        """Check the Parquet file of each month against its contract. Raises BadDataError above the model's limit."""
        return check_months(months, config.data.max_quarantined_fraction, self.folder)

    def build(self, config: ModelConfig, months: Iterable[Month]) -> FeatureSet:
        """Compute the features with DuckDB; one Parquet file a month."""
        return build(config, months, self.folder)


def open_origin(address: str = "") -> Origin:
    """The months at `address`: a folder, nothing for `source()`, or what `ORIGINS` opens. Raises BadInputError."""
    if opener := ORIGINS.opener(address):
        return opener(address)
    if not address:
        return FolderOrigin(source())
    if not (Path(address) / Dataset.FLIGHTS).is_dir():
        raise BadInputError("has no folder flights/", where=address, hint="see docs/data.md: bring your own months")
    return FolderOrigin(Source(Path(address).absolute()))
