"""Eventarc: a trigger works through the service's agent, which needs its role."""

from __future__ import annotations

from fonderie.sandbox.iam.caller import Caller
from fonderie.sandbox.lifecycle.world import ObjectRequest
from fonderie.sandbox.rules import agents
from fonderie.sandbox.rules.rulebook import LifecycleEvent, rule

_ROLE = "roles/eventarc.serviceAgent"


@rule(
    LifecycleEvent.CREATE,
    "google_eventarc_trigger",
    source="https://github.com/terraform-google-modules/terraform-docs-samples/pull/203",
)
def a_trigger_needs_the_agent_s_role(request: ObjectRequest) -> None:
    """A trigger is refused while Eventarc's agent has not its role: one that was asked for never gets it by itself."""
    email = agents.email("eventarc.googleapis.com", request.number)
    if not request.fresh or not request.cloud.has_agent(email):
        return  # the trigger is the first use: it brings the agent, with its role
    if _ROLE not in request.world.access.roles_of(Caller(f"serviceAccount:{email}"), f"projects/{request.project}"):
        raise request.error(
            400,
            'Invalid resource state for "": Permission denied while using the Eventarc Service Agent. If you recently '
            "started to use Eventarc, it may take a few minutes before all necessary permissions are propagated to the "
            "Service Agent. Otherwise, verify that it has Eventarc Service Agent role.",
            "failedPrecondition",
        )
