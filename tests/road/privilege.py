"""Least privilege, proved: what the flows of the road demand of whom, and which grants that leaves unneeded.

Nothing here reads the tables that the roles are made of. Demands are what the sandbox judged while the flows ran
(`fonderie sandbox run --calls`); grants and roles are those in its cloud, however they came there.
"""

from __future__ import annotations

import base64
import copy
import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from fonderie.core.google_iam import methods, provider_calls
from fonderie.core.resource_types import resource_types
from fonderie.sandbox.cloud.cloud import Cloud
from fonderie.sandbox.iam.access import AccessControl, Binding, Demand
from fonderie.sandbox.iam.caller import Caller
from fonderie.sandbox.lifecycle import object_requests, permissions
from fonderie.sandbox.lifecycle.call_conditions import changed_attributes
from fonderie.sandbox.lifecycle.interface import ApiError, ProviderConfig
from fonderie.sandbox.lifecycle.policies import is_part, target
from fonderie.sandbox.lifecycle.world import World
from fonderie.sandbox.rest.discovery import service
from infra import names
from infra.names import AgentName, IdentityName
from infra.settings.sections import CiSystem
from tests.contract.rest.test_what_we_call import CALLED
from tests.road.project import Project

OWN_CALLS = Path(__file__).parents[1] / "data" / "google" / "own_calls.json"


@dataclass(frozen=True)
class Needed:
    """A demand, and the flow that led to it."""

    flow: str
    demand: Demand

    def __str__(self) -> str:
        wanted = " and ".join(self.demand.permissions)
        return f"{self.flow}: {self.demand.caller.email} needs {wanted} on {self.demand.path}"


@dataclass
class CallsFile:
    """The file that `--calls` writes, read flow by flow."""

    file: Path
    needed: list[Needed] = field(default_factory=list)
    refused: list[Needed] = field(default_factory=list)
    _read: int = 0

    def flow(self, name: str) -> None:
        """What was written since the last call belongs to this flow."""
        lines = self.file.read_text(encoding="utf-8").splitlines() if self.file.is_file() else []
        for line in lines[self._read :]:
            kept = self.needed if json.loads(line)["allowed"] else self.refused
            kept.append(Needed(name, Demand.read(line)))
        self._read = len(lines)


# -- mutants


@dataclass(frozen=True)
class Grant:
    """One role of one member on one resource."""

    path: str
    role: str
    member: str
    condition: str = ""

    def __str__(self) -> str:
        return f"{self.role} of {self.member} on {self.path}"


@dataclass(frozen=True)
class HeldPermission:
    """One permission of a custom role."""

    role: str
    permission: str

    def __str__(self) -> str:
        return f"{self.permission} of {self.role}"


Change = Grant | HeldPermission
"""What is taken away."""


class Mutant(AccessControl):
    """The cloud's policies without one grant, or without one permission of a role."""

    without: Change | None = None

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._kept = cache(lambda path: tuple(AccessControl.bindings(self, path)))
        self._held = cache(lambda role: AccessControl.permissions_of(self, role))

    def bindings(self, path: str) -> Iterator[Binding]:
        """Those of the cloud, but the grant."""
        gone = self.without
        for binding in self._kept(path):
            if isinstance(gone, Grant) and gone == Grant(path, binding.role, gone.member, binding.condition):
                yield replace(binding, members=[each for each in binding.members if each != gone.member])
            else:
                yield binding

    def permissions_of(self, role: str) -> frozenset[str]:
        """Those of the cloud, but the permission."""
        gone = self.without
        lost = {gone.permission} if isinstance(gone, HeldPermission) and gone.role == role else set()
        return self._held(role) - lost

    def notices(self, needed: Sequence[Needed], without: Change) -> Needed | None:
        """The first demand that is refused without it."""
        self.without = without
        wanted = {without.permission} if isinstance(without, HeldPermission) else self.permissions_of(without.role)
        for each in needed:
            demand = each.demand
            if not wanted.isdisjoint(demand.permissions) and any(
                not self.holds(demand.caller, permission, demand.path, attributes=demand.attributes)
                for permission in demand.permissions
            ):
                return each
        return None


def mutations(project: Project) -> list[Change]:
    """Every grant in the project's policies and access lists, and every permission of its custom roles."""
    cloud, below = project.world.cloud, f"projects/{project.id}"
    access = AccessControl(cloud)
    buckets = {thing.path for thing in cloud.things("google_storage_bucket") if thing.project == project.id}
    datasets = [thing.path for thing in cloud.things("google_bigquery_dataset") if thing.project == project.id]
    written = [path for path in cloud.policies() if path in buckets or f"{path}/".startswith(f"{below}/")]
    granted = [
        Grant(path, binding["role"], member, (binding.get("condition") or {}).get("expression", ""))
        for path in written
        for binding in cloud.policy(path)[1]["bindings"]
        for member in binding["members"]
    ]
    granted += [
        Grant(path, binding.role, member)
        for path in datasets
        for binding in access.bindings(path)
        for member in binding.members
        if not member.startswith("project")
    ]
    roles = [thing.path for thing in cloud.things("google_project_iam_custom_role") if thing.project == project.id]
    held = [HeldPermission(role, each) for role in roles for each in sorted(access.permissions_of(role))]
    return [*sorted(granted, key=str), *held]


# -- flows


def states(project: Project, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """What Terraform manages, by stack: from the state bucket, or where an ephemeral environment keeps it."""
    bucket = names.bucket(project.env, names.BucketName.STATE)
    contents = {}
    for name in (names.stack(project.env, each) for each in names.StackName):
        content = project.world.buckets.read(bucket, f"{name}/default.tfstate")
        if content is None:
            (file,) = folder.rglob(f"{name}.tfstate")
            content = file.read_bytes()
        contents[name] = [each for each in json.loads(content)["resources"] if each["mode"] == "managed"]
    return contents


def provider_flow(project: Project, calls: CallsFile, resources: Mapping[str, list[dict[str, Any]]]) -> None:
    """Every recorded call of the provider for every resource in the states: `apply` does all, who plans reads.

    An update is judged once for each attribute that a recorded call is made for: it was otherwise before.
    """
    env = project.env
    values = {"user_project_override": True, "billing_project": env.project_id}
    provider = ProviderConfig(project=env.project_id, region=env.region, values=values)
    apply, *readers = (_caller(project, who) for who in ("apply", "plan", "engineer"))
    for name, managed in resources.items():
        writers = [] if name.endswith("-bootstrap") else [apply]
        for resource in managed:
            type = resource["type"]
            for action, recorded in provider_calls().get(type, {}).items():
                for caller in [*writers, *(readers if action == "read" else [])]:
                    for each in resource["instances"]:
                        for before, after in _changes(each["attributes"], [call.when for call in recorded], action):
                            _judge(project.world, type, action, after, before, replace(provider, caller=caller))
                calls.flow(f"{action} of {name}'s {type}.{resource['name']}")


State = dict[str, Any]


def _changes(state: State, whens: Sequence[str], action: str) -> Iterator[tuple[State, State]]:
    """Before and after: unchanged, and for each attribute that the conditions of the calls name."""
    yield state, state
    for when in whens if action in ("create", "update") else ():
        if "paused" in (when or "") and "paused" in state:  # until the first image is there
            yield {**state, "paused": False}, {**state, "paused": True}
        for attribute in changed_attributes(when or "") if action == "update" else ():
            if attribute == "disabled":  # no stack sets it on an account: `NOT_NEEDED`
                continue
            before = copy.deepcopy(state)
            if attribute == "schema" and state.get("schema"):  # a column goes
                before["schema"] = json.dumps([*json.loads(state["schema"]), {"name": "gone", "type": "STRING"}])
                yield before, state
            elif _alter(before, attribute.split(".")):
                yield before, state


def _alter(state: Any, parts: list[str]) -> bool:
    """Give an attribute another value; False where it has none."""
    if isinstance(state, list):
        return bool([each for each in state if _alter(each, parts)])
    if not isinstance(state, dict) or state.get(parts[0]) in (None, []):
        return False
    if len(parts) > 1:
        return _alter(state[parts[0]], parts[1:])
    state[parts[0]] = [] if isinstance(state[parts[0]], list) else f"not {state[parts[0]]}"
    return True


def _judge(world: World, type: str, action: str, state: State, before: State, provider: ProviderConfig) -> None:
    """As the lifecycle does; what is refused stands in the file."""
    try:
        if is_part(type):
            roles = [state["role"]] if "role" in state else []
            permissions.demand_on_policy(
                world, type, action, target(world.names, type, state, provider), provider, roles
            )
            return
        request = object_requests.request_for(world, type, state, provider, read=True)
        request.prior = before if action == "update" else None
        permissions.demand(request, action)
    except ApiError:
        pass


def own_flow(project: Project, calls: CallsFile) -> None:
    """Each call of our own code, workflows, builds and people over REST, judged by method and path."""
    with httpx.Client(timeout=30) as client:
        _own_calls(project, calls, client)


def _own_calls(project: Project, calls: CallsFile, client: httpx.Client) -> None:
    world, env = project.world, project.env
    for row in json.loads(OWN_CALLS.read_text(encoding="utf-8")):
        if not env.git.connected and ("secret:" in row["resource"] or "git.connected" in row.get("when", "")):
            continue
        if not env.features.continuous_training and row["identity"] == "retrain":
            continue
        if row["resource"].startswith("repository:") and env.images.registry:
            continue  # its owner's policies let it in: `readers_flow` of that project
        caller = _caller(project, row["identity"])
        path = _path(project, row["resource"])
        if row["method"] in ("docker.pull", "docker.push", "eventarc.receive"):  # no method of a discovery document
            for permission in row["permissions"]:
                world.access.allows(caller, permission, path)
        else:
            _request(client, project, caller, row["method"], row["resource"], path)
        calls.flow(f"{row['identity']} calls {row['method']} on {row['resource']}")


def _caller(project: Project, who: str) -> Caller:
    people = {"engineer": project.env.people.engineers, "oncall": project.env.people.oncall}
    if who in people:
        groups = " ".join(each.partition(":")[2] for each in people[who])
        return Caller(f"user:{who}@example.com", {"groups": groups, "quota_project": "set"})
    return Caller(names.member(project.env, IdentityName(who)))


def _path(project: Project, resource: str) -> str:
    """Where a row of the recorded calls is made, as a canonical path."""
    env, kind, name = project.env, *resource.partition(":")[::2]
    match kind:
        case "bucket":
            return f"b/{names.bucket(env, names.BucketName(name))}"
        case "account":
            return names.account_path(env, IdentityName(name))
        case "dataset":
            return f"projects/{env.project_id}/datasets/{names.dataset(env, names.DatasetName(name))}"
        case "secret":
            return f"projects/{env.project_id}/secrets/{names.secret(env, names.SecretName(name))}"
        case "repository":
            return f"projects/{env.project_id}/locations/{env.region}/repositories/{names.images(env)}"
        case "topic":
            return names.topic_path(env, name)
    return f"projects/{env.project_id}"


def _request(client: httpx.Client, project: Project, caller: Caller, method: str, resource: str, path: str) -> None:
    """One request of a method, on a resource of the project. What it says but for a refusal does not matter here."""
    env = project.env
    name, version, _ = next(each.split() for each in CALLED if each.endswith(f" {method}"))
    api = service(name, version)
    known = next(each for each, *_ in api.methods if each["id"] == method)
    location = f"projects/{env.project_id}/locations/{env.region}"
    account = names.email(
        env, IdentityName(resource.partition(":")[2] if resource.startswith("account:") else "pipelines")
    )
    given = {
        "project": env.project_id, "projectId": env.project_id, "region": env.region, "jobId": "j",
        "bucket": path.removeprefix("b/"), "object": "privilege.txt", "topic": path, "location": env.region,
    }  # fmt: skip

    def fill(match: re.Match[str]) -> str:
        if match[1] in given:
            return given[match[1]]
        pattern = known["parameters"][match[1]].get("pattern", "").strip("^$").replace("[^/]+", "x")
        if resource.startswith("secret:"):
            return f"{path}/versions/latest"
        if ".workflows." in method:
            execution = "/executions/x" if method.endswith(".get") else ""
            return f"{location}/workflows/{names.resource(env, 'retraining')}{execution}"
        if ".triggers." in method:
            return f"{location}/triggers/{names.resource(env, 'drift')}"
        return re.sub("^projects/x", f"projects/{env.project_id}", pattern.replace("projects/x/locations/x", location))

    body: dict[str, Any] | None = {} if "request" in known else None
    if method.endswith("pipelineJobs.create"):
        body = {"serviceAccount": account}
    elif method.endswith("deployModel") and resource.startswith("account:"):
        body = {"deployedModel": {"serviceAccount": account, "model": f"{location}/models/x"}}
    elif method == "bigquery.jobs.insert":
        dataset = path.rpartition("/")[2]
        query = f"select * from `{dataset}.months`" if resource.startswith("dataset:") else "select 1"
        body = {"configuration": {"query": {"query": query, "useLegacySql": False}}}
    elif method == "logging.entries.list":
        body = {"resourceNames": [f"projects/{env.project_id}"]}
    elif method == "logging.entries.write":
        body = {"entries": [{"logName": f"projects/{env.project_id}/logs/x"}]}
    address = f"{project.rest.address}/{api.prefix}" + re.sub(r"\{\+?(\w+)\}", fill, known["path"])
    headers = {"Authorization": f"Bearer {project.rest.tokens.issue(caller)}"}
    if caller.is_person:  # as `fonderie.google.client` does with a person's log-in
        headers["X-Goog-User-Project"] = project.id
    if method == "storage.objects.insert":
        upload = address.replace("/storage/v1/", "/upload/storage/v1/")
        for _ in range(2):  # written, and written over
            client.post(upload, params={"uploadType": "media", "name": "privilege.txt"}, content=b"x", headers=headers)
        return
    if method == "bigquery.jobs.insert" and resource.startswith("dataset:"):
        schema = f"select * from `{path.rpartition('/')[2]}.INFORMATION_SCHEMA.TABLES`"
        more = {"configuration": {"query": {"query": schema, "useLegacySql": False}}}
        client.request(known["httpMethod"], address, json=more, headers=headers)
    answer = client.request(known["httpMethod"], address, json=body, headers=headers)
    assert answer.status_code not in (401, 501), answer.text


def scheduled_flow(project: Project, calls: CallsFile) -> None:
    """Each job of Cloud Scheduler makes its own call, as the account in it; a drifted model asks for a retraining."""
    for job in project.objects("google_cloud_scheduler_job"):
        target = job["http_target"][0]
        account = f"serviceAccount:{target['oauth_token'][0]['service_account_email']}"
        body = json.loads(base64.b64decode(target["body"])) if target.get("body") else None
        project.call(account, "POST", urlsplit(target["uri"]).path.lstrip("/"), body)
        calls.flow(f"the schedule {job['name']} starts what it is for")
    if project.env.features.continuous_training:
        topic = names.topic_path(project.env, names.RETRAIN)
        message = {"messages": [{"data": "e30="}]}
        project.call(names.member(project.env, IdentityName.MONITORING), "POST", f"v1/{topic}:publish", message)
        calls.flow("a request for a retraining starts the workflow")


def federation_flow(project: Project, calls: CallsFile) -> None:
    """A job of the Git host becomes the account that its branch may: only the protected one's applies and builds."""
    provider = f"{names.identity_pool_path(project.env)}/providers/{names.identity_provider(project.env)}"
    git, now = project.env.git, int(time.time())
    if git.ci is not CiSystem.GITHUB_ACTIONS:
        return  # nobody from outside becomes anybody
    for who, ref in (
        (IdentityName.PLAN, "refs/pull/7/merge"),
        *((each, f"refs/heads/{git.branch}") for each in PROTECTED),
    ):
        claims = {
            "iss": "https://token.actions.githubusercontent.com", "sub": f"repo:{git.repository}:ref:{ref}",
            "repository": git.repository, "repository_id": str(git.repository_id or 1),
            "repository_owner": git.repository.partition("/")[0],
            "repository_owner_id": str(git.owner_id or 1), "ref": ref, "iat": now, "exp": now + 300,
        }  # fmt: skip
        project.federated(claims, provider, names.email(project.env, who))
        calls.flow(f"a workflow of {ref} becomes {who}")


PROTECTED = (IdentityName.APPLY, IdentityName.BUILDER)


def unseen_flow(project: Project, calls: CallsFile) -> None:
    """What Google's agents, pods and other projects' machines do, which no API shows; and calls made in rare cases."""
    for who, permission, path, why in [*_agents(project), *_pods(project), *_readers(project), *_rare(project)]:
        caller = _caller(project, "engineer") if who.startswith("user:") else Caller(who)
        project.world.access.allows(caller, permission, path)
        calls.flow(why)


Unseen = tuple[str, str, str, str]
"""Member, permission, path, why."""


def _agents(project: Project) -> Iterator[Unseen]:
    env, whole = project.env, f"projects/{project.id}"

    def agent(name: AgentName, permission: str, path: str, why: str) -> Unseen:
        return names.agent(env, name), permission, path, f"{name}'s agent {why}"

    plan, retrain = (names.account_path(env, who) for who in (IdentityName.PLAN, IdentityName.RETRAIN))
    # https://cloud.google.com/artifact-registry/docs/configure-notifications
    yield agent(AgentName.ARTIFACT_REGISTRY, "pubsub.topics.publish", whole, "tells of images")
    # https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions
    yield agent(AgentName.PUBSUB, "iam.serviceAccounts.getOpenIdToken", retrain, "pushes an event")
    # https://cloud.google.com/build/docs/securing-builds/configure-user-specified-service-accounts
    yield agent(AgentName.CLOUD_BUILD, "iam.serviceAccounts.getAccessToken", plan, "runs a build")
    # https://cloud.google.com/eventarc/docs/workflows/route-trigger-cloud-pubsub
    yield agent(AgentName.EVENTARC, "pubsub.subscriptions.create", whole, "subscribes a trigger")
    # https://cloud.google.com/kubernetes-engine/fleet-management/docs/concepts/fleet-service-agent
    yield agent(AgentName.GKE_HUB, "container.clusters.get", whole, "reads the cluster of the fleet")
    if env.git.connected:  # https://cloud.google.com/build/docs/automating-builds/github/connect-repo-github
        secret = f"{whole}/secrets/{names.secret(env, names.SecretName.GIT_TOKEN)}"
        yield agent(AgentName.CLOUD_BUILD, "secretmanager.versions.access", secret, "reads the connection's token")


PODS = {
    "config-management-system/root-reconciler": IdentityName.SYNC,
    "kubeflow/pipeline-runner": IdentityName.PIPELINES,
    "kubeflow/monitoring-runner": IdentityName.MONITORING,
    "serving/server": IdentityName.SERVING,
}
"""Who pods are in the cluster, and who they become on Google: from the manifests and Config Sync's documentation."""


def _pods(project: Project) -> Iterator[Unseen]:
    """Source: https://cloud.google.com/kubernetes-engine/docs/concepts/workload-identity."""
    for pod, who in PODS.items() if project.env.features.cluster else ():
        member = f"serviceAccount:{project.id}.svc.id.goog[{pod}]"
        account = names.account_path(project.env, who)
        yield member, "iam.serviceAccounts.getAccessToken", account, f"the pod {pod} becomes {who}"


def _readers(project: Project) -> Iterator[Unseen]:
    """Environments without a registry: nodes, Config Sync and Vertex AI pull over there from here.

    Source: https://cloud.google.com/vertex-ai/docs/predictions/use-custom-container#permissions.
    """
    env, pull = project.env, "artifactregistry.repositories.downloadArtifacts"
    where = f"projects/{env.project_id}/locations/{env.region}/repositories/{names.images(env)}"
    for other in env.image_readers:
        members = [names.member(other, who) for who in (IdentityName.NODES, IdentityName.SYNC)]
        for member in [*members, names.agent(other, AgentName.AIPLATFORM)]:
            yield member, pull, where, f"{other.name} pulls an image as {member.partition(':')[2].partition('@')[0]}"
    if env.features.cluster and not env.images.registry:
        sync = names.member(env, IdentityName.SYNC)
        yield sync, pull, where, "Config Sync pulls the manifests"


def _rare(project: Project) -> Iterator[Unseen]:
    """Recorded calls whose condition is nothing that the sandbox has; the conditions stand in `google_iam`."""
    env = project.env
    location = f"projects/{project.id}/locations/{env.region}"
    plan, apply = (names.member(env, who) for who in (IdentityName.PLAN, IdentityName.APPLY))
    people = [_caller(project, "engineer").member] if env.people.engineers else []
    datasets = [f"projects/{project.id}/datasets/{names.dataset(env, each)}" for each in names.DatasetName]
    for who in (plan, *people, apply):
        yield who, "container.operations.get", f"projects/{project.id}", "a plan after an apply that was interrupted"
        yield (
            who,
            "cloudscheduler.jobs.fullView",
            f"{location}/jobs/x",
            "a plan sees the bodies of the schedules' calls",
        )
        for dataset in datasets:
            yield who, "bigquery.datasets.getIamPolicy", dataset, "a plan where access to datasets is fine-grained"
    yield apply, "bigquery.datasets.setIamPolicy", datasets[0], "an apply where access to datasets is fine-grained"
    yield apply, "gkehub.memberships.delete", f"projects/{project.id}", "a cluster that is in a fleet is destroyed"


def switched_flow(project: Project, calls: CallsFile, resources: Mapping[str, list[dict[str, Any]]]) -> None:
    """What an environment's settings leave out and the next change of them may turn on, without a person.

    Demanded in the project of who applies, reads, and starts; what they do not hold there is no matter of least
    privilege.
    """
    there = {each["type"] for managed in resources.values() for each in managed}
    root = f"projects/{project.id}"
    for row in resource_types().values():
        if not row.in_use or row.name in there or row.written not in ("", "bootstrap"):
            continue
        for action, recorded in provider_calls()[row.name].items():
            writers = [] if row.written else ["apply"]
            for who in [*writers, *(["plan", "engineer"] if action == "read" else [])]:
                for permission in {each for call in recorded for each in methods()[call.method].permissions}:
                    _if_held(project, _caller(project, who), permission, root)
            calls.flow(f"{action} of a {row.name}, which a setting turns on")
    for row in () if project.env.git.connected else json.loads(OWN_CALLS.read_text(encoding="utf-8")):
        if "git.connected" in row.get("when", ""):
            for permission in row["permissions"]:
                _if_held(project, _caller(project, row["identity"]), permission, root)
            calls.flow(f"{row['identity']} calls {row['method']} once Git is connected")


def _if_held(project: Project, caller: Caller, permission: str, path: str) -> None:
    if project.world.access.holds(caller, permission, path):
        project.world.access.allows(caller, permission, path)


def _on_the_billing_account(project: Project) -> None:
    """What a person grants there by hand: who plans reads the budget (docs/platform.md)."""
    if project.env.budget:
        path = f"billingAccounts/{project.env.budget.billing_account}"
        members = [names.member(project.env, IdentityName.PLAN), *project.env.people.engineers]
        version, policy = project.world.cloud.policy(path)
        granted = {"role": "roles/billing.viewer", "condition": None, "members": members}
        project.world.cloud.set_policy(path, {**policy, "bindings": [*policy["bindings"], granted]}, version=version)


def walk(project: Project, calls: CallsFile, folder: Path) -> None:
    """Every flow of an environment that was deployed in a folder."""
    calls.flow("the first deploy")
    resources = states(project, folder)
    _on_the_billing_account(project)
    if not project.env.ephemeral:  # a bucket that holds objects is not destroyed
        provider_flow(project, calls, resources)
    for flow in (own_flow, scheduled_flow, federation_flow, unseen_flow):
        flow(project, calls)
    if project.env.ephemeral:  # it is, and empties it first
        provider_flow(project, calls, resources)
    switched_flow(project, calls, resources)
