"""Buckets are folders, objects are files; a bucket with objects does not go.

Source: Cloud Storage's "Buckets" (names, deletion) and "Pub/Sub notifications" pages, and the recorded cases.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fonderie.sandbox.cloud.buckets import Blob
from fonderie.sandbox.lifecycle.interface import UNKNOWN, ApiError
from fonderie.sandbox.lifecycle.world import Request, text
from fonderie.sandbox.rules import agents
from fonderie.sandbox.rules.rulebook import Event, rule

_BUCKETS = "https://cloud.google.com/storage/docs/buckets"
_NOTIFICATIONS = "https://cloud.google.com/storage/docs/pubsub-notifications"
_OBJECTS = "https://cloud.google.com/storage/docs/metadata"


@rule(Event.CREATED, "google_storage_bucket", source=_BUCKETS)
def a_bucket_is_a_folder(request: Request) -> None:
    """A new bucket is an empty folder beside the cloud file."""
    request.world.buckets.make(text(request.state, "name"))


@rule(Event.DELETE, "google_storage_bucket", source="recorded: destroy of google_storage_bucket")
def a_bucket_with_objects_does_not_go(request: Request) -> None:
    """Deleting a bucket that holds objects is refused after a listing, unless `force_destroy` is true in the state."""
    name = text(request.state, "name")
    objects = request.world.buckets.objects(name)
    if objects and request.state.get("force_destroy") is not True:
        raise ApiError.because(
            f"Error trying to delete bucket {name} containing objects without `force_destroy` set to true",
            f"It holds {len(objects)} objects, for example {objects[0]}.",
        )


@rule(Event.DELETED, "google_storage_bucket", source=_BUCKETS)
def the_folder_goes_with_its_bucket(request: Request) -> None:
    """With a bucket go its objects."""
    request.world.buckets.remove(text(request.state, "name"))


@rule(Event.CREATED, "google_storage_bucket_object", source=_OBJECTS)
def an_object_is_a_file(request: Request) -> None:
    """An object's content is written to its file; checksums and generation are computed from it."""
    _write(request)


@rule(Event.UPDATED, "google_storage_bucket_object", source=_OBJECTS)
def new_content_is_a_new_generation(request: Request) -> None:
    """Other content makes another generation of the object."""
    _write(request)


@rule(Event.READ, "google_storage_bucket_object", source=_OBJECTS)
def content_is_seen_at_a_refresh(request: Request) -> None:
    """A file that is gone is an object that is gone; one that differs has other checksums."""
    content = request.world.buckets.read(text(request.state, "bucket"), text(request.state, "name"))
    if content is None:
        request.thing = None
    elif request.thing is not None:
        sums = _sums(content)
        if sums["md5hash"] != request.thing.attributes.get("md5hash"):
            request.extra |= {**sums, "detect_md5hash": sums["md5hash"]}


@rule(Event.DELETED, "google_storage_bucket_object", source=_OBJECTS)
def the_file_goes_with_its_object(request: Request) -> None:
    """Deleting an object removes its file."""
    request.world.buckets.delete(text(request.state, "bucket"), text(request.state, "name"))


@rule(Event.CREATE, "google_storage_notification", source=_NOTIFICATIONS)
def notifications_need_a_publisher(request: Request) -> None:
    """The agent of Cloud Storage must be a publisher on the topic before a notification to it is made."""
    topic = request.world.names.refer("google_pubsub_topic", text(request.state, "topic"), request.values)
    if not request.fresh:
        return
    email = agents.email("storage.googleapis.com", request.number)
    if not may_publish(request, topic, email):
        raise request.error(
            400,
            f"The service account '{email}' does not have permission to publish messages to the Cloud Pub/Sub topic "
            f"'//pubsub.googleapis.com/{topic}', or that topic does not exist.",
            "invalid",
        )


def may_publish(request: Request, topic: str, email: str) -> bool:
    """Whether an account may publish to a topic: by the topic's policy or the project's."""
    roles = ("roles/pubsub.publisher", "roles/pubsub.editor", "roles/pubsub.admin", "roles/editor", "roles/owner")
    for path in (topic, "/".join(topic.split("/")[:2])):
        for binding in request.cloud.policy(path)[1]["bindings"]:
            if binding["role"] in roles and f"serviceAccount:{email}" in binding["members"]:
                return True
    return False


def _write(request: Request) -> None:
    state = request.state
    content = _content(state)
    if content is None:
        return
    bucket, name = text(state, "bucket"), text(state, "name")
    before = request.world.buckets.read(bucket, name) if request.prior else None
    request.world.buckets.write(bucket, name, content)
    sums = _sums(content)
    if content != before:
        generation = int(request.world.clock.now().timestamp() * 1_000_000)
        link = f"https://storage.googleapis.com/download/storage/v1/b/{bucket}/o/{name.replace('/', '%2F')}"
        sums |= {"generation": generation, "media_link": f"{link}?generation={generation}&alt=media"}
        state.update(sums)
        request.cloud.change(request.type, request.path, state)


def _content(state: dict[str, Any]) -> bytes | None:
    if isinstance(state.get("content"), str) and state["content"] is not UNKNOWN and not state.get("source"):
        return str(state["content"]).encode()
    source = text(state, "source")
    if not source:
        return b"" if "content" in state else None
    try:
        return Path(source).read_bytes()
    except OSError as error:
        raise ApiError.because(f"Error opening source {source}: {error.strerror}") from error


def _sums(content: bytes) -> dict[str, Any]:
    blob = Blob.of(content)
    return {"md5hash": blob.md5_base64, "md5hexhash": blob.md5.hex(), "crc32c": blob.crc32c_base64}
