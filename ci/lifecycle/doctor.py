"""`fonderie doctor`: what stands between an environment's settings and a deployment, and the command that fixes it.

The checks stand in the order in which they have to be fixed. Each looks at one thing and never writes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

from fonderie.core.errors import FonderieError
from fonderie.google import Access, NotFoundError, RestClient
from fonderie.google.client import SCOPES
from fonderie.google.operator import with_token
from infra import names
from infra.access.roles import custom_roles
from infra.settings import Environment
from infra.settings.sections import TOKEN_ISSUER
from infra.synthesised import SynthesisedStack


class CheckState(StrEnum):
    """`unseen`: it could not be read, for the reason given; never counted as well."""

    WELL = "well"
    WRONG = "wrong"
    UNSEEN = "unseen"


class DoctorFinding(BaseModel):
    """One check: what was seen and, if it is wrong, the command or the page that fixes it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    check: str
    state: CheckState
    seen: str
    mend: str = ""


def passed(check: str, seen: str) -> DoctorFinding:
    """A check that passes; `seen` says what was read."""
    return DoctorFinding(check=check, state=CheckState.WELL, seen=seen)


def failed(check: str, seen: str, mend: str) -> DoctorFinding:
    """A check that fails; `mend` is the command or the page that fixes it."""
    return DoctorFinding(check=check, state=CheckState.WRONG, seen=seen, mend=mend)


def unread(check: str, why: str, mend: str = "") -> DoctorFinding:
    """A check that could not be made; `why` is the reason, `mend` what would make it possible."""
    return DoctorFinding(check=check, state=CheckState.UNSEEN, seen=why, mend=mend)


LOGIN = "gcloud auth application-default login"
DISK_GB = 100  # of a node: `NodePool`


def impersonated(env: Environment, token: str) -> RestClient:
    """A client that calls with an access token."""
    return with_token(Access.from_environment(env.project_id, env.region), token)


@dataclass(frozen=True)
class DoctorTarget:
    """An environment and what its synthesised stacks ask of the project."""

    env: Environment
    apis: tuple[str, ...]
    bootstrap_apis: tuple[str, ...]  # those of them that the bootstrap enables
    impersonate: Callable[[Environment, str], RestClient] = impersonated

    @property
    def project(self) -> str:
        """Its project's id."""
        return self.env.project_id


Check = Callable[[DoctorTarget, RestClient], Iterator[DoctorFinding]]


def target_of(env: Environment, stacks: Iterable[SynthesisedStack]) -> DoctorTarget:
    """What the stacks need: APIs enabled, and by whom."""
    by_stack = {
        stack.name: {str(one.values["service"]) for one in stack.resources if one.type == "google_project_service"}
        for stack in stacks
    }
    bootstrap = by_stack.get(names.stack(env, names.StackName.BOOTSTRAP), set())
    return DoctorTarget(env, tuple(sorted(set().union(*by_stack.values()))), tuple(sorted(bootstrap)))


def _bootstrap(env: Environment) -> str:
    return f"fonderie bootstrap --env {env.name}"


def project(target: DoctorTarget, google: RestClient) -> Iterator[DoctorFinding]:
    """The project is there, active, and has the number that the settings say."""
    seen = google.get("cloudresourcemanager", f"v3/projects/{target.project}")
    number = seen["name"].rpartition("/")[2]
    if seen.get("state") != "ACTIVE":
        yield failed(
            "project", f"{target.project} is {seen.get('state')}", f"gcloud projects undelete {target.project}"
        )
    elif number != str(target.env.project_number):
        file = f"infra/environments/{target.env.name}.toml"
        yield failed("project", f"its number is {number}", f"set project_number = {number} in {file}")
    else:
        yield passed("project", f"{target.project}, number {number}")


def billing(target: DoctorTarget, google: RestClient) -> Iterator[DoctorFinding]:
    """The project is paid for."""
    seen = google.get("cloudbilling", f"v1/projects/{target.project}/billingInfo")
    if seen.get("billingEnabled"):
        yield passed("billing", seen.get("billingAccountName", "enabled"))
    else:
        mend = f"gcloud billing projects link {target.project} --billing-account ACCOUNT"
        yield failed("billing", "no billing account is linked", mend)


def apis(target: DoctorTarget, google: RestClient) -> Iterator[DoctorFinding]:
    """Every API that the stacks enable is enabled."""
    services = google.pages(
        "serviceusage", f"v1/projects/{target.project}/services", "services", {"filter": "state:ENABLED"}
    )
    on = {service["config"]["name"] for service in services}
    missing = [api for api in target.apis if api not in on]
    if missing:
        first = set(missing) & set(target.bootstrap_apis)
        mend = _bootstrap(target.env) if first else f"cdktf deploy '{target.env.name}-foundation'"
        yield failed("APIs", f"{len(missing)} off: {', '.join(missing)}", mend)
    else:
        yield passed("APIs", f"{len(target.apis)} on")


def agents(target: DoctorTarget, google: RestClient) -> Iterator[DoctorFinding]:
    """Service agents that are made on demand hold the roles that Google gives to those that come by themselves."""
    options = {"options": {"requestedPolicyVersion": 3}}
    policy = google.post("cloudresourcemanager", f"v3/projects/{target.project}:getIamPolicy", options, idempotent=True)
    bindings = policy.get("bindings", [])
    held = {(binding["role"], member) for binding in bindings for member in binding.get("members", [])}
    gone = sorted(member for _, member in held if member.startswith("deleted:serviceAccount:"))
    if gone:
        yield failed("grants", f"{len(gone)} to deleted accounts: {gone[0]}", f"cdktf deploy '{target.env.name}-*'")
    wanted = {names.agent(target.env, agent): role for agent, role in names.AGENT_ROLES.items()}
    lacking = [f"{role} of {member.partition(':')[2]}" for member, role in wanted.items() if (role, member) not in held]
    if lacking:
        yield failed("service agents", f"not granted: {', '.join(lacking)}", _bootstrap(target.env))
    else:
        yield passed("service agents", f"{len(wanted)} have their roles")


def roles(target: DoctorTarget, google: RestClient) -> Iterator[DoctorFinding]:
    """The custom roles are there and hold what the code says, and Google takes each permission in a custom role."""
    env, wanted = target.env, custom_roles(target.env)
    takes = _testable(target, google)
    unknown = sorted({permission for role in wanted.values() for permission in role} - takes)
    if unknown:
        yield failed(
            "permissions of roles",
            f"Google takes none of these in a custom role: {', '.join(unknown)}",
            "mend fonderie/core/google_iam/, and tell its maintainers",
        )
    different = []
    for who, permissions in wanted.items():
        try:
            role = google.get("iam", f"v1/{names.custom_role_path(env, who)}")
        except NotFoundError:
            different.append(f"{names.custom_role(env, who)} is not there")
            continue
        if role.get("deleted"):
            different.append(f"{names.custom_role(env, who)} is deleted")
        elif lacking := sorted(set(permissions) - set(role.get("includedPermissions", []))):
            different.append(f"{names.custom_role(env, who)} lacks {', '.join(lacking[:5])}")
    if different:
        yield failed("roles", "; ".join(different), _bootstrap(env))
    else:
        yield passed("roles", f"{len(wanted)} custom roles")


def _testable(target: DoctorTarget, google: RestClient) -> set[str]:
    """Every permission that the project takes in a custom role. Source: IAM, `permissions.queryTestablePermissions`."""
    body: dict[str, Any] = {
        "fullResourceName": f"//cloudresourcemanager.googleapis.com/projects/{target.project}",
        "pageSize": 1000,
    }
    found = set[str]()
    while True:
        page = google.post("iam", "v1/permissions:queryTestablePermissions", body, idempotent=True)
        found |= {
            each["name"]
            for each in page.get("permissions", [])
            if each.get("customRolesSupportLevel") != "NOT_SUPPORTED"
        }
        if not (token := page.get("nextPageToken")):
            return found
        body["pageToken"] = token


MOST_TESTED = 100  # permissions in one `testIamPermissions`


def identities(target: DoctorTarget, google: RestClient) -> Iterator[DoctorFinding]:
    """Who plans and who applies hold what their roles say, asked as they."""
    env, wanted = target.env, custom_roles(target.env)
    for who in (names.IdentityName.PLAN, names.IdentityName.APPLY):
        check, email = f"identity {who}", names.email(env, who)
        place = f"v1/projects/-/serviceAccounts/{email}:generateAccessToken"
        try:
            token = google.post("iamcredentials", place, {"scope": [f"{SCOPES}cloud-platform"], "lifetime": "300s"})
        except NotFoundError:
            yield failed(check, f"{email} is not there", _bootstrap(env))
            continue
        except FonderieError as error:
            mend = f"gcloud iam service-accounts add-iam-policy-binding {email} --member user:YOU"
            yield unread(check, error.what, f"{mend} --role roles/iam.serviceAccountTokenCreator")
            continue
        caller = target.impersonate(env, token["accessToken"])
        held = set[str]()
        for first in range(0, len(wanted[who]), MOST_TESTED):
            asked = {"permissions": wanted[who][first : first + MOST_TESTED]}
            place = f"v3/projects/{target.project}:testIamPermissions"
            held |= set(caller.post("cloudresourcemanager", place, asked, idempotent=True).get("permissions", []))
        if lacking := sorted(set(wanted[who]) - held):
            yield failed(check, f"lacks {len(lacking)}: {', '.join(lacking[:5])}", _bootstrap(env))
        else:
            yield passed(check, f"holds its {len(wanted[who])} permissions")
        if env.budget and who is names.IdentityName.PLAN:
            yield _sees_the_budget(env.budget.billing_account, email, caller)


def _sees_the_budget(account: str, email: str, caller: RestClient) -> DoctorFinding:
    """Who plans reads the budget, which lies on the billing account: a person grants that there."""
    asked = {"permissions": ["billing.budgets.get"]}
    place = f"v1/billingAccounts/{account}:testIamPermissions"
    if caller.post("cloudbilling", place, asked, idempotent=True).get("permissions"):
        return passed("budget", f"{names.IdentityName.PLAN} reads it")
    mend = f"gcloud billing accounts add-iam-policy-binding {account} --member serviceAccount:{email}"
    return failed("budget", f"{email} may not read it on {account}", f"{mend} --role roles/billing.viewer")


def organisation(target: DoctorTarget, google: RestClient) -> Iterator[DoctorFinding]:
    """No organisation policy forbids the region."""
    place = f"v2/projects/{target.project}/policies/gcp.resourceLocations:getEffectivePolicy"
    try:
        policy = google.get("orgpolicy", place)
    except NotFoundError:
        yield passed("organisation", "no restriction of places")
        return
    allowed = [
        value
        for rule in policy.get("spec", {}).get("rules", [])
        for value in rule.get("values", {}).get("allowedValues", [])
    ]
    fits = {target.env.region, f"in:{target.env.region}-locations", f"in:{target.env.region.split('-')[0]}-locations"}
    if allowed and not fits.intersection(allowed):
        yield failed(
            "organisation",
            f"{target.env.region} is not among the places allowed: {', '.join(allowed)}",
            "choose a region that is, or ask for an exception to gcp.resourceLocations",
        )
    else:
        yield passed("organisation", f"{target.env.region} is allowed")


def quotas(target: DoctorTarget, google: RestClient) -> Iterator[DoctorFinding]:
    """The region has room for the node pools at their largest: cores, and their disks."""
    if not target.env.features.cluster:
        return
    seen = google.get("compute", f"compute/v1/projects/{target.project}/regions/{target.env.region}")
    quota = {one["metric"]: one for one in seen.get("quotas", [])}
    pools = (target.env.cluster.system, target.env.cluster.pipelines)
    need = {
        "CPUS": sum(pool.max_nodes * _cores(pool.machine_type) for pool in pools),
        "SSD_TOTAL_GB": sum(pool.max_nodes * DISK_GB for pool in pools),
    }
    for metric, (unit, check) in {
        "CPUS": ("cores", "quotas"),
        "SSD_TOTAL_GB": ("GB of SSD", "quotas of disks"),
    }.items():
        free = quota.get(metric, {}).get("limit", 0) - quota.get(metric, {}).get("usage", 0)
        if free < need[metric]:
            service = "--service compute.googleapis.com"
            mend = f"gcloud alpha services quota update {service} --consumer projects/{target.project}"
            told = f"{free:.0f} {unit} are free in {target.env.region}, the pools may take {need[metric]}"
            yield failed(check, told, mend)
        else:
            yield passed(check, f"{free:.0f} {unit} are free, the pools may take {need[metric]}")


def _cores(machine_type: str) -> int:
    """Cores of a machine type by its name; shared-core types have two."""
    match = re.search(r"-(\d+)(?:-\d+)?$", machine_type)
    return int(match[1]) if match else 2


def state_bucket(target: DoctorTarget, google: RestClient) -> Iterator[DoctorFinding]:
    """The bucket of Terraform's state is there and keeps versions."""
    bucket = names.bucket(target.env, names.BucketName.STATE)
    mend = _bootstrap(target.env)
    try:
        seen = google.get("storage", f"storage/v1/b/{bucket}")
    except NotFoundError:
        yield failed("state bucket", f"gs://{bucket} is not there", mend)
        return
    if seen.get("versioning", {}).get("enabled"):
        yield passed("state bucket", f"gs://{bucket}, versioned")
    else:
        yield failed("state bucket", f"gs://{bucket} keeps no versions", mend)


def lock(target: DoctorTarget, google: RestClient) -> Iterator[DoctorFinding]:
    """No apply that died has left a state locked. Source: Terraform, "gcs" backend: the lock's id is its generation."""
    bucket = names.bucket(target.env, names.BucketName.STATE)
    try:
        objects = google.get("storage", f"storage/v1/b/{bucket}/o", {"matchGlob": "**.tflock"}).get("items", [])
    except NotFoundError:
        return  # `state_bucket` has said it
    for each in objects:
        stack = each["name"].partition("/")[0]
        mend = f"terraform -chdir=cdktf.out/stacks/{stack} force-unlock {each['generation']}, if nothing applies it now"
        yield failed(f"lock of {stack}", f"locked since {each.get('timeCreated')}", mend)
    if not objects:
        yield passed("lock", "no state is locked")


def secrets(target: DoctorTarget, google: RestClient) -> Iterator[DoctorFinding]:
    """Every secret that something reads has a value: a person put it in."""
    if not target.env.git.connected:
        return
    for which in names.SecretName:
        secret = names.secret(target.env, which)
        place = f"v1/projects/{target.project}/secrets/{secret}/versions"
        mend = f"gcloud secrets versions add {secret} --data-file=- --project {target.project}"
        try:
            versions = google.get("secretmanager", place, {"filter": "state:ENABLED", "pageSize": "1"})
        except NotFoundError:
            yield failed(f"secret {secret}", "is not there", f"cdktf deploy '{target.env.name}-data'")
            continue
        if versions.get("versions"):
            yield passed(f"secret {secret}", "has a value")
        else:
            yield failed(f"secret {secret}", "has no value", mend)


def _federation(target: DoctorTarget, google: RestClient) -> DoctorFinding:
    """Tokens of our repository's workflows are taken, and no others: by its number, for a name can be taken over."""
    git = target.env.git
    path = f"{names.identity_pool_path(target.env)}/providers/{names.identity_provider(target.env)}"
    mend = f"fonderie bootstrap --env {target.env.name}"
    try:
        seen = google.get("iam", f"v1/{path}")
    except NotFoundError:
        return failed("federation", f"{path} is not there", mend)
    if seen.get("state") == "DELETED":
        where = (
            f"--workload-identity-pool {names.identity_pool(target.env)} --location global --project {target.project}"
        )
        undelete = (
            f"gcloud iam workload-identity-pools providers undelete {names.identity_provider(target.env)} {where}"
        )
        return failed("federation", f"{path} is deleted", undelete)
    if seen.get("disabled"):
        return failed("federation", f"{path} is disabled", mend)
    for what, has, wanted in (
        ("attribute condition", seen.get("attributeCondition", ""), git.federation_condition),
        ("issuer", seen.get("oidc", {}).get("issuerUri", ""), TOKEN_ISSUER),
    ):
        if has != wanted:
            return failed("federation", f"the {what} is {has or 'empty'}, the settings say {wanted}", mend)
    missing = [key for key in ("repository_id", "owner_id") if getattr(git, key) is None]
    if missing:
        mend = f"gh api repos/{git.repository} --jq '.id, .owner.id', then [git] in infra/environments"
        return unread("federation", f"{git.repository} is trusted by its name: {', '.join(missing)} not set", mend)
    return passed("federation", f"{git.repository} is repository {git.repository_id}")


IMAGE = re.compile(
    r"(?P<region>[\w-]+)-docker\.pkg\.dev/(?P<project>[^/]+)/(?P<repository>[^/]+)/(?P<image>[^@]+)@(?P<digest>sha256:\w+)"
)


def images(target: DoctorTarget, google: RestClient) -> Iterator[DoctorFinding]:
    """The images and manifests that the settings name by digest are in the registry."""
    owner = target.env.registry_owner
    by_hand = "docs/getting-started.md, section 5: `sh ci/images/build.sh`"
    trigger = f"{owner.name}-images --region {owner.region} --project {owner.project_id}"
    build = f"gcloud builds triggers run {trigger}" if target.env.git.connected else by_hand
    artefacts = target.env.artefacts
    for use, key in (("pipelines", "images.pipelines"), ("serving", "images.serving")):
        if key in artefacts:
            yield _in_registry(google, f"image of {use}", artefacts[key], build)
        else:
            yield failed(f"image of {use}", "not set: schedules are paused", build)
    if target.env.features.config_sync:
        mend = f"fonderie manifests push --env {owner.name}"
        if manifests := target.env.kubeflow.manifests:
            yield _in_registry(google, "image of the manifests", manifests, mend)
        else:
            yield failed("image of the manifests", "not set: the cluster stays empty", mend)


def _in_registry(google: RestClient, check: str, reference: str, mend: str) -> DoctorFinding:
    match = IMAGE.fullmatch(reference)
    if match is None:
        return unread(check, f"{reference} is not in Artifact Registry")
    place = f"projects/{match['project']}/locations/{match['region']}/repositories/{match['repository']}"
    try:
        google.get("artifactregistry", f"v1/{place}/dockerImages/{match['image']}@{match['digest']}")
    except NotFoundError:
        return failed(check, f"{reference} is not in the registry", mend)
    return passed(check, match["digest"][:19])


def git(target: DoctorTarget, google: RestClient) -> Iterator[DoctorFinding]:
    """A person has authorised the Git host, once: no API can do it."""
    yield _federation(target, google)
    if not target.env.git.connected:
        yield passed("git connection", f"not wanted: the settings say git.ci = {target.env.git.ci}")
        return
    place = f"projects/{target.project}/locations/{target.env.region}/connections/{names.resource(target.env, 'git')}"
    try:
        seen = google.get("cloudbuild", f"v2/{place}").get("installationState", {})
    except NotFoundError:
        yield failed("git connection", f"{place} is not there", f"cdktf deploy '{target.env.name}-*'")
        return
    if seen.get("stage") == "COMPLETE":
        yield passed("git connection", "authorised")
    else:
        yield failed("git connection", str(seen.get("stage")), seen.get("actionUri") or seen.get("message", ""))


CHECKS: tuple[Check, ...] = (
    project,
    billing,
    apis,
    agents,
    roles,
    identities,
    organisation,
    quotas,
    state_bucket,
    lock,
    images,
    secrets,
    git,
)


def examine(target: DoctorTarget, google: RestClient | None, *, why_not: str = "") -> Iterator[DoctorFinding]:
    """Every check in turn. Without `google`, or where Google refuses one, it is unseen and the others go on."""
    for check in CHECKS:
        name = check.__name__.replace("_", " ")
        if google is None:
            yield unread(name, why_not, LOGIN)
            continue
        try:
            yield from check(target, google)
        except NotFoundError as error:
            mend = f"is project_id in infra/environments/{target.env.name}.toml right?"
            yield failed(name, f"{error.where} is not there", mend)
        except FonderieError as error:
            yield unread(name, error.what, "grant this identity a role that can read, such as roles/viewer")
