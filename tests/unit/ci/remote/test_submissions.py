from datetime import UTC, datetime

import pytest

from ci.remote import submissions
from ci.remote.engines import EngineName, environment, open_engine
from fonderie.core.errors import BadInputError
from infra.settings import load_environment
from ml.datasets.months import Month
from pipelines.engines.vertex import JOB_ID

MONTH, NOW = Month.parse("2013-04"), datetime(2026, 11, 23, 8, 30, tzinfo=UTC)


def test_the_same_training_has_the_same_id_everywhere_and_vertex_takes_it() -> None:
    dev, prod = load_environment("dev"), load_environment("prod")
    ids = {
        submissions.training(env, model, month, commit).run_id
        for env in (dev, prod)
        for model in ("air_time", "late_arrival")
        for month in (MONTH, MONTH.next)
        for commit in ("c0ffee", "cafe")
    }

    assert len(ids) == 4
    assert all(JOB_ID.fullmatch(run_id) for run_id in ids)


def test_a_batch_and_a_monitoring_are_runs_of_their_moment() -> None:
    dev = load_environment("dev")

    batch = submissions.batch(dev, "late_arrival", MONTH, NOW)

    assert batch.run_id == "batch-late-arrival-2013-04-20261123083000000"
    assert JOB_ID.fullmatch(submissions.monitoring(dev, "air_time", MONTH, NOW, retrain=False).run_id)


def test_tasks_are_told_the_environments_own_registry_serving_image_and_data() -> None:
    dev = load_environment("dev")

    given = submissions.training(dev, "air_time", MONTH, "c0ffee").parameters

    assert given["registry"].startswith(f"vertex://{dev.project_id}/{dev.region}/")
    assert given["registry"].endswith(f"?image={dev.images.serving}")
    assert given["data"].startswith(f"bigquery://{dev.project_id}")
    assert (given["month"], given["commit"]) == ("2013-04", "c0ffee")


def test_an_environment_without_continuous_training_is_not_asked_for_one() -> None:
    dev = load_environment("dev")
    without = dev.model_copy(update={"features": dev.features.model_copy(update={"continuous_training": False})})

    assert submissions.monitoring(without, "air_time", MONTH, NOW, retrain=False).parameters["topic"] == ""
    with pytest.raises(BadInputError, match="no continuous training"):
        submissions.monitoring(without, "air_time", MONTH, NOW, retrain=True)


def test_a_remote_run_needs_an_environment_and_a_local_one_takes_none() -> None:
    with pytest.raises(BadInputError, match="a remote engine needs an environment"):
        environment("")
    with pytest.raises(BadInputError, match="needs no environment"):
        open_engine(EngineName.LOCAL, load_environment("dev"))
