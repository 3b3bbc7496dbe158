"""`fonderie doctor`: what stands between an environment's settings and a deployment, and the command that fixes it.

The checks stand in the order in which they have to be fixed. Each looks at one thing and never writes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from fonderie.core.errors import FonderieError
from fonderie.google import NotFoundError, RestClient
from infra import names
from infra.settings import Environment
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


@dataclass(frozen=True)
class DoctorTarget:
    """An environment and what its synthesised stacks ask of the project."""

    env: Environment
    apis: tuple[str, ...]
    agents: tuple[str, ...]

    @property
    def project(self) -> str:
        """Its project's id."""
        return self.env.project_id


Check = Callable[[DoctorTarget, RestClient], Iterator[DoctorFinding]]


def target_of(env: Environment, stacks: Iterable[SynthesisedStack]) -> DoctorTarget:
    """What the stacks need: APIs enabled, service agents that are granted something."""
    resources = [resource for stack in stacks for resource in stack.resources]
    apis = {str(one.values["service"]) for one in resources if one.type == "google_project_service"}
    members = {str(one.values.get("member", "")) for one in resources}
    agents = {member for member in members if re.match(r"serviceAccount:(service-|bq-)\d+@", member)}
    return DoctorTarget(env, tuple(sorted(apis)), tuple(sorted(agents)))


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
    """Every API that the stacks enable is enabled; before the first deployment it is the bootstrap that does it."""
    services = google.pages(
        "serviceusage", f"v1/projects/{target.project}/services", "services", {"filter": "state:ENABLED"}
    )
    on = {service["config"]["name"] for service in services}
    missing = [api for api in target.apis if api not in on]
    if missing:
        yield failed("APIs", f"{len(missing)} off: {', '.join(missing)}", f"fonderie bootstrap --env {target.env.name}")
    else:
        yield passed("APIs", f"{len(target.apis)} on")


def agents(target: DoctorTarget, google: RestClient) -> Iterator[DoctorFinding]:
    """Service agents that are granted something exist: a grant to one that does not is refused by Google."""
    policy = google.post("cloudresourcemanager", f"v3/projects/{target.project}:getIamPolicy", {}, idempotent=True)
    members = {member for binding in policy.get("bindings", []) for member in binding.get("members", [])}
    gone = sorted(member for member in members if member.startswith("deleted:serviceAccount:"))
    if gone:
        yield failed("grants", f"{len(gone)} to deleted accounts: {gone[0]}", f"cdktf deploy '{target.env.name}-*'")
    absent = [agent.removeprefix("serviceAccount:") for agent in target.agents if agent not in members]
    if absent:
        yield unread(
            "service agents",
            f"not in the project's policy, so they may not exist yet: {', '.join(absent)}",
            f"fonderie bootstrap --env {target.env.name}",
        )
    else:
        yield passed("service agents", f"{len(target.agents)} known to the project")


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
    """The region has room for the node pools at their largest."""
    if not target.env.features.cluster:
        return
    seen = google.get("compute", f"compute/v1/projects/{target.project}/regions/{target.env.region}")
    quota = {one["metric"]: one for one in seen.get("quotas", [])}
    pools = (target.env.cluster.system, target.env.cluster.pipelines)
    need = sum(pool.max_nodes * _cores(pool.machine_type) for pool in pools)
    free = quota.get("CPUS", {}).get("limit", 0) - quota.get("CPUS", {}).get("usage", 0)
    if free < need:
        mend = (
            f"gcloud alpha services quota update --service compute.googleapis.com --consumer projects/{target.project}"
        )
        yield failed("quotas", f"{free:.0f} cores are free in {target.env.region}, the pools may take {need}", mend)
    else:
        yield passed("quotas", f"{free:.0f} cores are free, the pools may take {need}")


def _cores(machine_type: str) -> int:
    """Cores of a machine type by its name; shared-core types have two."""
    match = re.search(r"-(\d+)(?:-\d+)?$", machine_type)
    return int(match[1]) if match else 2


def state_bucket(target: DoctorTarget, google: RestClient) -> Iterator[DoctorFinding]:
    """The bucket of Terraform's state is there and keeps versions."""
    bucket = names.bucket(target.env, names.BucketName.STATE)
    mend = f"fonderie bootstrap --env {target.env.name}"
    try:
        seen = google.get("storage", f"storage/v1/b/{bucket}")
    except NotFoundError:
        yield failed("state bucket", f"gs://{bucket} is not there", mend)
        return
    if seen.get("versioning", {}).get("enabled"):
        yield passed("state bucket", f"gs://{bucket}, versioned")
    else:
        yield failed("state bucket", f"gs://{bucket} keeps no versions", mend)


IMAGE = re.compile(
    r"(?P<region>[\w-]+)-docker\.pkg\.dev/(?P<project>[^/]+)/(?P<repository>[^/]+)/(?P<image>[^@]+)@(?P<digest>sha256:\w+)"
)


def images(target: DoctorTarget, google: RestClient) -> Iterator[DoctorFinding]:
    """The images that the settings name by digest are in the registry."""
    owner = target.env.registry_owner
    trigger = f"{owner.name}-images --region {owner.region} --project {owner.project_id}"
    for use, image in (("pipelines", target.env.images.pipelines), ("serving", target.env.images.serving)):
        if image is None:
            yield failed(f"image of {use}", "not set: schedules are paused", f"gcloud builds triggers run {trigger}")
            continue
        match = IMAGE.fullmatch(str(image))
        if match is None:
            yield unread(f"image of {use}", f"{image} is not in Artifact Registry")
            continue
        place = f"projects/{match['project']}/locations/{match['region']}/repositories/{match['repository']}"
        try:
            google.get("artifactregistry", f"v1/{place}/dockerImages/{match['image']}@{match['digest']}")
        except NotFoundError:
            yield failed(f"image of {use}", f"{image} is not in the registry", f"gcloud builds triggers run {trigger}")
        else:
            yield passed(f"image of {use}", match["digest"][:19])


def git(target: DoctorTarget, google: RestClient) -> Iterator[DoctorFinding]:
    """A person has authorised the Git host, once: no API can do it."""
    if not target.env.git.connected:
        yield unread("git connection", "the settings say git.connected = false: there are no triggers")
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


CHECKS: tuple[Check, ...] = (project, billing, apis, agents, organisation, quotas, state_bucket, images, git)


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
