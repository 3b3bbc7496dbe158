"""Who may stand in a policy: a member must exist, as Google checks it when a policy is written.

Source: IAM's `setIamPolicy` reference ("Principal identifiers"), and the errors quoted in its troubleshooting pages.
"""

from __future__ import annotations

import re
from enum import StrEnum

from fonderie.sandbox.lifecycle.world import World

_POOL = re.compile(
    r"^principal(?:Set)?://iam\.googleapis\.com/(projects/[^/]+/locations/global/workloadIdentityPools/[^/]+)/"
)
_IDENTITY = re.compile(r"^([a-z0-9.:-]+)\.svc\.id\.goog\[[^/\]]+/[^\]]+\]$")
_ACCOUNT = re.compile(r"^[^@]+@([a-z0-9-]+)\.iam\.gserviceaccount\.com$")
_AGENT = re.compile(r"^(?:service-|bq-|p|bqcx-)?(\d+)(?:-[0-9a-z]+)?@([\w.-]+)\.gserviceaccount\.com$")


class MemberKind(StrEnum):
    """What has to exist for a member: a federation's pool, a project's pool of Kubernetes identities, an account."""

    POOL = "identity pool"
    IDENTITIES = "identity pool of the cluster"
    ACCOUNT = "service account"


def needed(member: str) -> tuple[MemberKind, str] | None:
    """What a member needs: the pool's path, the project, or the e-mail; None for what is taken on trust."""
    if match := _POOL.match(member):
        return MemberKind.POOL, match[1]
    kind, _, name = member.partition(":")
    if kind != "serviceAccount":
        return None
    if match := _IDENTITY.match(name):
        return MemberKind.IDENTITIES, match[1]
    return MemberKind.ACCOUNT, name


def refusal(world: World, member: str) -> str | None:
    """Why Google would refuse a member; None when it would not. Only a fresh project's are looked at."""
    match needed(member) if not world.established else None:
        case MemberKind.POOL, pool:
            path = world.names.canonical(pool)
            if _ours(world, path.split("/")[1]) and not world.there("google_iam_workload_identity_pool", path):
                return f"Identity Pool does not exist ({pool})."
        case MemberKind.IDENTITIES, project if not _has_workload_pool(world, project):
            return f"Identity Pool does not exist ({project}.svc.id.goog)."
        case MemberKind.ACCOUNT, email if not _account_exists(world, email):
            return f"Service account {email} does not exist."
    return None


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
        clusters and all(world.settling.being_made(one.path) for one in clusters)
    )


def _account_exists(world: World, email: str) -> bool:
    if match := _ACCOUNT.match(email):
        if _ours(world, match[1]):
            return world.there("google_service_account", f"projects/{match[1]}/serviceAccounts/{email}")
        if world.cloud.has_agent(email):
            return not world.settling.being_made(email)
    if match := _AGENT.match(email):
        return world.cloud.project_of(int(match[1])) is None or (
            world.cloud.has_agent(email) and not world.settling.being_made(email)
        )
    return True
