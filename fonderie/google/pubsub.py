"""A message on a Pub/Sub topic, over REST: one call needs no client library of its own."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import replace

from fonderie.core.errors import BadInputError
from fonderie.google import Access, PermissionDeniedError, RestClient


def publish(topic: str, data: bytes, attributes: Mapping[str, str]) -> str:
    """Publish on `projects/P/topics/T`; the message's id. PUBSUB_EMULATOR_HOST is respected, as by Google's clients.

    Raises BadInputError for a topic that is not one or not there, RefusedError without permission, StepFailedError
    otherwise.
    """
    if topic.split("/")[::2] != ["projects", "topics"]:
        raise BadInputError(f"invalid topic {topic!r}", hint="write projects/PROJECT/topics/NAME")
    host = os.environ.get("PUBSUB_EMULATOR_HOST")
    access = Access.from_environment(topic.split("/")[1], scope="pubsub")
    access = replace(access, endpoint=f"http://{host}") if host else access
    message = {"data": base64.b64encode(data).decode(), "attributes": dict(attributes)}
    try:
        answer = RestClient(access).post("pubsub", f"v1/{topic}:publish", {"messages": [message]})
    except PermissionDeniedError as error:
        hint = "the monitoring identity needs roles/pubsub.publisher"
        raise PermissionDeniedError(f"permission denied to publish: {error.what}", where=topic, hint=hint) from error
    return str(answer["messageIds"][0])
