"""Service agents: Google's own accounts in a project. Some exist once their API is on, some only after its first use.

Source: Google's "service agents" reference, and Cloud Foundation Fabric's data file of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from fonderie.sandbox.lifecycle.resource_paths import api_of, iam_parent
from fonderie.sandbox.lifecycle.world import ObjectRequest
from fonderie.sandbox.rules.rulebook import LifecycleEvent, rule

_SOURCE = "https://cloud.google.com/iam/docs/service-agents"


@dataclass(frozen=True)
class ServiceAgent:
    """An agent of a service; `{}` in its domain pattern is the project's number."""

    service: str
    pattern: str
    on_demand: bool = False
    first_used_by: tuple[str, ...] = ()  # types that bring it; none: any of the service's
    # Granted in the project by Google when the agent comes with its API; to one that is asked for by nobody.
    role: str = ""


def _usual(
    service: str,
    *,
    on_demand: bool = False,
    name: str = "",
    first_used_by: tuple[str, ...] = (),
    role: str = "",
) -> ServiceAgent:
    pattern = f"service-{{}}@gcp-sa-{name or service}.iam.gserviceaccount.com"
    return ServiceAgent(
        f"{service}.googleapis.com", pattern, on_demand, first_used_by, role or f"roles/{service}.serviceAgent"
    )


AGENTS = (
    _usual("aiplatform"),
    _usual("aiplatform", name="aiplatform-cc", on_demand=True, first_used_by=("google_vertex_ai_schedule",),
           role="roles/aiplatform.customCodeServiceAgent"),
    _usual("artifactregistry", on_demand=True),
    ServiceAgent("bigquery.googleapis.com", "bq-{}@bigquery-encryption.iam.gserviceaccount.com", on_demand=True),
    _usual("cloudbuild", on_demand=True),
    _usual("cloudscheduler"),
    ServiceAgent("compute.googleapis.com", "service-{}@compute-system.iam.gserviceaccount.com",
                 role="roles/compute.serviceAgent"),
    ServiceAgent("compute.googleapis.com", "{}-compute@developer.gserviceaccount.com"),
    ServiceAgent("container.googleapis.com", "service-{}@container-engine-robot.iam.gserviceaccount.com",
                 role="roles/container.serviceAgent"),
    _usual("eventarc", on_demand=True),
    _usual("gkehub", on_demand=True),
    _usual("anthosconfigmanagement"),
    _usual(
        "monitoring",
        name="monitoring-notification",
        on_demand=True,
        first_used_by=("google_monitoring_notification_channel",),
        role="roles/monitoring.notificationServiceAgent",
    ),
    _usual("pubsub", on_demand=True),
    ServiceAgent("run.googleapis.com", "service-{}@serverless-robot-prod.iam.gserviceaccount.com",
                 role="roles/run.serviceAgent"),
    _usual("secretmanager", on_demand=True),
    _usual("sqladmin", name="cloud-sql", on_demand=True, role="roles/cloudsql.serviceAgent"),
    ServiceAgent("storage.googleapis.com", "service-{}@gs-project-accounts.iam.gserviceaccount.com", on_demand=True),
    _usual("workflows", on_demand=True),
    ServiceAgent("logging.googleapis.com", "service-{}@gcp-sa-logging.iam.gserviceaccount.com", on_demand=True,
          first_used_by=("google_logging_project_sink",)),
)  # fmt: skip


def email(service: str, number: int) -> str:
    """E-mail of the (first) agent of a service in the project of that number."""
    return next(one for one in AGENTS if one.service == service).pattern.format(number)


def email_or_none(service: str, number: int) -> str | None:
    """The same; None for a service that has none here."""
    found = next((one for one in AGENTS if one.service == service), None)
    return found.pattern.format(number) if found else None


@rule(LifecycleEvent.CREATED, "google_project_service", source=_SOURCE)
def enabling_an_api_brings_its_agent(request: ObjectRequest) -> None:
    """Enabling an API makes the service agents that are not made on demand, with their role in the project."""
    service = request.state.get("service")
    for agent in AGENTS:
        if agent.service == service and not agent.on_demand:
            request.make_agent(agent.pattern.format(request.number), agent.role)
    request.make_agent(f"{request.number}@cloudservices.gserviceaccount.com")


@rule(LifecycleEvent.CREATED, "*", source=_SOURCE)
def first_use_brings_its_agent(request: ObjectRequest) -> None:
    """An agent that is made on demand exists after the first use of its service; one asked for before has no role."""
    if request.type == "google_project_service" or iam_parent(request.type) or not request.project:
        return
    service = api_of(request.type)[0]
    for agent in AGENTS:
        if agent.service == service and agent.on_demand and request.type in (agent.first_used_by or (request.type,)):
            request.make_agent(agent.pattern.format(request.number), agent.role)


@rule(LifecycleEvent.CREATED, "google_bigquery_connection", "google_sql_database_instance", source=_SOURCE)
def an_object_may_have_an_agent_of_its_own(request: ObjectRequest) -> None:
    """A BigQuery connection and a Cloud SQL instance act as an account that comes with them."""
    own = request.state.get("service_account_email_address")
    for block in request.state.get("cloud_resource") or []:
        own = block.get("service_account_id")
    if isinstance(own, str) and own:
        request.make_agent(own)
