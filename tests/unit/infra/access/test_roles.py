"""Least privilege: every recorded call is allowed for who makes it, and nothing is granted that no call needs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from fonderie.core.google_iam import methods, predefined_roles, provider_calls
from fonderie.core.resource_types import resource_types
from infra.access.roles import (
    HELD_ELSEWHERE,
    NOT_NEEDED,
    OWN_CALLS,
    PROJECT_IAM_ADMIN,
    WORKLOAD_ROLES,
    custom_roles,
    grantable_roles,
)
from infra.names import IdentityName, TeamName
from infra.settings import environment_names, load_environment
from infra.synthesised import read_stacks
from tests.unit.conftest import Synthesised
from tests.unit.infra.access.replay import Policies, policies_of, unneeded_grants
from tests.unit.infra.synthesised import resources


@pytest.fixture(scope="module")
def policies(outdir: Path) -> Mapping[str, Policies]:
    stacks = read_stacks(outdir)
    return {name: policies_of(name, stacks) for name in environment_names()}


@pytest.mark.parametrize("name", environment_names())
def test_every_recorded_call_is_allowed_for_who_makes_it(name: str, policies: Mapping[str, Policies]) -> None:
    held = policies[name]

    needs = held.needs

    assert len({need.permission for need in needs}) > 100
    assert [str(need) for need in held.refused(needs, held.holdings())] == []


def test_nothing_is_in_a_custom_role_that_no_environment_needs(policies: Mapping[str, Policies]) -> None:
    """Taking it away must refuse a call: of this environment's, or of one that has more features."""
    needed = set()
    held = set()
    for one in policies.values():
        for role, permissions in one.custom.items():
            short = role.removeprefix(f"{one.env.name}_")
            held |= {(short, permission) for permission in permissions}
            needs = one.needs
            for permission in permissions:
                mine = [need for need in needs if need.permission == permission]
                if one.refused(mine, one.holdings(less=(role, permission))):
                    needed.add((short, permission))

    assert len(held) > 150
    assert sorted(held - needed) == []


@pytest.mark.parametrize("name", environment_names())
def test_no_grant_is_there_that_no_call_needs(name: str, policies: Mapping[str, Policies]) -> None:
    assert unneeded_grants(policies[name]) == []


def test_the_replay_names_who_lacks_what_for_which_call(policies: Mapping[str, Policies]) -> None:
    """The control: without `cloudscheduler.jobs.enable` the provider's first job fails after it was made."""
    held = policies["dev"]

    refused = held.refused(held.needs, held.holdings(less=("dev_apply", "cloudscheduler.jobs.enable")))

    assert {need.permission for need in refused} == {"cloudscheduler.jobs.enable"}
    assert str(refused[0]).startswith("serviceAccount:dev-apply@acme-ml-dev.iam.gserviceaccount.com needs cloudsched")
    assert "calls cloudscheduler.projects.locations.jobs.resume" in str(refused[0])


@pytest.mark.parametrize("name", environment_names())
def test_no_role_holds_a_permission_that_no_role_of_googles_holds(name: str) -> None:
    """IAM refuses a custom role that has one: "Permission ... is not valid" (terraform-provider-google 14033)."""
    known = frozenset[str]().union(*predefined_roles().values())

    for who, permissions in custom_roles(load_environment(name)).items():
        assert sorted(set(permissions) - known) == [], who
        assert sorted(set(permissions)) == permissions


def test_what_the_provider_really_calls_is_in_the_roles() -> None:
    """Traps that a list kept by hand fell into, each seen in the provider's calls."""
    roles = custom_roles(load_environment("dev"))
    plan, apply = set(roles[IdentityName.PLAN]), set(roles[IdentityName.APPLY])

    assert {
        "compute.instanceGroupManagers.list",
        "iam.googleapis.com/workloadIdentityPools.get",
        "iam.googleapis.com/workloadIdentityPools.getAttestationRules",
        "iam.googleapis.com/workloadIdentityPoolProviders.get",
    } <= plan
    assert {
        "compute.instanceGroupManagers.list",
        "cloudscheduler.jobs.enable",
        "cloudbuild.operations.get",
    } <= apply
    assert not {"aiplatform.operations.get", "compute.instanceGroupManagers.get"} & (plan | apply)


def test_who_applies_reads_nothing_of_the_bootstrap_alone() -> None:
    apply = set(custom_roles(load_environment("dev"))[IdentityName.APPLY])
    bootstrap = [row.name for row in resource_types().values() if row.written == "bootstrap"]

    read = {call.method for name in bootstrap for call in provider_calls()[name]["read"]}

    assert len(bootstrap) == 7
    assert apply.isdisjoint({permission for call in read for permission in methods()[call].permissions})


def test_every_exception_is_of_a_recorded_call_and_has_a_reason() -> None:
    asked = {permission for method in methods().values() for permission in method.permissions}

    assert HELD_ELSEWHERE.keys() | NOT_NEEDED.keys() <= asked
    assert not HELD_ELSEWHERE.keys() & NOT_NEEDED.keys()
    assert all([*HELD_ELSEWHERE.values(), *NOT_NEEDED.values()])


def test_the_reasons_for_not_needing_a_permission_hold_in_the_stacks(stacks: Synthesised) -> None:
    for stack in stacks.values():
        for kind, id, arguments in resources(stack):
            assert not arguments.get("delete_default_routes_on_create"), id
            assert not arguments.get("disabled") or kind != "google_service_account", id
            assert not arguments.get("disable_on_destroy"), id
            assert not arguments.get("enable_object_retention"), id
            assert not arguments.get("temporary_hold"), id
            assert not arguments.get("event_based_hold"), id
            assert arguments.get("uniform_bucket_level_access", True), id


@pytest.mark.parametrize("name", environment_names())
def test_the_apply_identity_can_grant_exactly_the_roles_the_stacks_grant(name: str, stacks: Synthesised) -> None:
    granted = {
        arguments["role"]
        for id, stack in stacks.items()
        if id.startswith(f"{name}-") and not id.endswith("-bootstrap")
        for kind, _, arguments in resources(stack)
        if kind == "google_project_iam_member"
    }

    assert granted == grantable_roles(load_environment(name))


def test_no_workload_administers_anything() -> None:
    roles = {role for roles in WORKLOAD_ROLES.values() for role in roles}

    assert [role for role in roles if role.lower().endswith(("admin", "owner", "agent"))] == []
    assert PROJECT_IAM_ADMIN not in roles


def test_who_plans_can_read_every_type_in_use_and_change_nothing() -> None:
    plan = custom_roles(load_environment("prod"))[IdentityName.PLAN]

    assert {permission.rpartition(".")[2] for permission in plan} == {
        "get",
        "getIamPolicy",
        "getAttestationRules",
        "list",
        "fullView",
        "create",
        "use",
    }
    assert [each for each in plan if each.endswith(("create", ".use"))] == [
        "logging.logEntries.create",
        "serviceusage.services.use",
    ]


@pytest.mark.parametrize("name", environment_names())
def test_no_custom_role_reads_what_is_kept_or_becomes_another(name: str, stacks: Synthesised) -> None:
    """A secret's value, an object, a table's rows, a message; nor can one become another identity by its role."""
    roles = {
        each["role_id"]: set(each["permissions"])
        for kind, _, each in resources(stacks[f"{name}-bootstrap"])
        if kind == "google_project_iam_custom_role"
    }
    env = load_environment(name)
    assert roles == {f"{name}_{who}": set(permissions) for who, permissions in custom_roles(env).items()}
    kept = {"storage.objects.get", "bigquery.tables.getData", "secretmanager.versions.access"}
    become = {"iam.serviceAccounts.actAs", "iam.serviceAccounts.getAccessToken", "iam.serviceAccountKeys.create"}
    for permissions in roles.values():
        assert not permissions & (kept | become | {"resourcemanager.projects.setIamPolicy", "iam.roles.update"})
    assert ("storage.objects.delete" in roles[f"{name}_apply"]) is env.ephemeral


def test_the_roles_of_people_do_not_deploy() -> None:
    roles = custom_roles(load_environment("dev"))
    apply, plan = set(roles[IdentityName.APPLY]), set(roles[IdentityName.PLAN])

    writes = {each for each in set(roles[TeamName.ENGINEER]) & apply if each not in plan}
    assert writes <= {"bigquery.jobs.create", "aiplatform.models.get"}
    assert {each for each in roles[TeamName.ONCALL] if not each.startswith("aiplatform.")} == {
        "serviceusage.services.use",
        # what the runbooks of alerts name: it reads, and starts a schedule's call again
        "cloudbuild.builds.get",
        "cloudbuild.builds.list",
        "cloudscheduler.jobs.get",
        "cloudscheduler.jobs.run",
        "logging.logEntries.list",
        "workflows.executions.get",
        "workflows.executions.list",
    }
    assert set(OWN_CALLS) >= {TeamName.ENGINEER, TeamName.ONCALL}
