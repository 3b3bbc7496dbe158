"""`docs/road.md`, "Who runs which command": a column says yes where the stacks' grants allow what the command calls."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from fonderie.core.google_iam import methods
from infra import names
from infra.names import BucketName, DatasetName, IdentityName
from infra.synthesised import read_stacks
from tests.unit.infra.access.replay import PROJECT, Policies, policies_of

PAGE = Path(__file__).parents[4] / "docs" / "road.md"
PEOPLE = ("engineer", "on call")
STATE, MODELS, TEMPLATES = (f"bucket:{name}" for name in ("state", "models", "templates"))
READS = (("storage.objects.get", STATE), ("compute.networks.get", "project"))
RUNS = "aiplatform.projects.locations.pipelineJobs"
STARTS = (("workflowexecutions.projects.locations.workflows.executions.create", "project"),)
# What each command does that others may not: methods (of `tests/data/google/own_calls.json`) or permissions, and where.
# Of a row in which the columns run different parts, by column.
NEEDS: Mapping[str, Mapping[str, tuple[tuple[str, str], ...]]] = {
    "fonderie bootstrap": {"": (("resourcemanager.projects.setIamPolicy", "project"), ("iam.roles.create", "project"))},
    "fonderie apply": {"": (("storage.objects.create", STATE), ("compute.networks.create", "project"))},
    "fonderie preview": {"": READS},
    "fonderie data load": {"": (("bigquery.tables.updateData", "dataset:flights"),)},
    "fonderie run": {
        "": (
            (f"{RUNS}.create", "project"),
            (f"{RUNS}.cancel", "project"),
            ("iam.serviceAccounts.actAs", "account:pipelines"),
        ),
        "scheduler": STARTS,
        "retrain": STARTS,
    },
    "fonderie runs list": {"": ((f"{RUNS}.list", "project"), (f"{RUNS}.get", "project"))},
    "gcloud scheduler jobs run": {
        "": (("cloudscheduler.projects.locations.jobs.run", "project"), ("logging.entries.list", "project"))
    },
    "fonderie models promote": {
        "": (
            ("aiplatform.projects.locations.models.mergeVersionAliases", "project"),
            ("storage.objects.create", MODELS),
            ("aiplatform.projects.locations.endpoints.deployModel", "project"),
            ("iam.serviceAccounts.actAs", "account:serving"),
        ),
        "pipelines": (
            ("aiplatform.projects.locations.models.mergeVersionAliases", "project"),
            ("storage.objects.create", MODELS),
        ),
        "apply": (
            ("aiplatform.projects.locations.endpoints.deployModel", "project"),
            ("iam.serviceAccounts.actAs", "account:serving"),
        ),
    },
    "sh ci/images/build.sh": {"": (("docker.push", "repository"),)},
    "fonderie promote": {"": (("docker.pull", "repository"),)},
}


def rows() -> Iterator[tuple[str, dict[str, str]]]:
    """(first command, cell by column) of each row."""
    section = PAGE.read_text(encoding="utf-8").partition("## Who runs which command\n")[2].partition("\n## ")[0]
    head, _, *body = [line.strip("| \n").split(" | ") for line in section.splitlines() if line.startswith("|")]
    for cells in body:
        (command, *_) = re.findall(r"`([^`]+)`", cells[0])
        yield command, dict(zip(head[1:], cells[1:], strict=True))


@pytest.fixture(scope="module")
def dev(outdir: Path) -> Policies:
    return policies_of("dev", read_stacks(outdir))


def allowed(dev: Policies, members: list[str], needs: tuple[tuple[str, str], ...]) -> bool:
    """Whether one who is all of `members` holds everything that is needed."""
    env = dev.env
    kinds = {
        "project": lambda _: PROJECT,
        "bucket": lambda name: names.bucket(env, BucketName(name)),
        "account": lambda name: names.account_id(env, IdentityName(name)),
        "dataset": lambda name: names.dataset(env, DatasetName(name)),
        "repository": lambda _: names.images(env),
    }
    held = {(each.permission, each.target) for each in dev.holdings() if each.who in members}
    for need, where in needs:
        kind, _, name = where.partition(":")
        target = kinds[kind](name)
        for permission in methods()[need].permissions if need in methods() else (need,):
            if need != permission and permission in methods()[need].when:
                continue  # on the account (a need of its own), or in rare cases
            if not {(permission, target), (permission, PROJECT)} & held:
                return False
    return True


def test_every_row_of_the_table_is_judged() -> None:
    assert {command for command, _ in rows()} == NEEDS.keys()


def test_people_hold_what_their_columns_say_and_no_more(dev: Policies) -> None:
    members = {"engineer": list(dev.env.people.engineers), "on call": list(dev.env.people.oncall)}
    said = {(command, who): cells[who] for command, cells in rows() for who in PEOPLE}
    seen = {
        (command, who): "yes" if allowed(dev, members[who], NEEDS[command][""]) else "no"
        for command, _ in rows()
        for who in PEOPLE
    }
    assert seen == said


def test_of_the_identities_of_ci_those_may_that_the_column_names(dev: Policies) -> None:
    for command, cells in rows():
        named = set(re.findall(r"`(\w+)`", cells["CI"]))
        for who in IdentityName:
            needs = NEEDS[command].get(who, NEEDS[command][""])
            may = allowed(dev, [names.member(dev.env, who)], needs)
            if str(who) in named:
                assert may, (command, who)
            elif cells["CI"] == "no" and command not in ("fonderie promote", "fonderie runs list"):  # pull; read runs
                assert not may, (command, who)


def test_owners_are_the_only_ones_where_the_table_says_so() -> None:
    assert {cells["owner"] for _, cells in rows()} == {"yes"}
