"""Secrets with rotation tell a topic, and count their versions.

Source: Secret Manager's "Create rotation schedules" and "Secret version states" pages.
"""

from __future__ import annotations

from fonderie.sandbox.lifecycle.world import ObjectRequest
from fonderie.sandbox.rules import agents
from fonderie.sandbox.rules.rulebook import LifecycleEvent, rule
from fonderie.sandbox.rules.storage import may_publish

_ROTATION = "https://cloud.google.com/secret-manager/docs/secret-rotation"


@rule(LifecycleEvent.CREATE, "google_secret_manager_secret", source=_ROTATION)
def rotation_needs_a_topic_it_may_publish_to(request: ObjectRequest) -> None:
    """A secret's topics need the agent of Secret Manager as a publisher."""
    if not request.fresh:
        return
    email = agents.email("secretmanager.googleapis.com", request.number)
    for topic in request.state.get("topics") or []:
        path = request.world.names.refer("google_pubsub_topic", str(topic.get("name")), request.values)
        if not may_publish(request, path, email):
            raise request.error(
                403,
                f"The Secret Manager service identity {email} does not have permission to publish to {path}.",
                "forbidden",
            )


@rule(LifecycleEvent.CREATE, "google_secret_manager_secret", source=_ROTATION)
def rotation_wants_topics(request: ObjectRequest) -> None:
    """A rotation without topics is refused."""
    if request.state.get("rotation") and not request.state.get("topics"):
        raise request.error(400, "Secret must have at least one topic to have a rotation.", "badRequest")


@rule(
    LifecycleEvent.DELETED,
    "google_secret_manager_secret",
    source="https://cloud.google.com/secret-manager/docs/delete-secret",
)
def a_new_secret_counts_anew(request: ObjectRequest) -> None:
    """Version numbers never repeat within a secret; one that is made again begins with 1."""
    request.cloud.set_note(f"count:versions of {request.path}", None)
