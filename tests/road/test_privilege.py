"""Least privilege, proved: every call of the flows was allowed, and without any one grant or permission one is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from fonderie.core.errors import FonderieError
from fonderie.sandbox.iam.access import Grant
from infra import names
from infra.settings import environment_names, load_environment
from infra.settings.environment import Backend
from tests.road.flows import Walked, Ways, ways
from tests.road.privilege import (
    WITHOUT_A_FLOW,
    HeldPermission,
    mutations,
    noticed,
    taken_away,
    unneeded,
)
from tests.road.project import GoogleRefusedError

pytestmark = [pytest.mark.e2e, pytest.mark.prove(every=0), pytest.mark.timeout(1800)]


@pytest.mark.parametrize("name", environment_names())
def test_every_call_of_an_environment_is_allowed_and_every_grant_is_needed(
    name: str, walked: Callable[[str], Walked]
) -> None:
    found = walked(name)
    assert [str(each) for each in found.refused] == []
    grants = [change for change in found.changes if isinstance(change, Grant)]
    assert {"b/", "projects/"} == {change.path[: change.path.index("/") + 1] for change in grants}
    left = unneeded(found.needed, grants)
    env = load_environment(name)
    if env.backend is Backend.LOCAL:  # the bucket is there for the day when the state moves
        left = [each for each in left if each.path != f"b/{names.bucket(env, names.BucketName.STATE)}"]
    assert left == [], "no call of any flow needs " + "; ".join(map(str, left))


def test_every_permission_of_a_role_is_needed_here_or_where_other_settings_ask_for_it(
    walked: Callable[[str], Walked],
) -> None:
    """What an environment's settings leave out, the next change of them may turn on: then the role is as another's."""
    held, needed = set[tuple[str, str]](), set[tuple[str, str]]()
    for name in environment_names():
        found = walked(name)
        for change in found.changes:
            if isinstance(change, HeldPermission):
                mine = (change.role.partition(f"/{name}_")[2], change.permission)
                held.add(mine)
                needed |= {mine} if noticed(found.needed, change) else set()
    assert {permission for _, permission in held - needed} == WITHOUT_A_FLOW.keys()


# What is taken away -> the flow that is really gone once more.
REMOVALS: dict[str, Callable[[Ways], object]] = {
    "aiplatform.pipelineJobs.create of projects/fonderie-local/roles/local_engineer": lambda ways: ways.training(),
    "roles/iam.serviceAccountUser of group:ml-engineers@acme.example on projects/fonderie-local/serviceAccounts/"
    "local-pipelines@fonderie-local.iam.gserviceaccount.com": lambda ways: ways.training(),
    "roles/artifactregistry.writer of serviceAccount:local-builder@fonderie-local.iam.gserviceaccount.com on "
    "projects/fonderie-local/locations/europe-west1/repositories/local-images": lambda ways: ways.images(),
    "compute.firewalls.get of projects/fonderie-local/roles/local_plan": lambda ways: ways.night(),
    "workflows.executions.create of projects/fonderie-local/roles/local_scheduler": lambda ways: ways.schedules(),
    "compute.firewalls.update of projects/fonderie-local/roles/local_apply": lambda ways: ways.change_of_code(),
}


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ways]:
    folder = tmp_path_factory.mktemp("local")
    with ways("local", folder) as ready:
        ready.deploy()
        yield ready


@pytest.mark.parametrize("name", REMOVALS)
def test_a_flow_that_is_gone_again_fails_without_what_it_was_judged_to_need(name: str, deployed: Ways) -> None:
    (change,) = [each for each in mutations(deployed.project) if str(each) == name]
    with (
        taken_away(deployed.project, change),
        pytest.raises((AssertionError, FonderieError, GoogleRefusedError), match=r"403|[Pp]ermission|denied"),
    ):
        REMOVALS[name](deployed)
