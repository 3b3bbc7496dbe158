"""Who may stand in a policy: a member must exist, as Google checks it when a policy is written.

Source: IAM's `setIamPolicy` reference ("Principal identifiers"), and the errors quoted in its troubleshooting pages.
"""

from __future__ import annotations

import re

from fonderie.sandbox.lifecycle.world import World

_POOL = re.compile(
    r"^principal(?:Set)?://iam\.googleapis\.com/(projects/[^/]+/locations/global/workloadIdentityPools/[^/]+)/"
)
_IDENTITY = re.compile(r"^([a-z0-9.:-]+)\.svc\.id\.goog\[[^/\]]+/[^\]]+\]$")
_ACCOUNT = re.compile(r"^[^@]+@([a-z0-9-]+)\.iam\.gserviceaccount\.com$")
_AGENT = re.compile(r"^(?:service-|bq-|p|bqcx-)?(\d+)(?:-[0-9a-z]+)?@([\w.-]+)\.gserviceaccount\.com$")


def refusal(world: World, member: str) -> str | None:
    """Why Google would refuse a member; None when it would not. Only a fresh project's are looked at."""
    if world.established:
        return None
    if match := _POOL.match(member):
        path = world.names.canonical(match[1])
        if _ours(world, path.split("/")[1]) and not world.there("google_iam_workload_identity_pool", path):
            return f"Identity Pool does not exist ({match[1]})."
        return None
    kind, _, name = member.partition(":")
    if kind != "serviceAccount":
        return None
    if match := _IDENTITY.match(name):
        return (
            None if _has_workload_pool(world, match[1]) else f"Identity Pool does not exist ({match[1]}.svc.id.goog)."
        )
    return None if _account_exists(world, name) else f"Service account {name} does not exist."


def workload_pool_note(project: str) -> str:
    """The note under which a cloud keeps that a project has its pool of Kubernetes identities."""
    return f"workload-pool:{project}"


def _ours(world: World, project: str) -> bool:
    return project in world.cloud.projects()


def _has_workload_pool(world: World, project: str) -> bool:
    if not _ours(world, project):
        return True
    clusters = world.cloud.things("google_container_cluster", project=project)
    return world.cloud.note(workload_pool_note(project)) is not None and not (
        clusters and all(world.waves.being_made(one.path) for one in clusters)
    )


def _account_exists(world: World, email: str) -> bool:
    if match := _ACCOUNT.match(email):
        if _ours(world, match[1]):
            return world.there("google_service_account", f"projects/{match[1]}/serviceAccounts/{email}")
        if world.cloud.has_agent(email):
            return not world.waves.being_made(email)
    if match := _AGENT.match(email):
        return world.cloud.project_of(int(match[1])) is None or (
            world.cloud.has_agent(email) and not world.waves.being_made(email)
        )
    return True
