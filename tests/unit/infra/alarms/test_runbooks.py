"""Every command of every alert's runbook, run as who is on call: in the sandbox, over REST, its grants the stacks'.

A `fonderie` command is the real one. `gcloud` is not on this machine: of its commands the calls are made that `GCLOUD`
says.
"""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from ci.remote.engines import open_endpoint, serving_machines
from fonderie.cli import main
from fonderie.google.vertex_registry import VertexRegistry
from fonderie.sandbox.cloud.cloud import Cloud
from fonderie.sandbox.iam.access import AccessControl, CallLog, Demand
from fonderie.sandbox.iam.caller import PERSON, Caller, identity
from fonderie.sandbox.lifecycle.world import World
from fonderie.sandbox.process import default_schema, load_facts
from fonderie.sandbox.provider.facts import FACTS_FILE
from fonderie.sandbox.provider.schema import ProviderSchema
from fonderie.sandbox.rest.server import RestServer, serve_rest
from infra import names
from infra.names import TeamName
from infra.settings import Environment, environment_names, load_environment
from infra.synthesised import read_stacks
from tests.contract.registry.candidates import NOW, make_candidate
from tests.unit.conftest import Synthesised
from tests.unit.infra.access.replay import PROJECT, policies_of
from tests.unit.infra.synthesised import resources

Request = tuple[str, str, dict[str, Any] | None]
"""Verb, path, body."""


def _location(flags: dict[str, str]) -> str:
    return f"v1/projects/{flags['project']}/locations/{flags.get('location') or flags['region']}"


def _entries(flags: dict[str, str], query: str) -> Request:
    return "POST", "v2/entries:list", {"resourceNames": [f"projects/{flags['project']}"], "filter": query}


# The calls of a command, by its words. Source: "API REFERENCE" and flags in gcloud's reference of each command; that
# `builds log` reads Cloud Logging where a build logs there only: Cloud Build, "Store and view build logs".
GCLOUD: dict[tuple[str, ...], Callable[[list[str], dict[str, str]], list[Request]]] = {
    ("builds", "list"): lambda _, f: [("GET", f"{_location(f)}/builds", None)],
    ("builds", "log"): lambda given, f: [
        ("GET", f"{_location(f)}/builds/{given[0]}", None),
        _entries(f, f'resource.type="build" AND resource.labels.build_id="{given[0]}"'),
    ],
    ("logging", "read"): lambda given, f: [_entries(f, given[0])],
    ("scheduler", "jobs", "describe"): lambda given, f: [("GET", f"{_location(f)}/jobs/{given[0]}", None)],
    ("scheduler", "jobs", "run"): lambda given, f: [("POST", f"{_location(f)}/jobs/{given[0]}:run", {})],
    ("workflows", "executions", "list"): lambda given, f: [
        ("GET", f"{_location(f)}/workflows/{given[0]}/executions", None)
    ],
    ("workflows", "executions", "describe"): lambda given, f: [
        ("GET", f"{_location(f)}/workflows/{f['workflow']}/executions/{given[0]}", None)
    ],
}


def calls_of(words: list[str]) -> list[Request]:
    """Of a gcloud command, without its first word. Fails for one that the table does not have."""
    known = next(key for key in GCLOUD if tuple(words[: len(key)]) == key)
    given, flags, rest = list[str](), dict[str, str](), iter(words[len(known) :])
    for word in rest:
        if word.startswith("--"):
            flags[word[2:]] = next(rest)
        else:
            given.append(word)
    return GCLOUD[known](given, flags)


def runbooks(name: str, stacks: Synthesised) -> dict[str, str]:
    """The text of each alert of an environment, by the alert's name."""
    return {
        policy["display_name"].removeprefix(f"{name}-"): policy["documentation"]["content"]
        for id, stack in stacks.items()
        if id.startswith(f"{name}-")
        for kind, _, policy in resources(stack)
        if kind == "google_monitoring_alert_policy"
    }


def commands_in(runbook: str) -> list[str]:
    """What stands between backticks and is a command: its first word is one that can be typed."""
    return [each for each in re.findall(r"`([^`]+)`", runbook) if re.match(r"[a-z]+ ", each)]


class Seen(CallLog):
    """Each demand, however often."""

    def add(self, demand: Demand) -> None:
        self._written.clear()
        super().add(demand)


@dataclass
class Deployed:
    """An environment's project as its stacks leave it for who is on call, with something of all that can go wrong."""

    env: Environment
    world: World
    server: RestServer
    calls: Path
    names: dict[str, str]

    def as_(self, who: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
        """The commands of this process are theirs from now on."""
        monkeypatch.setenv("FONDERIE_GOOGLE_ENDPOINT", self.server.address)
        monkeypatch.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", self.server.tokens.issue(who))

    def request(self, who: Caller, verb: str, path: str, body: Any = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.server.tokens.issue(who)}"}
        if who != PERSON:  # a person's log-in names the project that pays
            headers["X-Goog-User-Project"] = self.env.project_id
        return httpx.request(verb, f"{self.server.address}/{path}", json=body, headers=headers, timeout=60)

    def make(self, type: str, path: str, **attributes: Any) -> None:
        empty = self.world.schema.resource(type).block.empty()
        project = self.env.project_id
        self.world.cloud.put(type, path, project, {**empty, "id": path, "project": project, **attributes})

    def run(self, command: str, who: Caller, monkeypatch: pytest.MonkeyPatch) -> str:
        """Run a command of a runbook; what it was refused with, or nothing."""
        for placeholder, value in self.names.items():
            command = re.sub(rf"\b{placeholder}\b", value, command)
        tool, *words = shlex.split(command)
        if tool == "gcloud":
            answers = [self.request(who, *call) for call in calls_of(words)]
            return "".join(answer.text for answer in answers if not answer.is_success)
        assert tool == "fonderie", command
        self.as_(who, monkeypatch)
        monkeypatch.setattr(sys, "argv", [tool, *words])
        with pytest.raises(SystemExit) as left:
            main.main()
        return f"{command} exits with {left.value.code}" if left.value.code else ""


def oncall(env: Environment) -> Caller:
    return identity("oncall", env.project_id)


@pytest.fixture
def deployed(
    request: pytest.FixtureRequest, outdir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Deployed]:
    env = load_environment(request.param)
    monkeypatch.setenv("FONDERIE_HOME", str(tmp_path / "home"))
    with Cloud(tmp_path / "google.sqlite") as cloud:
        cloud.set_number(env.project_id, env.project_number)
        world = World(cloud, ProviderSchema.load(default_schema()), load_facts(FACTS_FILE))
        with serve_rest(world, AccessControl(cloud, calls=Seen(tmp_path / "calls.jsonl"))) as server:
            project = Deployed(env, world, server, tmp_path / "calls.jsonl", {})
            grant_as_the_stacks_do(project, outdir)
            fill(project, tmp_path, monkeypatch)
            demanded(project)
            yield project


def grant_as_the_stacks_do(project: Deployed, outdir: Path) -> None:
    """APIs, accounts and buckets; the custom role and every grant of who is on call, as the stacks have them."""
    env, root = project.env, f"projects/{project.env.project_id}"
    for api in ("aiplatform", "cloudbuild", "cloudscheduler", "logging", "storage", "workflowexecutions", "workflows"):
        service = f"{api}.googleapis.com"
        project.make("google_project_service", f"{root}/services/{service}", service=service)
    for who in names.IdentityName:
        email = names.email(env, who)
        project.make("google_service_account", names.account_path(env, who), email=email, name=f"{root}/{email}")
    bucket = names.bucket(env, names.BucketName.MODELS)
    project.make("google_storage_bucket", f"b/{bucket}", name=bucket, location="EUROPE-WEST1")
    project.world.buckets.make(bucket)
    policies = policies_of(env.name, read_stacks(outdir))
    for role, permissions in policies.custom.items():
        project.make("google_project_iam_custom_role", f"{root}/roles/{role}", role_id=role, permissions=[*permissions])
    paths = {PROJECT: root, bucket: f"b/{bucket}"}
    paths |= {names.account_id(env, who): names.account_path(env, who) for who in names.IdentityName}
    for grant in policies.grants:
        if grant.identity in env.people.oncall:
            path = paths[grant.target.partition("@")[0]]
            role = grant.role if grant.role.startswith("roles/") else f"{root}/roles/{grant.role.rpartition('/')[2]}"
            version, policy = project.world.cloud.policy(path)
            binding = {"role": role, "condition": None, "members": [grant.identity]}
            project.world.cloud.set_policy(
                path, {**policy, "bindings": [*policy["bindings"], binding]}, version=version
            )


def fill(project: Deployed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two versions of each model on its endpoint, a run, a schedule, an execution, a build: made by the owner."""
    env = project.env
    location = f"projects/{env.project_id}/locations/{env.region}"
    project.as_(PERSON, monkeypatch)
    for model in ("air_time", "late_arrival"):
        path = names.endpoint_path(env, model)
        project.make("google_vertex_ai_endpoint", path, name=path, etag="e", location=env.region)
        registry = VertexRegistry.parse(names.registry_location(env), model)
        before = None
        for name in ("first", "second", "third"):
            candidate = make_candidate(tmp_path / model / name, name, model=model)
            record = registry.register(candidate, tmp_path / model / name, who="x", now=NOW)
            if name == "third":  # it waits for somebody to promote it
                break
            registry.promote(record.version, before, reason="x", who="x", now=NOW)
            open_endpoint(env, model).bring(registry.aliases(), serving_machines(env))
            before = record.version
    workflow, job = names.resource(env, names.RETRAIN), f"{env.name}-job"
    project.make("google_workflows_workflow", f"{location}/workflows/{workflow}", name=workflow, region=env.region)
    target = [{"uri": "https://example.com/", "http_method": "POST"}]
    project.make("google_cloud_scheduler_job", f"{location}/jobs/{job}", name=job, http_target=target)

    def made(verb: str, path: str, body: Any) -> dict[str, Any]:
        answer = project.request(PERSON, verb, path, body)
        assert answer.is_success, answer.text
        return dict(answer.json())

    made(
        "POST",
        f"v1/{location}/pipelineJobs?pipelineJobId=run-1",
        {"displayName": "training", "templateUri": "gs://x/training.json"},
    )
    execution = made("POST", f"v1/{location}/workflows/{workflow}/executions", {})
    build = made("POST", f"v1/{location}/builds", {"steps": [{"name": "x"}]})
    project.names = {
        "RUN": "run-1",
        "JOB": job,
        "EXECUTION": execution["name"].rpartition("/")[2],
        "BUILD": build["metadata"]["build"]["id"],
        "QUERY": "'severity>=ERROR'",
        "REASON": "alarm",
        "REGISTRY": names.registry_location(env),
        "ENV": env.name,
    }


def permissions(project: Deployed) -> set[str]:
    """What the custom role of who is on call holds."""
    return set(AccessControl(project.world.cloud).permissions_of(role(project.env)))


def role(env: Environment) -> str:
    return names.custom_role_path(env, TeamName.ONCALL)


def demanded(project: Deployed) -> set[str]:
    """What was asked for and allowed since the last time, and forget it."""
    lines = project.calls.read_text().splitlines() if project.calls.exists() else []
    project.calls.write_text("")
    found = [json.loads(line) for line in lines]
    return {permission for demand in found if demand["allowed"] for permission in demand["permissions"]}


OWN = (  # what docs/road.md says that who is on call runs beside the runbooks
    "fonderie models promote air_time 3 --reason REASON --registry REGISTRY",
    "fonderie models deploy --env ENV",
)
ELSEWHERE = {"iam.serviceAccounts.actAs", *(f"storage.objects.{verb}" for verb in ("create", "delete", "get"))}
"""Granted on one account and one bucket, not by the role."""


@pytest.mark.parametrize("name", environment_names())
def test_a_runbook_names_commands_whose_placeholders_are_known(name: str, stacks: Synthesised) -> None:
    found = runbooks(name, stacks)
    assert {"pipeline-failed", "drift-alarm", "schedule-failed", "start-failed", "air-time-errors"} <= found.keys()
    written = [each for text in found.values() for each in commands_in(text)]
    used = {word for each in written for word in re.findall(r"(?<!=)\b[A-Z]{3,}\b", each)}
    builds = {"BUILD"} if load_environment(name).git.connected else set()
    assert used == {"RUN", "JOB", "EXECUTION", "QUERY", "REASON"} | builds


@pytest.mark.prove(every=4)
@pytest.mark.parametrize("deployed", sorted(environment_names()), indirect=True)
def test_who_is_on_call_may_run_every_command_of_every_runbook_and_holds_nothing_else(
    deployed: Deployed, stacks: Synthesised, monkeypatch: pytest.MonkeyPatch
) -> None:
    env, who = deployed.env, oncall(deployed.env)
    commands = sorted({each for text in runbooks(env.name, stacks).values() for each in commands_in(text)})
    assert {each.split()[0] for each in commands} == {"fonderie", "gcloud"}

    needs = dict[str, set[str]]()
    for command in (*commands, *OWN):
        assert deployed.run(command, who, monkeypatch) == ""
        needs[command] = demanded(deployed)

    held = permissions(deployed)
    assert set[str]().union(*needs.values()) == held | ELSEWHERE
    reads = {each: needed for each, needed in needs.items() if each.startswith(("gcloud", "fonderie runs"))}
    for gone in sorted(set[str]().union(*reads.values()) & held):
        deployed.make("google_project_iam_custom_role", role(env), permissions=sorted(held - {gone}))
        for command, needed in reads.items():
            assert bool(deployed.run(command, who, monkeypatch)) == (gone in needed), (command, gone)
