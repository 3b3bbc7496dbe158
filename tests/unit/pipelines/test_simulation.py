"""The loop: it earns its trainings, goes on after an interruption, and survives months that cannot be used."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from fonderie.core.errors import BadInputError, ConflictError
from ml.datasets.months import Month
from ml.features.tables import build
from ml.models import ModelConfig
from ml.monitoring.history import History
from ml.monitoring.trigger import Action
from ml.registry import open_registry
from pipelines.simulation.loop import SimulationPlan, plan, simulate
from pipelines.simulation.records import Simulation
from pipelines.simulation.report import simulation_page, summary
from pipelines.training.run import commit
from tests.flights import change

FIRST, LAST = Month(2013, 1), Month(2013, 6)


def silent(month: str, doing: str) -> None:
    """No progress."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared: trainings are cached by content."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def place(home: Path, invented: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FONDERIE_HOME", str(home))
    monkeypatch.setenv("FONDERIE_DATA", str(invented))


@pytest.fixture
def made(quick: ModelConfig) -> SimulationPlan:
    return plan(quick, FIRST, LAST, first_months=2)


@pytest.fixture
def done(made: SimulationPlan) -> Simulation:
    return simulate(made, silent)


def test_every_month_is_judged_under_all_three_strategies(done: Simulation) -> None:
    assert [month.month for month in done.months] == ["2013-03", "2013-04", "2013-05", "2013-06"]
    for month in done.months:
        assert None not in dict(month.metric).values()
    first = done.months[0].metric
    assert first.triggered == first.monthly == first.never


def test_a_season_never_seen_retrains_and_beats_never_retraining(done: Simulation) -> None:
    assert done.triggered_trainings >= 1
    assert done.promotions >= 1
    gain = done.against(done.mean().never)
    assert gain is not None
    assert gain < 0


def test_what_was_trained_for_one_strategy_is_not_trained_again_for_another(done: Simulation, home: Path) -> None:
    trainings = list((home / "cache" / "trainings" / "air_time").glob("2013-*"))
    assert len({path.name for path in trainings}) == len(trainings)
    assert {month.trained for month in done.months if month.trained} <= {path.name for path in trainings}


def test_a_month_is_trained_on_once_however_often_the_loop_runs(made: SimulationPlan, done: Simulation) -> None:
    again = simulate(made, silent)
    assert again == done
    history = History(made.folder)
    retrained = [each.month for each in history.decisions() if each.action is Action.RETRAIN]
    assert sorted(retrained) == [each.month for each in history.trainings()]


@pytest.mark.prove(every=3)
@pytest.mark.parametrize("step", [3, 4, 5])
def test_interrupted_at_any_step_it_goes_on_to_the_same_end(made: SimulationPlan, done: Simulation, step: int) -> None:
    """While monitoring, training and judging the first month that is watched."""
    short = replace(made, watched=made.watched[:1])
    shutil.rmtree(short.folder, ignore_errors=True)
    steps = 0

    def stop(month: str, doing: str) -> None:
        nonlocal steps
        steps += 1
        if steps == step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(short, stop)
    assert comparable(simulate(short, silent)) == comparable(done)[:1]


def test_stopped_between_promotion_and_its_record_it_still_ends_the_same(
    made: SimulationPlan, done: Simulation
) -> None:
    """As after a kill: the registry has moved on, the month's own record is not there."""
    before = comparable(done)
    promoted = next(month for month in done.months if month.gate == "promote")
    (made.folder / "months" / f"{promoted.month}.json").unlink()
    assert comparable(simulate(made, silent)) == before


@pytest.mark.e2e
def test_killed_it_holds_no_lock_and_goes_on_to_the_same_end(
    made: SimulationPlan, done: Simulation, tmp_path: Path
) -> None:
    shutil.rmtree(made.folder)
    (tmp_path / "config.json").write_text(made.config.model_dump_json())
    script = (
        "import sys; from pathlib import Path; from ml.models import ModelConfig; from ml.datasets.months import Month;"
        "from pipelines.simulation.loop import plan, simulate;"
        "config = ModelConfig.model_validate_json(Path(sys.argv[1]).read_text());"
        "simulate(plan(config, Month(2013, 1), Month(2013, 6), first_months=2), lambda month, doing: None)"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "config.json")])
    try:
        wait_for(made.folder / "months" / "2013-03.json", process)
    finally:
        process.kill()
        process.wait()
    assert comparable(simulate(made, silent)) == comparable(done)


def wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    """Until the file is there, or the process has ended."""
    deadline = time.monotonic() + 120
    while not path.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert path.exists()


def comparable(done: Simulation) -> list[object]:
    """Without times and memory."""
    return [month.model_dump(exclude={"seconds", "memory_mb"}) for month in done.months]


def test_a_second_loop_over_the_same_months_is_told(made: SimulationPlan) -> None:
    with History(made.folder).alone(), pytest.raises(ConflictError, match="another loop"):
        simulate(made, silent)


def test_a_broken_and_an_unlabelled_month_are_recorded_and_the_loop_goes_on(
    quick: ModelConfig, invented: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(invented, tmp_path / "months"))
    monkeypatch.setenv("FONDERIE_DATA", str(folder))
    nothing = dict.fromkeys(["air_time", "arr_delay", "arr_time"], float("nan"))
    change(folder / "flights" / "2013-03.parquet", lambda frame: frame.assign(**nothing))
    change(folder / "flights" / "2013-04.parquet", lambda frame: frame.drop(columns="carrier"))
    done = simulate(plan(quick, FIRST, Month(2013, 4), first_months=2), silent)
    unlabelled, broken = done.months
    assert unlabelled.action == Action.INVESTIGATE
    assert any("null_rate" in reason for reason in unlabelled.reasons)  # a month without labels is a feed that stopped
    assert unlabelled.metric.triggered is None
    assert broken.action == Action.INVESTIGATE
    assert broken.metric.triggered is None


def test_what_a_replay_depends_on_names_its_folder(made: SimulationPlan, quick: ModelConfig) -> None:
    """The same months and one thing that differs: where the first model ends, a seed, a threshold, data."""
    seed = quick.training.model_copy(update={"seed": 8})
    damping = quick.drift.model_copy(update={"cooldown_days": 3})
    others = [
        plan(quick, FIRST, LAST, first_months=3),
        replace(made, monthly=False),
        replace(made, config=quick.model_copy(update={"training": seed})),
        replace(made, config=quick.model_copy(update={"drift": damping})),
    ]
    folders = {made.folder, *(other.folder for other in others)}
    assert len(folders) == 1 + len(others)


def test_the_history_that_features_reach_back_into_names_the_folder_as_well(
    quick: ModelConfig, invented: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(invented, tmp_path / "months"))
    monkeypatch.setenv("FONDERIE_DATA", str(folder))
    later = plan(quick, Month(2013, 3), LAST, first_months=2)
    before = later.folder
    change(folder / "flights" / "2013-02.parquet", lambda frame: frame.assign(air_time=frame["air_time"] + 1))
    assert later.folder != before


def test_models_are_trained_on_the_months_that_the_replay_says(quick: ModelConfig) -> None:
    """There are months before the first one, within the model's window of twelve: they are not among its rows."""
    made = plan(quick, Month(2013, 3), LAST, first_months=2, monthly=False)
    done = simulate(made, silent)
    records = open_registry("air_time", str(made.folder / "registry")).list()
    assert records[0].training_months == done.first_months == ("2013-03", "2013-04")
    assert all(record.training_months[0] == "2013-03" for record in records)
    assert all(record.commit == commit() for record in records)


def test_too_few_months_are_refused_with_those_there_are(quick: ModelConfig) -> None:
    with pytest.raises(BadInputError, match="the first model takes 12") as caught:
        plan(quick, Month(2013, 1), Month(2013, 3))
    assert "2013-01 to 2013-07" in str(caught.value)


def test_the_report_shows_the_three_strategies_and_every_decision(done: Simulation) -> None:
    page = simulation_page(done)
    for text in ("triggered", "every month", "never", *(month.month for month in done.months)):
        assert text in page
    assert "http" not in page.replace("http://www.w3.org", "").replace("http-equiv", "")
    assert [count for _, _, _, count, _ in summary(done)] == [done.triggered_trainings, len(done.months), 0, 0]


def test_the_naive_feature_without_a_model_stands_beside_every_strategy(done: Simulation, quick: ModelConfig) -> None:
    month = done.months[0]
    rows = build(quick, [Month.parse(month.month)]).table().to_pandas().dropna(subset=["target", "route_air_time_28d"])
    assert month.metric.naive == pytest.approx((rows["target"] - rows["route_air_time_28d"]).abs().mean(), rel=0.01)
    assert summary(done)[-1][:2] == ("naive", done.mean().naive)
    assert "no model" in simulation_page(done)


def test_a_first_model_of_less_than_a_year_is_called_a_cold_start(done: Simulation) -> None:
    assert "A cold start" in simulation_page(done)
    year = done.model_copy(update={"first_months": tuple(f"2013-{month:02d}" for month in range(1, 13))})
    assert "has seen a whole year" in simulation_page(year)


def test_without_the_monthly_baseline_the_rest_is_still_summed_up(made: SimulationPlan) -> None:
    alone = simulate(replace(made, monthly=False), silent)

    triggered, never, _ = summary(alone)

    assert triggered[1] is not None
    assert never[1] is not None
    assert never[2] == "+0.0%"
    page = simulation_page(alone)
    assert "over never" in page
    assert "every month" not in page
