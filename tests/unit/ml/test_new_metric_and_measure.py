"""A metric or a drift measure is one object: once it is in its table, everything else follows."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from ml.evaluation.evaluate import Subject, score
from ml.evaluation.gate import Expected, decide
from ml.evaluation.metrics import METRICS, MeanLoss, TaskKind
from ml.evaluation.scores import Role
from ml.models import load_model, models_folder
from ml.models.config.schema import schema_text
from ml.monitoring.model_error import month_error

ROOT_ERROR = MeanLoss(
    name="root_error",
    task=TaskKind.REGRESSION,
    unit="min",
    loss=lambda actual, predicted: abs(actual - predicted) ** 0.5,
    power=2.0,
)


def test_a_new_metric_reaches_configuration_schema_scores_gate_and_monitor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METRICS, ROOT_ERROR.name, ROOT_ERROR)
    text = (models_folder() / "air_time.toml").read_text()
    (tmp_path / "air_time.toml").write_text(text.replace('metric = "mae"', 'metric = "root_error"'))
    monkeypatch.setenv("FONDERIE_MODELS", str(tmp_path))
    config = load_model("air_time")
    rng = np.random.default_rng(1)
    actual = rng.uniform(30, 300, 4000)
    slices = {name: rng.choice(["a", "b"], actual.size) for name in config.gate.slices}
    rows = pa.table({"target": actual, "day_number": np.arange(actual.size) // 250, **slices})
    subject = Subject(
        role=Role.CHALLENGER, model_hash="challenger", holdout_hash="rows",
        trained_until="2013-01-20", holdout_from="2013-01-21",
    )  # fmt: skip
    theirs, constant = actual + rng.uniform(4.5, 5.5, actual.size), np.full(actual.size, actual.mean())
    baselines = {"constant": constant, str(config.gate.naive_feature): actual + 8.0}
    ours = score(config, subject, rows, actual + 4.0, champion=theirs, baselines=baselines)
    champion = subject.model_copy(update={"role": Role.CHAMPION, "model_hash": "champion"})

    expected = Expected(holdout_hash="rows", champion_hash="champion")
    decision = decide(ours, score(config, champion, rows, theirs), config.gate, expected)
    error = month_error(config.gate.metric, actual, actual + 9, np.arange(actual.size) % 28, seed=1)

    assert "root_error" in json.loads(schema_text())["$defs"]["Gate"]["properties"]["metric"]["enum"]
    assert [str(check.verdict) for check in decision.checks if check.name in ("metric", "gain")] == ["passed"] * 2
    assert decision.outcome == "promote"
    assert ours.metric == pytest.approx(4.0)
    assert set(ours.others) == {"mae", "rmse"}
    assert error is not None
    assert error.value == pytest.approx(9.0)


def test_a_new_measure_reaches_configuration_schema_monitor_and_preview() -> None:
    """In a process of its own: the [drift] section is made once, when the configuration is imported."""
    program = textwrap.dedent(
        """
        from ml.monitoring.measures import MEASURES, Comparison, Measure, Subject
        MEASURES.append(Measure(
            key="mean_shift", name="mean_shift", subject=Subject.NUMERIC, threshold=0.5, description="of a mean",
            words="drift threshold of a mean", most=float("inf"),
            compare=lambda before, after, tests: Comparison(abs(after.known.mean() - before.known.mean()), noise=0.0),
        ))
        import json
        import numpy as np, pandas as pd
        from ci.preview.models.models import words
        from ml.models import load_model
        from ml.models.config.schema import schema_text
        from ml.monitoring.shift import feature_findings
        config = load_model("air_time")
        rng = np.random.default_rng(1)
        names = config.features
        numbers = {name: rng.normal(size=500) for name in names.numeric}
        before = pd.DataFrame(numbers | {name: ["a"] * 500 for name in names.categorical})
        found = list(feature_findings(
            config, before, before.assign(distance=before.distance + 3), dict.fromkeys(names.names, 0.1),
            season_known=True, harm=lambda name: 1.0
        ))
        print(json.dumps({
            "default": config.model_dump()["drift"]["mean_shift"],
            "schema": json.loads(schema_text())["$defs"]["Drift"]["properties"]["mean_shift"]["default"],
            "words": words("drift.mean_shift"),
            "alarms": [f.subject for f in found if f.measure == "mean_shift" and f.severity == "alarm"],
            "measured": sum(f.measure == "mean_shift" for f in found) == len(names.numeric),
        }))
        """
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout) == {
        "default": 0.5,
        "schema": 0.5,
        "words": "drift threshold of a mean",
        "alarms": ["distance"],
        "measured": True,
    }
