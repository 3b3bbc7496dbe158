"""Cloud Storage: buckets are folders, objects are files that follow their content, a locked retention policy stays.

Source: Cloud Storage's "Buckets" (names, deletion) and "Pub/Sub notifications" pages, and the recorded cases."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path as File
from typing import Any

from fonderie.sandbox.cloud.buckets import Blob
from fonderie.sandbox.lifecycle.interface import UNKNOWN, ApiError, Diagnostic, Path, State
from fonderie.sandbox.lifecycle.world import ObjectRequest, text
from fonderie.sandbox.planning.type_rules import Situation, TypeRules
from fonderie.sandbox.planning.validation import error
from fonderie.sandbox.rules import agents
from fonderie.sandbox.rules.rulebook import LifecycleEvent, rule

_BUCKETS = "https://cloud.google.com/storage/docs/buckets"
_NOTIFICATIONS = "https://cloud.google.com/storage/docs/pubsub-notifications"
_OBJECTS = "https://cloud.google.com/storage/docs/metadata"


@rule(LifecycleEvent.CREATED, "google_storage_bucket", source=_BUCKETS)
def a_bucket_is_a_folder(request: ObjectRequest) -> None:
    """A new bucket is an empty folder beside the cloud file."""
    request.world.buckets.make(text(request.state, "name"))


@rule(LifecycleEvent.DELETE, "google_storage_bucket", source="recorded: destroy of google_storage_bucket")
def a_bucket_with_objects_does_not_go(request: ObjectRequest) -> None:
    """Deleting a bucket that holds objects is refused after a listing, unless `force_destroy` is true in the state."""
    name = text(request.state, "name")
    objects = request.world.buckets.objects(name)
    if objects and request.state.get("force_destroy") is not True:
        raise ApiError.because(
            f"Error trying to delete bucket {name} containing objects without `force_destroy` set to true",
            f"It holds {len(objects)} objects, for example {objects[0]}.",
        )


@rule(LifecycleEvent.DELETED, "google_storage_bucket", source=_BUCKETS)
def the_folder_goes_with_its_bucket(request: ObjectRequest) -> None:
    """With a bucket go its objects."""
    request.world.buckets.remove(text(request.state, "name"))


@rule(LifecycleEvent.CREATED, "google_storage_bucket_object", source=_OBJECTS)
def an_object_is_a_file(request: ObjectRequest) -> None:
    """An object's content is written to its file; checksums and generation are computed from it."""
    _write(request)


@rule(LifecycleEvent.UPDATED, "google_storage_bucket_object", source=_OBJECTS)
def new_content_is_a_new_generation(request: ObjectRequest) -> None:
    """Other content makes another generation of the object."""
    _write(request)


@rule(LifecycleEvent.READ, "google_storage_bucket_object", source=_OBJECTS)
def content_is_seen_at_a_refresh(request: ObjectRequest) -> None:
    """A file that is gone is an object that is gone; one that differs has other checksums."""
    content = request.world.buckets.read(text(request.state, "bucket"), text(request.state, "name"))
    if content is None:
        request.thing = None
    elif request.thing is not None:
        sums = _sums(content)
        if sums["md5hash"] != request.thing.attributes.get("md5hash"):
            request.extra |= {**sums, "detect_md5hash": sums["md5hash"]}


@rule(LifecycleEvent.DELETED, "google_storage_bucket_object", source=_OBJECTS)
def the_file_goes_with_its_object(request: ObjectRequest) -> None:
    """Deleting an object removes its file."""
    request.world.buckets.delete(text(request.state, "bucket"), text(request.state, "name"))


@rule(LifecycleEvent.CREATE, "google_storage_notification", source=_NOTIFICATIONS)
def notifications_need_a_publisher(request: ObjectRequest) -> None:
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


def may_publish(request: ObjectRequest, topic: str, email: str) -> bool:
    """Whether an account may publish to a topic: by the topic's policy or the project's."""
    roles = ("roles/pubsub.publisher", "roles/pubsub.editor", "roles/pubsub.admin", "roles/editor", "roles/owner")
    for path in (topic, "/".join(topic.split("/")[:2])):
        for binding in request.cloud.policy(path)[1]["bindings"]:
            if binding["role"] in roles and f"serviceAccount:{email}" in binding["members"]:
                return True
    return False


def _write(request: ObjectRequest) -> None:
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
        return File(source).read_bytes()
    except OSError as error:
        raise ApiError.because(f"Error opening source {source}: {error.strerror}") from error


def _sums(content: bytes) -> dict[str, Any]:
    blob = Blob.of(content)
    return {"md5hash": blob.md5_base64, "md5hexhash": blob.md5.hex(), "crc32c": blob.crc32c_base64}


_FOLLOWS_CONTENT = ("crc32c", "generation", "md5hash")  # unknown in the recorded plan of a changed content


def content_md5(content: bytes) -> str:
    """The hash as Cloud Storage tells it: base64 of MD5."""
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()


def _wanted_md5(wanted: Any) -> str | None:
    """The hash of what an object is to hold; None when that is not known, or a file not there."""
    content, source = wanted.get("content"), wanted.get("source")
    if isinstance(content, str):
        return content_md5(content.encode())
    if isinstance(source, str) and File(source).is_file():
        return content_md5(File(source).read_bytes())
    return None


def _changes(prior: Any, wanted: Any) -> bool:
    if UNKNOWN in (wanted.get("content"), wanted.get("source")):
        return True
    if None not in (prior.get("content"), wanted.get("content")) and prior["content"] != wanted["content"]:
        return True
    new = _wanted_md5(wanted)
    return new is not None and prior.get("md5hash") not in (None, "", new)


def _object_wanted(prior: State | None, wanted: State, given: State) -> State:
    if prior is None or not _changes(prior, wanted):
        return wanted
    return {**wanted, **dict.fromkeys(_FOLLOWS_CONTENT, UNKNOWN)}


def _same_content(situation: Situation) -> bool:
    return bool(situation.prior) and not _changes(situation.prior, situation.wanted)


def _object_keeps(state: State) -> State:
    return {**state, "detect_md5hash": state.get("md5hash") or state.get("detect_md5hash")}


def _bucket_keeps(state: State) -> State:
    """A namespace that is flat is told as a block that says so; only buckets of several regions have a recovery point.

    Source: `null_then_set` and `filled` of the recorded creations.
    """
    namespace = state.get("hierarchical_namespace") or [{"enabled": False}]
    location = state.get("location")
    regional = isinstance(location, str) and "-" in location
    return {**state, "hierarchical_namespace": namespace, "rpo": state.get("rpo") or (None if regional else "DEFAULT")}


def _bucket_replaces(prior: State, planned: State) -> list[Path]:
    """A locked retention policy cannot be unlocked."""
    was = [one.get("is_locked") for one in prior.get("retention_policy") or []]
    will = [one.get("is_locked") for one in planned.get("retention_policy") or []]
    return [("retention_policy", 0, "is_locked")] if True in was and True not in will else []


def _check_notification(config: State) -> list[Diagnostic]:
    topic = config.get("topic")
    if isinstance(topic, str) and topic.startswith("//pubsub.googleapis.com/"):
        words = f"The topic must start with 'projects/' and not '//pubsub.googleapis.com/', got: {topic}"
        return [error("Invalid Topic Prefix", words, ("topic",))]
    return []


PLANS = {
    "google_storage_bucket": TypeRules(replaces=_bucket_replaces, keeps=_bucket_keeps),
    "google_storage_bucket_object": TypeRules(
        same={"detect_md5hash": _same_content}, adjust=_object_wanted, keeps=_object_keeps
    ),
    "google_storage_notification": TypeRules(check=_check_notification),
}
