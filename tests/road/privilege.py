"""Least privilege, proved: what the flows of an environment demanded of whom, and which grants nothing needed.

Demands are what the sandbox judged while the flows ran
(`fonderie sandbox run --calls`), each with the grants that gave it at that moment; grants and roles are those in its
cloud, however they came there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fonderie.sandbox.iam.access import AccessControl, Demand, Grant
from fonderie.sandbox.iam.caller import Caller
from infra import names
from infra.names import AgentName, IdentityName
from tests.road.project import Project


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
            demand = Demand.read(line)
            if demand.allowed:
                self.needed.append(Needed(name, demand))
            elif demand.permissions != IN_VAIN and not name.endswith("fonderie doctor"):
                self.refused.append(Needed(name, demand))  # the doctor says what it was refused
        self._read = len(lines)


@dataclass(frozen=True)
class HeldPermission:
    """One permission of a custom role."""

    role: str
    permission: str

    def __str__(self) -> str:
        return f"{self.permission} of {self.role}"


IN_VAIN = ("storage.buckets.get",)
"""Google's storage library looks at the bucket in the background, for its traces, and goes on without.

Source: google-cloud-storage, its bucket metadata cache.
"""
WITHOUT_A_FLOW = {
    "bigquery.datasets.getIamPolicy": "asked for where an organisation opted into fine-grained access to datasets",
    "bigquery.datasets.setIamPolicy": "asked for where an organisation opted into fine-grained access to datasets",
    "cloudscheduler.jobs.fullView": "a job's body and headers; not confirmed (methods.json)",
    "container.operations.get": "a plan after an apply that was interrupted looks at its operation (calls.json)",
    "gkehub.memberships.delete": "a cluster leaves its fleet; not confirmed (methods.json)",
}
"""Permissions of our roles that no flow leads to here, with the reason to hold them all the same."""

Change = Grant | HeldPermission
"""What is taken away."""


def noticed(needed: Sequence[Needed], without: Change) -> Needed | None:
    """The first demand that would have been refused: every grant that gave one of its permissions is gone."""

    def gone(grant: Grant, permission: str) -> bool:
        if isinstance(without, HeldPermission):
            return (grant.role, permission) == (without.role, without.permission)
        return grant == without

    return next(
        (
            each
            for each in needed
            if any(all(gone(grant, permission) for grant in by) for permission, by in each.demand.grants.items())
        ),
        None,
    )


def mutations(project: Project) -> list[Change]:
    """Every grant in the project's policies and access lists, and every permission of its custom roles."""
    cloud, below = project.world.cloud, f"projects/{project.id}"
    access = AccessControl(cloud)
    buckets = [each for each in cloud.things("google_storage_bucket") if each.attributes["project"] == project.id]
    datasets = [thing.path for thing in cloud.things("google_bigquery_dataset") if thing.project == project.id]
    of_buckets = {bucket.path for bucket in buckets}
    written = [path for path in cloud.policies() if path in of_buckets or f"{path}/".startswith(f"{below}/")]
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
    return [*sorted(set(granted), key=str), *held]


def unneeded(needed: Sequence[Needed], changes: Sequence[Change]) -> list[Change]:
    """What may be taken away without any refusal."""
    return [change for change in changes if noticed(needed, change) is None]


@contextmanager
def taken_away(project: Project, change: Change) -> Iterator[None]:
    """The project without it, until the block ends."""
    cloud = project.world.cloud
    if isinstance(change, HeldPermission):
        type, path = "google_project_iam_custom_role", change.role
    elif "/datasets/" in change.path:
        type, path = "google_bigquery_dataset", change.path
    else:
        version, policy = cloud.policy(change.path)
        kept = [
            {**each, "members": [who for who in each["members"] if (each["role"], who) != (change.role, change.member)]}
            for each in policy["bindings"]
        ]
        cloud.set_policy(change.path, {**policy, "bindings": kept}, version=version)
        yield
        version, _ = cloud.policy(change.path)
        cloud.set_policy(change.path, policy, version=version)
        return
    thing = cloud.live(type, path)
    assert thing is not None
    if isinstance(change, HeldPermission):
        held = [each for each in thing.attributes["permissions"] if each != change.permission]
        without = {**thing.attributes, "permissions": held}
    else:
        address = change.member.partition(":")[2]
        without = {**thing.attributes, "access": [e for e in thing.attributes["access"] if address not in e.values()]}
    assert without != thing.attributes
    cloud.change(type, path, without)
    yield
    cloud.change(type, path, thing.attributes)


# -- what no flow can do here


@dataclass(frozen=True)
class Unseen:
    """What Google's machines do, which no API shows."""

    member: str
    permission: str
    path: str
    why: str


def judge_unseen(project: Project, calls: CallsFile) -> None:
    """Put what no flow can do to the policies."""
    for each in [*_agents(project), *_pods(project), *_machines(project)]:
        project.world.access.allows(Caller(each.member), each.permission, each.path)
        calls.flow(each.why)


def _agents(project: Project) -> Iterator[Unseen]:
    env, whole = project.env, f"projects/{project.id}"

    def agent(name: AgentName, permission: str, path: str, why: str) -> Unseen:
        return Unseen(names.agent(env, name), permission, path, f"{name}'s agent {why}")

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
        yield Unseen(member, "iam.serviceAccounts.getAccessToken", account, f"the pod {pod} becomes {who}")


def _machines(project: Project) -> Iterator[Unseen]:
    """Nodes and a server's container write logs and metrics.

    Source: https://cloud.google.com/kubernetes-engine/docs/how-to/service-accounts#default-gke-service-agent.
    """
    env, whole = project.env, f"projects/{project.id}"
    nodes, serving = (names.member(env, who) for who in (IdentityName.NODES, IdentityName.SERVING))
    retrain = names.member(env, IdentityName.RETRAIN)
    # Not confirmed for events of Pub/Sub. https://cloud.google.com/eventarc/docs/run/pubsub#required-permissions
    yield Unseen(retrain, "eventarc.events.receiveEvent", whole, "a trigger receives its events")
    yield Unseen(nodes, "monitoring.timeSeries.create", whole, "a node tells its metrics")
    yield Unseen(serving, "logging.logEntries.create", whole, "a server's container writes its log")
