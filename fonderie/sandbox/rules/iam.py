"""Service accounts and what becomes of their memberships, federation pools, custom roles.

Source: IAM's "Create and manage service accounts" (deleted principals), "Manage workload identity pools", and the
recorded cases of `google_project_iam_custom_role`.
"""

from __future__ import annotations

from fonderie.sandbox.cloud.cloud import Status
from fonderie.sandbox.lifecycle.world import Request
from fonderie.sandbox.rules.rulebook import Event, rule

_DELETED = "https://cloud.google.com/iam/docs/policies#handle-deleted-members"
_POOLS = "https://cloud.google.com/iam/docs/manage-workload-identity-pools-providers"


@rule(Event.DELETED, "google_service_account", source=_DELETED)
def members_of_a_deleted_account_are_marked(request: Request) -> None:
    """Policies keep a deleted service account as `deleted:serviceAccount:...?uid=`."""
    email, unique = request.state.get("email"), request.state.get("unique_id")
    member, marked = f"serviceAccount:{email}", f"deleted:serviceAccount:{email}?uid={unique}"
    for path, policy in request.cloud.policies().items():
        if any(member in binding["members"] for binding in policy["bindings"]):
            for binding in policy["bindings"]:
                binding["members"] = [marked if one == member else one for one in binding["members"]]
            request.cloud.set_policy(path, policy, version=request.cloud.policy(path)[0])


@rule(Event.CREATE, "google_iam_workload_identity_pool_provider", source=_POOLS)
def a_provider_needs_a_pool_that_is_not_deleted(request: Request) -> None:
    """A provider cannot be made in a pool that is soft-deleted."""
    pool = request.path.rsplit("/providers/", 1)[0]
    found = request.cloud.get("google_iam_workload_identity_pool", pool)
    if found and found.status is Status.SOFT_DELETED:
        raise request.error(400, f"Workload identity pool {pool} is deleted.", "failedPrecondition")


@rule(Event.READ, "google_project_iam_custom_role", source="recorded: object_deleted of google_project_iam_custom_role")
def a_deleted_role_is_still_read(request: Request) -> None:
    """A custom role that was deleted is read with `deleted = true`, and plans nothing."""
    if request.thing is not None:
        request.extra["deleted"] = request.thing.status is Status.SOFT_DELETED
