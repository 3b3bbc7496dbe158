from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from fonderie.core.errors import BadInputError
from fonderie.core.toml import parse_toml
from ml.models import ModelConfig, Task, list_models, load_model, models_folder
from ml.models.config.schema import schema_text

ROOT = Path(__file__).parents[4]


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Writes air_time.toml, every key stated, with one piece of text replaced, and says what loading it says."""
    original = (ROOT / "tests/data/models/air_time.toml").read_text()
    monkeypatch.setenv("FONDERIE_MODELS", str(tmp_path))

    def load(old: str, new: str) -> BadInputError:
        assert old in original
        (tmp_path / "air_time.toml").write_text(original.replace(old, new, 1))
        with pytest.raises(BadInputError) as error:
            load_model("air_time")
        assert re.fullmatch(rf"{re.escape(str(tmp_path / 'air_time.toml'))}(:\d+)?", error.value.where or "")
        return error.value

    return load


@pytest.mark.parametrize("name", ["air_time", "late_arrival"])
def test_the_defaults_resolve_to_what_the_files_stated_before_they_had_any(name: str) -> None:
    resolved = (ROOT / f"tests/data/models/{name}.json").read_text()
    assert load_model(name).model_dump_json(indent=1) + "\n" == resolved
    assert ModelConfig.model_validate_json(resolved) == load_model(name)


def test_a_file_that_states_every_default_is_the_same_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = load_model("air_time")
    (tmp_path / "air_time.toml").write_text((ROOT / "tests/data/models/air_time.toml").read_text())
    monkeypatch.setenv("FONDERIE_MODELS", str(tmp_path))
    assert load_model("air_time") == usual


def test_a_section_states_only_what_differs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (models_folder() / "air_time.toml").read_text().replace('"visib",', "")
    (tmp_path / "air_time.toml").write_text(text + '[compute.train]\nretries = 5\n[compute.gate]\ncpu = "1"\n')
    monkeypatch.setenv("FONDERIE_MODELS", str(tmp_path))
    config = load_model("air_time")
    assert (config.task_compute("train").retries, config.task_compute("train").memory) == (5, "16Gi")
    assert config.task_compute("gate") == Task(cpu="1")
    assert config.task_compute("features") == Task()
    assert "visib" not in config.drift.seasonal_features


@pytest.mark.parametrize("name", list_models())
def test_every_model_in_the_repository_loads_and_satisfies_the_schema_editors_use(name: str) -> None:
    assert load_model(name).name == name
    jsonschema.validate(parse_toml(models_folder() / f"{name}.toml"), json.loads(schema_text()))


def test_the_committed_schema_is_the_one_the_models_are_read_with() -> None:
    assert (models_folder() / "schema.json").read_text() == schema_text(), "run: python -m ml.models.config.schema"


def test_an_unknown_model_is_answered_with_its_near_misses() -> None:
    with pytest.raises(BadInputError, match="airtime") as error:
        load_model("airtime")
    assert error.value.hint == "did you mean air_time?"


def test_a_new_file_is_a_new_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (models_folder() / "air_time.toml").read_text()
    (tmp_path / "short_air_time.toml").write_text(text.replace('name = "air_time"', 'name = "short_air_time"'))
    monkeypatch.setenv("FONDERIE_MODELS", str(tmp_path))
    assert list_models() == ["short_air_time"]
    assert load_model("short_air_time").target.column == "air_time"


@pytest.mark.parametrize(
    ("old", "new", "says", "hint"),
    [
        ("window_months = 12", "window_month = 12", "training.window_month: unknown key", "window_months"),
        ("min_gain = 0.01", "min_gian = 0.01", "gate.min_gian: unknown key", "min_gain or max_gain"),
        ("window_months = 12", 'window_months = "12"', 'training.window_months = "12"', None),
        ("window_months = 12", "window_months = 0", "training.window_months = 0", None),
        ("learning_rate = 0.1", "learning_rate = nan", "learning_rate", None),
        ('task = "regression"', 'task = "regresion"', 'task = "regresion"', None),
        ('task = "regression"', 'task = "classification"', "target.threshold", None),
        ('metric = "mae"', 'metric = "roc_auc"', "must be above floor", None),
        ('metric = "mae"', 'metric = "log_loss"', "gate.metric: log_loss does not apply to regression", None),
        ('metric = "mae"', "", "gate.metric: missing", None),
        ("ceiling = 2.0", "ceiling = 20.0", "ceiling = 20.0 must be below floor", None),
        ('column = "air_time"', 'column = "airtime"', "did you mean air_time?", None),
        ('"distance", "sched', '"distnace", "sched', "did you mean distance?", None),
        ('"distance", "sched', '"carrier", "sched', "named twice|'carrier' is categorical", None),
        ('"distance", "sched', '"temp", "sched', "named twice: temp", None),
        ("carrier = 0.15", "carier = 0.15", "did you mean carrier?", None),
        ('"visib"]', '"visibility"]', "drift.seasonal_features: 'visibility'", None),
        ("debounce_windows = 2", "debounce_windows = 0", "debounce_windows = 0", None),
        ("debounce_alarms = 1", "debounce_alarms = 3", "never fires", None),
        ("max_disagreement = 5.0", "max_disagreement = 5.0\ncanary_steps = [5, 1, 100]", "must increase", None),
        ('cpu = "4"', 'cpu = "four"', "compute.train.cpu", None),
        ("[compute.train]", "[compute.trian]", r"compute.trian: unknown task; did you mean train\?", None),
        ("seed = 7", f"seed = {2**32}", "training.seed = 4294967296", None),
        ("window_months = 12", f"window_months = {10**30}", "training.window_months", None),
        ("cooldown_days = 28", f"cooldown_days = {10**30}", "drift.cooldown_days", None),
        ("max_bytes_billed = 20_000_000_000", f"max_bytes_billed = {2**63}", "data.max_bytes_billed", None),
        ("seed = 7", f'seed = "{"é" * 300}"', 'training.seed = "' + "é" * 79 + "…: ", None),
        ("seed = 7", r'seed = "a\u001b[31m"', re.escape(r'training.seed = "a\u001b[31m"'), None),
        ('name = "air_time"', 'name = "other"', "must be the file's name", None),
        ('name = "air_time"', "name = air_time", "is not TOML.*line 2", None),
    ],
)
def test_a_wrong_key_or_value_is_named_with_its_reason(broken, old: str, new: str, says: str, hint: str | None) -> None:
    error = broken(old, new)
    assert says in error.what or re.search(says, error.what)
    if hint:
        assert f"did you mean {hint}?" in str(error)


def test_all_problems_of_a_file_are_told_at_once(broken) -> None:
    error = broken("floor = 12.0", "flor = 12.0")
    assert "gate.floor: missing" in error.what
    assert "gate.flor: unknown key" in error.what


def test_naming_models_and_features_imports_no_data_library() -> None:
    code = (
        "import sys, ml.models; ml.models.load_model('air_time'); print({'ibis', 'pandas', 'pyarrow'} & {*sys.modules})"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"
