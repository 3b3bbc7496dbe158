"""A message on a Pub/Sub topic, over REST: one call needs no client library of its own."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from typing import Any

from fonderie.core.errors import BadInputError, RefusedError, StepFailedError
from fonderie.google import words

SCOPE = "https://www.googleapis.com/auth/pubsub"
TIMEOUT_S = 30


def publish(topic: str, data: bytes, attributes: Mapping[str, str]) -> str:
    """Publish on `projects/P/topics/T`; the message's id. PUBSUB_EMULATOR_HOST is respected, as by Google's clients.

    Raises BadInputError for a topic that is not one, RefusedError without permission, StepFailedError otherwise.
    """
    import httpx

    if topic.split("/")[::2] != ["projects", "topics"]:
        raise BadInputError(f"invalid topic {topic!r}", hint="write projects/PROJECT/topics/NAME")
    host = os.environ.get("PUBSUB_EMULATOR_HOST")
    headers = {} if host else {"Authorization": f"Bearer {_token()}"}
    url = f"{f'http://{host}' if host else 'https://pubsub.googleapis.com'}/v1/{topic}:publish"
    message: dict[str, Any] = {"data": base64.b64encode(data).decode(), "attributes": dict(attributes)}
    try:
        answer = httpx.post(url, json={"messages": [message]}, headers=headers, timeout=TIMEOUT_S)
    except httpx.HTTPError as error:
        raise StepFailedError(f"Pub/Sub could not be reached: {error}", where=topic, hint="run it again") from error
    if answer.status_code in (401, 403):
        raise RefusedError(
            "permission denied to publish", where=topic, hint="the monitoring identity needs roles/pubsub.publisher"
        )
    if answer.status_code != 200:
        raise StepFailedError(f"Pub/Sub answered {answer.status_code}: {answer.text[:200]}", where=topic)
    return str(answer.json()["messageIds"][0])


def _token() -> str:
    with words("Pub/Sub"):
        import google.auth
        from google.auth.transport.requests import Request

        credentials, _ = google.auth.default(scopes=[SCOPE])
        credentials.refresh(Request())
        return str(credentials.token)
