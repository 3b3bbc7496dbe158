import pytest

from ci.engines import EngineName, environment, open_engine, registry_location, run_id, training_parameters
from fonderie.errors import BadInputError
from infra.settings import load_environment
from ml.data.months import Month
from pipelines.engines.vertex import JOB_ID

MONTH = Month.parse("2013-04")


def test_the_same_training_has_the_same_id_everywhere_and_vertex_takes_it() -> None:
    assert run_id("air_time", MONTH) == run_id("air_time", MONTH)
    assert JOB_ID.fullmatch(run_id("air_time", MONTH))
    assert len({run_id(model, month) for model in ("air_time", "late_arrival") for month in (MONTH, MONTH.next)}) == 4


def test_tasks_are_told_the_environments_own_registry_and_serving_image() -> None:
    dev = load_environment("dev")

    location = registry_location(dev)

    assert location.startswith(f"vertex://{dev.project_id}/{dev.region}/")
    assert location.endswith(f"?image={dev.images.serving}")
    assert training_parameters(dev, "air_time", MONTH, "c0ffee")["registry"] == location


def test_a_remote_run_needs_an_environment_and_a_local_one_takes_none() -> None:
    with pytest.raises(BadInputError, match="which environment"):
        environment("")
    with pytest.raises(BadInputError, match="needs no environment"):
        open_engine(EngineName.LOCAL, load_environment("dev"), "air_time")
