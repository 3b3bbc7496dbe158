"""The checks, in the order in which they have to be mended. Each looks at one thing and never writes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ci.lifecycle.doctor.finding import Diagnosis, unseen, well, wrong
from fonderie.core.errors import FonderieError
from fonderie.google import NotFoundError, RestClient
from infra import names
from infra.settings import Environment
from infra.synthesised import Stack

LOGIN = "gcloud auth application-default login"


@dataclass(frozen=True)
class Patient:
    """An environment and what its synthesised stacks ask of the project."""

    env: Environment
    apis: tuple[str, ...]
    agents: tuple[str, ...]

    @property
    def project(self) -> str:
        """Its project's id."""
        return self.env.project_id


Check = Callable[[Patient, RestClient], Iterator[Diagnosis]]


def patient(env: Environment, stacks: Iterable[Stack]) -> Patient:
    """What the stacks need: APIs enabled, service agents that are granted something."""
    resources = [resource for stack in stacks for resource in stack.resources]
    apis = {str(one.values["service"]) for one in resources if one.type == "google_project_service"}
    members = {str(one.values.get("member", "")) for one in resources}
    agents = {member for member in members if re.match(r"serviceAccount:(service-|bq-)\d+@", member)}
    return Patient(env, tuple(sorted(apis)), tuple(sorted(agents)))


def project(who: Patient, google: RestClient) -> Iterator[Diagnosis]:
    """The project is there, active, and has the number that the settings say."""
    seen = google.get("cloudresourcemanager", f"v3/projects/{who.project}")
    number = seen["name"].rpartition("/")[2]
    if seen.get("state") != "ACTIVE":
        yield wrong("project", f"{who.project} is {seen.get('state')}", f"gcloud projects undelete {who.project}")
    elif number != str(who.env.project_number):
        file = f"infra/environments/{who.env.name}.toml"
        yield wrong("project", f"its number is {number}", f"set project_number = {number} in {file}")
    else:
        yield well("project", f"{who.project}, number {number}")


def billing(who: Patient, google: RestClient) -> Iterator[Diagnosis]:
    """The project is paid for."""
    seen = google.get("cloudbilling", f"v1/projects/{who.project}/billingInfo")
    if seen.get("billingEnabled"):
        yield well("billing", seen.get("billingAccountName", "enabled"))
    else:
        mend = f"gcloud billing projects link {who.project} --billing-account ACCOUNT"
        yield wrong("billing", "no billing account is linked", mend)


def apis(who: Patient, google: RestClient) -> Iterator[Diagnosis]:
    """Every API that the stacks enable is enabled; before the first deployment it is the bootstrap that does it."""
    services = google.pages(
        "serviceusage", f"v1/projects/{who.project}/services", "services", {"filter": "state:ENABLED"}
    )
    on = {service["config"]["name"] for service in services}
    missing = [api for api in who.apis if api not in on]
    if missing:
        yield wrong("APIs", f"{len(missing)} off: {', '.join(missing)}", f"fonderie bootstrap --env {who.env.name}")
    else:
        yield well("APIs", f"{len(who.apis)} on")


def agents(who: Patient, google: RestClient) -> Iterator[Diagnosis]:
    """Service agents that are granted something exist: a grant to one that does not is refused by Google."""
    policy = google.post("cloudresourcemanager", f"v3/projects/{who.project}:getIamPolicy", {}, idempotent=True)
    members = {member for binding in policy.get("bindings", []) for member in binding.get("members", [])}
    gone = sorted(member for member in members if member.startswith("deleted:serviceAccount:"))
    if gone:
        yield wrong("grants", f"{len(gone)} to deleted accounts: {gone[0]}", f"cdktf deploy '{who.env.name}-*'")
    absent = [agent.removeprefix("serviceAccount:") for agent in who.agents if agent not in members]
    if absent:
        yield unseen(
            "service agents",
            f"not in the project's policy, so they may not exist yet: {', '.join(absent)}",
            f"fonderie bootstrap --env {who.env.name}",
        )
    else:
        yield well("service agents", f"{len(who.agents)} known to the project")


def organisation(who: Patient, google: RestClient) -> Iterator[Diagnosis]:
    """No organisation policy forbids the region."""
    place = f"v2/projects/{who.project}/policies/gcp.resourceLocations:getEffectivePolicy"
    try:
        policy = google.get("orgpolicy", place)
    except NotFoundError:
        yield well("organisation", "no restriction of places")
        return
    allowed = [
        value
        for rule in policy.get("spec", {}).get("rules", [])
        for value in rule.get("values", {}).get("allowedValues", [])
    ]
    fits = {who.env.region, f"in:{who.env.region}-locations", f"in:{who.env.region.split('-')[0]}-locations"}
    if allowed and not fits.intersection(allowed):
        yield wrong(
            "organisation",
            f"{who.env.region} is not among the places allowed: {', '.join(allowed)}",
            "choose a region that is, or ask for an exception to gcp.resourceLocations",
        )
    else:
        yield well("organisation", f"{who.env.region} is allowed")


def quotas(who: Patient, google: RestClient) -> Iterator[Diagnosis]:
    """The region has room for the node pools at their largest."""
    if not who.env.features.cluster:
        return
    seen = google.get("compute", f"compute/v1/projects/{who.project}/regions/{who.env.region}")
    quota = {one["metric"]: one for one in seen.get("quotas", [])}
    pools = (who.env.cluster.system, who.env.cluster.pipelines)
    need = sum(pool.max_nodes * _cores(pool.machine_type) for pool in pools)
    free = quota.get("CPUS", {}).get("limit", 0) - quota.get("CPUS", {}).get("usage", 0)
    if free < need:
        mend = f"gcloud alpha services quota update --service compute.googleapis.com --consumer projects/{who.project}"
        yield wrong("quotas", f"{free:.0f} cores are free in {who.env.region}, the pools may take {need}", mend)
    else:
        yield well("quotas", f"{free:.0f} cores are free, the pools may take {need}")


def _cores(machine_type: str) -> int:
    """Cores of a machine type by its name; shared-core types have two."""
    match = re.search(r"-(\d+)(?:-\d+)?$", machine_type)
    return int(match[1]) if match else 2


def state_bucket(who: Patient, google: RestClient) -> Iterator[Diagnosis]:
    """The bucket of Terraform's state is there and keeps versions."""
    bucket = names.bucket(who.env, names.Bucket.STATE)
    mend = f"fonderie bootstrap --env {who.env.name}"
    try:
        seen = google.get("storage", f"storage/v1/b/{bucket}")
    except NotFoundError:
        yield wrong("state bucket", f"gs://{bucket} is not there", mend)
        return
    if seen.get("versioning", {}).get("enabled"):
        yield well("state bucket", f"gs://{bucket}, versioned")
    else:
        yield wrong("state bucket", f"gs://{bucket} keeps no versions", mend)


IMAGE = re.compile(
    r"(?P<region>[\w-]+)-docker\.pkg\.dev/(?P<project>[^/]+)/(?P<repository>[^/]+)/(?P<image>[^@]+)@(?P<digest>sha256:\w+)"
)


def images(who: Patient, google: RestClient) -> Iterator[Diagnosis]:
    """The images that the settings name by digest are in the registry."""
    for use, image in (("pipelines", who.env.images.pipelines), ("serving", who.env.images.serving)):
        match = IMAGE.fullmatch(str(image))
        if match is None:
            yield unseen(f"image of {use}", f"{image} is not in Artifact Registry")
            continue
        place = f"projects/{match['project']}/locations/{match['region']}/repositories/{match['repository']}"
        try:
            google.get("artifactregistry", f"v1/{place}/dockerImages/{match['image']}@{match['digest']}")
        except NotFoundError:
            trigger = names.resource(who.env, "images")
            mend = f"gcloud builds triggers run {trigger} --region {who.env.region} --project {who.project}"
            yield wrong(f"image of {use}", f"{image} is not in the registry", mend)
        else:
            yield well(f"image of {use}", match["digest"][:19])


def git(who: Patient, google: RestClient) -> Iterator[Diagnosis]:
    """A person has authorised the Git host, once: no API can do it."""
    if not who.env.git.connected:
        yield unseen("git connection", "the settings say git.connected = false: there are no triggers")
        return
    place = f"projects/{who.project}/locations/{who.env.region}/connections/{names.resource(who.env, 'git')}"
    try:
        seen = google.get("cloudbuild", f"v2/{place}").get("installationState", {})
    except NotFoundError:
        yield wrong("git connection", f"{place} is not there", f"cdktf deploy '{who.env.name}-*'")
        return
    if seen.get("stage") == "COMPLETE":
        yield well("git connection", "authorised")
    else:
        yield wrong("git connection", str(seen.get("stage")), seen.get("actionUri") or seen.get("message", ""))


CHECKS: tuple[Check, ...] = (project, billing, apis, agents, organisation, quotas, state_bucket, images, git)


def examine(who: Patient, google: RestClient | None, *, why_not: str = "") -> Iterator[Diagnosis]:
    """Every check in turn. Without `google`, or where Google refuses one, it is unseen and the others go on."""
    for check in CHECKS:
        name = check.__name__.replace("_", " ")
        if google is None:
            yield unseen(name, why_not, LOGIN)
            continue
        try:
            yield from check(who, google)
        except NotFoundError as error:
            mend = f"is project_id in infra/environments/{who.env.name}.toml right?"
            yield wrong(name, f"{error.where} is not there", mend)
        except FonderieError as error:
            yield unseen(name, error.what, "grant this identity a role that can read, such as roles/viewer")
