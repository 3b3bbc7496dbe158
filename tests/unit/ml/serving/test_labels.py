"""Labels that arrive late, joined with a real prediction log."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fonderie.core.errors import BadDataError
from ml.serving.canary.canary import Canary, Status, observe, start
from ml.serving.canary.labels import losses, read_labels
from ml.serving.canary.margins import Question
from ml.serving.server.prediction_log import LogRow, ParquetSink
from tests.unit.ml.serving.simulation import MARGINS, NOW


@pytest.fixture
def canary() -> Canary:
    return start("air_time", "1", "2", MARGINS, now=NOW)


def log_row(number: int, role: str, prediction: float, *, version: str = "", minutes: int = 1) -> LogRow:
    named = version or {"champion": "1", "challenger": "2"}[role]
    at = NOW + timedelta(minutes=minutes, seconds=number)
    return LogRow(f"request-{number}", 0, "air_time", named, role, at, 0.001, prediction, "{}")


def write_labels(path: Path, labels: dict[str, float | None]) -> Path:
    table = pa.table({"request_id": list(labels), "row": [0] * len(labels), "label": list(labels.values())})
    pq.write_table(table, path)
    return path


def test_errors_are_those_of_the_two_versions_since_the_step_began(canary: Canary, tmp_path: Path) -> None:
    rows = [
        log_row(1, "champion", 100.0),
        log_row(2, "challenger", 100.0),
        log_row(3, "champion", 100.0, version="7"),
        log_row(4, "champion", 100.0, minutes=-10),
        log_row(5, "champion", 100.0),
        log_row(6, "champion", 100.0),
    ]
    ParquetSink(tmp_path / "log").write(rows)
    labels = {f"request-{number}": 100.0 + number for number in range(1, 6)} | {"request-6": None}

    found = losses(canary, tmp_path / "log", read_labels(write_labels(tmp_path / "labels.parquet", labels)))

    assert found.champion_loss[~np.isnan(found.champion_loss)].tolist() == [1.0, 5.0]
    assert found.challenger_loss[~np.isnan(found.challenger_loss)].tolist() == [2.0]
    assert found.answered == 0


def test_a_challenger_that_turns_out_further_off_is_aborted(canary: Canary, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    rows = [log_row(n, "challenger" if n % 4 == 0 else "champion", 103.0 if n % 4 == 0 else 101.0) for n in range(3000)]
    ParquetSink(tmp_path / "log").write(rows)
    labels = {f"request-{n}": 100 + rng.normal(0, 0.5) for n in range(3000)}
    known = read_labels(write_labels(tmp_path / "labels.parquet", labels))

    decided = observe(canary, losses(canary, tmp_path / "log", known), now=NOW)

    assert decided.status is Status.ABORTED
    assert decided.reason.startswith(str(Question.LOSS))


def test_a_file_without_labels_is_said(tmp_path: Path) -> None:
    (tmp_path / "labels.parquet").write_text("late")

    with pytest.raises(BadDataError, match="no labels"):
        read_labels(tmp_path / "labels.parquet")
