from collections.abc import Iterator
from pathlib import Path

import pytest

from ci.lifecycle.deploy import Deployer, Stack, stacks_in
from fonderie.core.errors import BadInputError, MissingToolError, StepFailedError
from fonderie.sandbox.cloud.cloud import Cloud
from fonderie.sandbox.runner import Options, StandIn, stand_in
from fonderie.terraform import runner
from fonderie.terraform.runner import Event
from tests.e2e.stacks import apis, write_stacks

pytestmark = pytest.mark.e2e
TOPIC = {"t": {"name": "events", "labels": {"env": "dev"}}}
SUBSCRIPTION = {"s": {"name": "s", "topic": "projects/demo-proj/topics/events"}}


@pytest.fixture(scope="module")
def cloud_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cloud") / "google.sqlite"


@pytest.fixture(scope="module")
def up(cloud_file: Path) -> Iterator[StandIn]:
    with stand_in(Options(cloud_file)) as running:
        yield running


@pytest.fixture(scope="module")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> list[Stack]:
    written = {
        "late": (["middle"], {"google_pubsub_subscription": SUBSCRIPTION}),
        "first": ([], {"google_project_service": apis("pubsub")}),
        "middle": (["first"], {"google_pubsub_topic": TOPIC}),
        "alone": ([], {"google_project_service": apis("storage")}),
    }
    return stacks_in(write_stacks(tmp_path_factory.mktemp("out"), written))


def test_stacks_come_after_those_they_depend_on(stacks: list[Stack]) -> None:
    names = [one.name for one in stacks]
    assert names.index("first") < names.index("middle") < names.index("late")


def test_plan_deploy_plan_destroy(stacks: list[Stack], up: StandIn, cloud_file: Path) -> None:
    events = list[Event]()
    deployer = Deployer(up.environment, events.append)
    before = deployer.plan_all(stacks)
    assert [one.stack for one in before] == [one.name for one in stacks]
    assert all(one.changes for one in before)
    assert {change["change"]["actions"][0] for one in before for change in one.plan["resource_changes"]} == {"create"}
    done = list[str]()
    deployer.deploy(stacks, done=lambda stack: done.append(stack.name))
    assert done.index("first") < done.index("middle") < done.index("late")
    assert {event.address for event in events if event.kind == "complete"} >= {"google_pubsub_topic.t"}
    assert not any(one.changes for one in deployer.plan_all(stacks))
    deployer.destroy(stacks)
    with Cloud(cloud_file) as cloud:
        assert {one.type for one in cloud.things()} == {"google_project_service"}


def test_plans_are_kept_where_asked_and_can_be_applied(stacks: list[Stack], up: StandIn, tmp_path: Path) -> None:
    deployer = Deployer(up.environment)
    (planned,) = deployer.plan_all([one for one in stacks if one.name == "alone"], keep_in=tmp_path / "plans")
    assert planned.file is not None
    run = deployer.terraform(next(one for one in stacks if one.name == "alone"))
    run.apply(str(planned.file))
    assert run.state() == ["google_project_service.storage"]


def test_a_failure_names_stack_resource_and_reason_and_nothing_more_is_started(up: StandIn, tmp_path: Path) -> None:
    topic = {"google_pubsub_subscription": {"s": {"name": "x", "topic": "projects/demo-proj/topics/nowhere"}}}
    written = {"broken": ([], topic), "never": (["broken"], {"google_project_service": apis("run")})}
    stacks, done = stacks_in(write_stacks(tmp_path, written)), list[str]()
    with pytest.raises(StepFailedError, match=r"google_pubsub_subscription.s.*topics/nowhere") as error:
        Deployer(up.environment).deploy(stacks, done=lambda stack: done.append(stack.name))
    assert error.value.where == "broken"
    assert done == []


def test_a_folder_without_stacks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no synthesised stacks"):
        stacks_in(tmp_path)


def test_stacks_in_a_circle_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="dependency cycle"):
        stacks_in(write_stacks(tmp_path, {"a": (["b"], {}), "b": (["a"], {})}))


def test_terraform_that_is_missing_old_or_something_else_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingToolError, match="not installed"):
        runner.find({"PATH": str(tmp_path)})
    for said, why in (('{"terraform_version": "1.7.5"}', "too old"), ("hello", "is not Terraform")):
        (tmp_path / "terraform").write_text(f"#!/bin/sh\necho '{said}'\n")
        (tmp_path / "terraform").chmod(0o755)
        with pytest.raises(MissingToolError, match=why):
            runner.find({"PATH": f"{tmp_path}:/bin:/usr/bin"})
