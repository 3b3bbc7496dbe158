"""What a request of the provider needs, and whether its caller has it.

Which methods are called for a type and an action is recorded from the real provider, which permissions a method needs
is Google's; both are in `fonderie/core/google_iam`. What is here is the resource that each permission is judged on. A
type without a record works for an owner of the project only: what else it would take is not known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fonderie.core.errors import BadInputError
from fonderie.core.google_iam import methods, provider_calls
from fonderie.sandbox.iam.access import DeniedError
from fonderie.sandbox.iam.caller import ANYONE, Caller, caller_in
from fonderie.sandbox.iam.conditions import MODIFIED_GRANTS
from fonderie.sandbox.lifecycle import object_requests
from fonderie.sandbox.lifecycle.call_conditions import decide
from fonderie.sandbox.lifecycle.interface import ApiError, Diagnostic, DiagnosticSeverity, ProviderConfig
from fonderie.sandbox.lifecycle.resource_paths import iam_parent
from fonderie.sandbox.lifecycle.world import ObjectRequest, World, noun

ACT_AS = "iam.serviceAccounts.actAs"
# What only looks, and comes after the write: refused, it leaves what was written.
_AFTERWARDS = frozenset({"get", "list", "listAttestationRules", "pause", "resume", "enable", "disable"})
_IN_PROJECT = (  # judged on the project, whatever the object's own path is
    "resourcemanager.",
    "serviceusage.",
    "servicenetworking.",
    "iam.roles.",
    "gkehub.memberships.",
    "compute.instanceGroupManagers.",
    "compute.projects.",
    "compute.routes.",
    "bigquery.jobs.",
    "cloudbuild.builds.create",
)
_REFERRED = {  # judged on what the object refers to
    "compute.networks.updatePolicy": "google_compute_network",
    "compute.networks.use": "google_compute_network",
    "compute.subnetworks.use": "google_compute_subnetwork",
    "pubsub.topics.attachSubscription": "google_pubsub_topic",
}
_VERBS = {"create": "creating", "update": "updating", "delete": "deleting", "read": "reading", "import": "reading"}
_CREATES = frozenset({"create", "insert", "list", "enable", "batchEnable", "addVersion"})


@dataclass(frozen=True)
class NeededPermission:
    """One permission of one call, on the path of a resource."""

    method: str
    permission: str
    path: str

    @property
    def afterwards(self) -> bool:
        """Whether the call comes after the one that writes."""
        return self.method.rsplit(".", 1)[-1] in _AFTERWARDS

    @property
    def waits(self) -> bool:
        """Whether the call asks how an operation goes."""
        return ".operations.get" in self.method or self.method.endswith("Operations.get")


def caller_of(world: World, name: str, provider: ProviderConfig, *, chosen: bool) -> Caller:
    """Who the calls of a provider block are made by: `name`, or whom that impersonates.

    Raises BadInputError for a name that has no meaning there, ApiError for who may not impersonate.
    """
    caller = caller_in(provider.project, name, chosen=chosen)
    if caller == ANYONE:
        return caller
    if not chosen or caller.member != name:
        _account_is_there(world, caller)
    target = provider.values.get("impersonate_service_account")
    if not isinstance(target, str) or not target:
        return caller
    path = f"projects/{target.partition('@')[2].partition('.')[0]}/serviceAccounts/{target}"
    try:
        world.access.demand(caller, ["iam.serviceAccounts.getAccessToken"], path)
    except DeniedError as refused:
        raise ApiError(_denied(f"impersonate: {target}", refused)) from refused
    return Caller(f"serviceAccount:{target}")


def _account_is_there(world: World, caller: Caller) -> None:
    """An environment's accounts come with its bootstrap, which a person applies."""
    account, _, domain = caller.email.partition("@")
    project = domain.partition(".")[0]
    path = f"projects/{project}/serviceAccounts/{caller.email}"
    if caller.member.startswith("serviceAccount:") and not world.there("google_service_account", path):
        environment = account.partition("-")[0]
        raise BadInputError(
            f"service account {caller.email} does not exist",
            where=f"project {project}",
            hint=f"run `fonderie sandbox run --as person -- fonderie bootstrap --env {environment}` first",
        )


def demand(request: ObjectRequest, action: str, *, afterwards: bool | None = None) -> None:
    """Raises ApiError, in Google's words, for the first permission that the caller lacks.

    `afterwards` picks the calls that follow the write, or those before; None takes all.
    """
    caller = request.provider.caller
    if caller == ANYONE:
        return
    _quota_project(request, action)
    try:
        if (recorded := needed(request, action)) is None:
            if not afterwards:
                _unrecorded(request.world, request.type, caller, request.project)
            return
        for each in recorded:
            if afterwards is None or each.afterwards is afterwards:
                request.world.access.demand(caller, [each.permission], each.path)
    except DeniedError as refused:
        raise refusal(request.type, action, request.path, refused) from refused


def operations_denied(request: ObjectRequest, action: str) -> bool:
    """Whether the caller may write, but not ask how the operation goes."""
    caller = request.provider.caller
    return caller != ANYONE and any(
        each.waits and not request.world.access.allows(caller, each.permission, each.path)
        for each in needed(request, action) or ()
    )


def demand_on_policy(
    world: World, type: str, action: str, target: tuple[str, str], provider: ProviderConfig, roles: Sequence[str] = ()
) -> None:
    """The same for a part of a policy; `roles` are those whose members change. Raises ApiError."""
    caller, (_, path) = provider.caller, target
    if caller == ANYONE:
        return
    try:
        recorded = provider_calls().get(type, {}).get(action)
        if recorded is None:
            _unrecorded(world, type, caller, path.split("/")[1] if path.startswith("projects/") else "", path)
            return
        for call in recorded:
            for permission in methods()[call.method].permissions:
                if methods()[call.method].when.get(permission):
                    continue  # fine-grained access to datasets, which is opted into
                attributes = {MODIFIED_GRANTS: list(roles)} if permission.endswith("setIamPolicy") else None
                world.access.demand(caller, [permission], path, attributes=attributes)
    except DeniedError as refused:
        if refused.permission == "resourcemanager.projects.setIamPolicy":
            refused.message = "Policy update access denied."
        raise policy_refusal(action, path, refused) from refused


def demand_data(world: World, type: str, path: str, provider: ProviderConfig) -> None:
    """What the reading of a data source needs. Raises ApiError."""
    caller = provider.caller
    if caller == ANYONE or type in _LOCAL:
        return
    project = path.split("/")[1] if path.startswith("projects/") else (provider.project or "")
    calls = provider_calls()
    recorded = calls.get(f"data.{type}", {}).get("read") or calls.get(type, {}).get("read")
    try:
        if type == "google_project":
            world.access.demand(caller, ["resourcemanager.projects.get"], f"projects/{project}")
        elif recorded is None:
            _unrecorded(world, f"data.{type}", caller, project)
        for call in recorded or ():
            for permission in methods()[call.method].permissions:
                if not methods()[call.method].when.get(permission):
                    on = f"projects/{project}" if permission.startswith("resourcemanager.") else path
                    world.access.demand(caller, [permission], on)
    except DeniedError as refused:
        raise refusal(type, "read", path, refused) from refused


_LOCAL = frozenset({"google_client_config", "google_client_openid_userinfo", "google_iam_policy"})  # ask no API


def needed(request: ObjectRequest, action: str) -> list[NeededPermission] | None:
    """Every permission of the calls that this request makes; None for a type that was not recorded."""
    recorded = provider_calls().get(request.type, {}).get(action)
    if recorded is None:
        return None
    found = list[NeededPermission]()
    for call in recorded:
        if decide(call.when, request):
            method = methods()[call.method]
            for permission in method.permissions:
                if decide(method.when.get(permission, ""), request):
                    for path in _paths(request, call.method, permission):
                        found.append(NeededPermission(call.method, permission, path))
    return found


def _paths(request: ObjectRequest, method: str, permission: str) -> Iterator[str]:
    """What a permission is judged on."""
    project, path = f"projects/{request.project}", request.path
    if permission == ACT_AS:
        yield from sorted(attached_accounts(request))
    elif (kind := _REFERRED.get(permission)) is not None:
        paths = [one.path for one in object_requests.references(request) if one.type == kind]
        yield from dict.fromkeys(paths or [project])
    elif path.startswith("billingAccounts/"):
        yield "/".join(path.split("/")[:2])
    elif permission.startswith(_IN_PROJECT) or "perations.get" in method:
        yield project
    elif method.startswith("storage."):
        yield from _storage_paths(request, permission)
    elif method.rsplit(".", 1)[-1] in _CREATES:
        above = request.world.names.parents(path)
        yield above[0][0] if above else project
    else:
        yield path


def _storage_paths(request: ObjectRequest, permission: str) -> Iterator[str]:
    """A bucket is made in its project; objects are judged by their own name, notifications on the bucket."""
    if permission in ("storage.buckets.create", "storage.buckets.enableObjectRetention"):
        yield f"projects/{request.project}"
    elif permission.startswith("storage.objects.") and "/o/" in request.path:
        yield request.path
    else:
        yield "/".join(request.path.split("/")[:2])


def attached_accounts(request: ObjectRequest) -> set[str]:
    """Paths of the service accounts that a resource runs as: whoever writes it must be allowed to act as them."""
    return {
        one.path
        for one in object_requests.references(request)
        if one.type == "google_service_account" and _attaches(one.attribute) and not iam_parent(request.type)
    }


def _quota_project(request: ObjectRequest, action: str) -> None:
    """A person's own credentials must name the project that pays, for an API of billing accounts.

    Source: the provider's page of google_billing_budget; GoogleCloudPlatform/dlp-pdf-redaction #31 quotes the error.
    """
    values = request.provider.values
    if not request.type.startswith("google_billing_") or not request.provider.caller.is_person:
        return
    if values.get("user_project_override") is not True or not isinstance(values.get("billing_project"), str):
        raise ApiError.because(
            f"Error {_VERBS[action]} {noun(request.type)}: googleapi: Error 403: Your application is authenticating by "
            "using local Application Default Credentials. The billingbudgets.googleapis.com API requires a quota "
            "project, which is not set by default. To learn how to set your quota project, see "
            "https://cloud.google.com/docs/authentication/adc-troubleshooting/user-creds ., forbidden",
            "The provider block needs user_project_override = true and a billing_project.",
        )


def _attaches(attribute: str) -> bool:
    """`service_account`, `oauth_token.service_account_email`; a variable that names an account attaches nothing."""
    return attribute.rsplit(".", 1)[-1].startswith("service_account")


def _unrecorded(world: World, type: str, caller: Caller, project: str, path: str = "") -> None:
    if not world.access.holds_role(
        caller, "roles/owner", path if path.startswith("projects/") else f"projects/{project}"
    ):
        raise ApiError.because(
            f"the sandbox cannot say whether {caller.email} may use {type}",
            "What hashicorp/google calls for this type was not recorded, so it works here for an owner of the project "
            "only: `--as person`; `--as anyone` checks nothing.",
        )


def refusal(type: str, action: str, path: str, refused: DeniedError) -> ApiError:
    """As the provider prints it."""
    if action == "read":
        summary = f'Error when reading or editing {noun(type)} "{path}"'
    else:
        summary = f"Error {_VERBS[action]} {noun(type)}"
    return ApiError(_denied(summary, refused))


def policy_refusal(action: str, path: str, refused: DeniedError) -> ApiError:
    """As the provider prints it for a policy."""
    verb = "retrieving" if action in ("read", "import") else "applying"
    return ApiError(_denied(f"Error {verb} IAM policy for {path}", refused))


def _denied(summary: str, refused: DeniedError) -> Diagnostic:
    return Diagnostic(
        DiagnosticSeverity.ERROR,
        f"{summary}: googleapi: Error 403: {refused.message}, {refused.reason}",
        f"{refused.hint}.",
    )
