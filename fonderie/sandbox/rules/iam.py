"""Identities: service accounts and their memberships, federation pools, custom roles; and how projects, keys and fleets
are planned, whose names are known or refused before the apply.

Source: IAM's "Create and manage service accounts" (deleted principals), "Manage workload identity pools", and the
recorded cases of `google_project_iam_custom_role`."""

from __future__ import annotations

import difflib

from fonderie.core.google_iam import known_permissions, predefined_roles
from fonderie.sandbox.cloud.cloud import Cloud, ObjectStatus
from fonderie.sandbox.iam.caller import ANYONE
from fonderie.sandbox.lifecycle.interface import ApiError, Diagnostic, State
from fonderie.sandbox.lifecycle.resource_paths import written_names
from fonderie.sandbox.lifecycle.world import ObjectRequest
from fonderie.sandbox.planning.equivalence import duration_s
from fonderie.sandbox.planning.type_rules import Situation, TypeRules
from fonderie.sandbox.planning.validation import error
from fonderie.sandbox.rules.rulebook import LifecycleEvent, rule

_DELETED = "https://cloud.google.com/iam/docs/policies#handle-deleted-members"
_POOLS = "https://cloud.google.com/iam/docs/manage-workload-identity-pools-providers"


@rule(LifecycleEvent.DELETED, "google_service_account", source=_DELETED)
def members_of_a_deleted_account_are_marked(request: ObjectRequest) -> None:
    """Policies keep a deleted service account as `deleted:serviceAccount:...?uid=`."""
    email, unique = request.state.get("email"), request.state.get("unique_id")
    member, marked = f"serviceAccount:{email}", f"deleted:serviceAccount:{email}?uid={unique}"
    for path, policy in request.cloud.policies().items():
        if any(member in binding["members"] for binding in policy["bindings"]):
            for binding in policy["bindings"]:
                binding["members"] = [marked if one == member else one for one in binding["members"]]
            request.cloud.set_policy(path, policy, version=request.cloud.policy(path)[0])


@rule(LifecycleEvent.CREATE, "google_iam_workload_identity_pool_provider", source=_POOLS)
def a_provider_needs_a_pool_that_is_not_deleted(request: ObjectRequest) -> None:
    """A provider cannot be made in a pool that is soft-deleted."""
    pool = request.path.rsplit("/providers/", 1)[0]
    found = request.cloud.get("google_iam_workload_identity_pool", pool)
    if found and found.status is ObjectStatus.SOFT_DELETED:
        raise request.error(400, f"Workload identity pool {pool} is deleted.", "failedPrecondition")


@rule(
    LifecycleEvent.READ,
    "google_project_iam_custom_role",
    source="recorded: object_deleted of google_project_iam_custom_role",
)
def a_deleted_role_is_still_read(request: ObjectRequest) -> None:
    """A custom role that was deleted is read with `deleted = true`, and plans nothing."""
    if request.thing is not None:
        request.extra["deleted"] = request.thing.status is ObjectStatus.SOFT_DELETED


@rule(
    LifecycleEvent.CREATE,
    "google_project_iam_custom_role",
    source="https://github.com/hashicorp/terraform-provider-google/issues/14033",
)
def a_custom_role_holds_permissions_that_exist(request: ObjectRequest) -> None:
    """A custom role with a permission that Google does not have is refused as a whole."""
    _check_permissions(request, "creating")


@rule(
    LifecycleEvent.UPDATE,
    "google_project_iam_custom_role",
    source="https://github.com/hashicorp/terraform-provider-google/issues/18976",
)
def a_custom_role_takes_permissions_that_exist(request: ObjectRequest) -> None:
    """A permission that Google does not have cannot be added to a custom role."""
    _check_permissions(request, "updating")


def _check_permissions(request: ObjectRequest, verb: str) -> None:
    asked = request.provider.caller != ANYONE
    for permission in sorted(request.state.get("permissions") or ()) if asked else ():
        if permission not in known_permissions():
            raise ApiError.because(
                f"Error {verb} the custom project role {request.path}: googleapi: Error 400: Permission {permission} "
                "is not valid., badRequest",
                _why_invalid(permission),
            )


# Measured on Google's role definitions of 2026-08-22: no predefined role holds these, though code and pages name them.
_NONE_SUCH = {
    "aiplatform.operations.get": "polling an operation takes the resource's own `get`",
    "iam.workloadIdentityPools.get": "it is listed as iam.googleapis.com/workloadIdentityPools.get",
    "iam.workloadIdentityPoolProviders.get": "it is listed as iam.googleapis.com/workloadIdentityPoolProviders.get",
}


def _why_invalid(permission: str) -> str:
    """Whether Google has no such permission, or only our table lacks it."""
    if reason := _NONE_SUCH.get(permission):
        return f"Google has no such permission: {reason}."
    return (
        f"Only the sandbox's table of {len(known_permissions())} permissions may lack it: what Google has is in "
        "https://cloud.google.com/iam/docs/permissions-reference; what a method needs goes into "
        "fonderie/core/google_iam/methods.json."
    )


def unknown_role(cloud: Cloud, role: str) -> str | None:
    """Google's words for a role that does not exist; None for one that does.

    Source: hashicorp/terraform-provider-google #5107. Roles of an organisation are taken on trust, and so are those of
    Google's that our table lacks: of a service that exists, and no misspelling of a role in the table.
    """
    known = _is_predefined(role)
    if role.startswith("projects/"):
        known = (
            role.split("/")[1] not in cloud.projects() or cloud.live("google_project_iam_custom_role", role) is not None
        )
    return None if known or role.startswith("organizations/") else f"Role {role} is not supported for this resource."


def _is_predefined(role: str) -> bool:
    service, dot, _ = role.removeprefix("roles/").partition(".")
    if role in predefined_roles() or not role.startswith("roles/") or not dot:
        return role in predefined_roles() or role in _WITHOUT_SERVICE
    services = {name.removeprefix("roles/").partition(".")[0] for name in predefined_roles()} | {
        service for service, _ in written_names()["apis"].values()
    }
    return service in services and not difflib.get_close_matches(role, predefined_roles(), 1, _MISSPELT)


_WITHOUT_SERVICE = ("roles/browser", "roles/reader", "roles/writer", "roles/admin")  # beside owner, editor and viewer
_MISSPELT = 0.95  # a letter or two in a name of twenty
_LEAST_ROTATION_S = 86400


def _account_wanted(prior: State | None, wanted: State, given: State) -> State:
    """The address of a service account is known from its id and project."""
    account, project = wanted.get("account_id"), wanted.get("project")
    if not isinstance(account, str) or not isinstance(project, str):
        return wanted
    if prior is not None and (prior.get("account_id"), prior.get("project")) == (account, project):
        return wanted
    # example.com:project is a project of a domain; in an address it is project.example.com
    email = f"{account}@{'.'.join(reversed(project.split(':')))}.iam.gserviceaccount.com"
    return {**wanted, "email": email, "member": f"serviceAccount:{email}"}


def _check_pool(name: str) -> TypeRules:
    def check(config: State) -> list[Diagnostic]:
        value = config.get(name)
        if isinstance(value, str) and value.startswith("gcp-"):
            return [error(f'"{name}" ("{value}") can not start with "gcp-"', path=(name,))]
        return []

    return TypeRules(check=check)


def _check_key(config: State) -> list[Diagnostic]:
    period = config.get("rotation_period")
    if not isinstance(period, str) or period == "":
        return []
    seconds = duration_s(period)
    if seconds is None or seconds < _LEAST_ROTATION_S:
        return [error(f"rotation period must be greater than {_LEAST_ROTATION_S} seconds", path=("rotation_period",))]
    return []


def _same_without_host(situation: Situation) -> bool:
    def path(link: str) -> str:
        return link.removeprefix("//container.googleapis.com/").removeprefix("https://container.googleapis.com/v1/")

    return path(situation.old) == path(situation.new)


def _folder_number(prior: State | None, wanted: State, given: State) -> State:
    folder = wanted.get("folder_id")
    return {**wanted, "folder_id": folder.removeprefix("folders/")} if isinstance(folder, str) else wanted


PLANS = {
    "google_service_account": TypeRules(adjust=_account_wanted),
    "google_iam_workload_identity_pool": _check_pool("workload_identity_pool_id"),
    "google_iam_workload_identity_pool_provider": _check_pool("workload_identity_pool_provider_id"),
    "google_kms_crypto_key": TypeRules(check=_check_key),
    "google_gke_hub_membership": TypeRules(same={"endpoint.gke_cluster.resource_link": _same_without_host}),
    "google_project": TypeRules(adjust=_folder_number),
}
