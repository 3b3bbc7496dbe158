"""Cloud Scheduler: jobs that Terraform made, paused, resumed, and run when they are asked to.

A run makes the job's own call: an API of Google's is called at this very server, as the account of the job's token.

Source: Cloud Scheduler's REST reference; "Use authentication with HTTP targets".
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from fonderie.sandbox.cloud.cloud import CloudObject
from fonderie.sandbox.cloud.documents import Document, Documents
from fonderie.sandbox.iam.caller import Caller
from fonderie.sandbox.iam.tokens import Tokens
from fonderie.sandbox.lifecycle.world import World
from fonderie.sandbox.rest.discovery import Call, RejectedError
from fonderie.sandbox.rest.http import HttpRequest, Reply

_TYPE = "google_cloud_scheduler_job"
_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 409: 6, 412: 9, 429: 8, 501: 12, 503: 14}
_PAGE = 100


class Scheduler:
    """Jobs, and what their last runs came to."""

    def __init__(self, world: World, tokens: Tokens, send: Callable[[HttpRequest], Reply]) -> None:
        self._world, self._tokens, self._send = world, tokens, send
        self._attempts = Documents(world.cloud, "scheduler attempt")

    def handle(self, call: Call) -> Document:
        """Answer one call."""
        match call.method.removeprefix("cloudscheduler.projects.locations.jobs."):
            case "get":
                return self._shown(self._job(call))
            case "list":
                return self._list(call)
            case "pause" | "resume" as verb:
                job = self._job(call)
                paused = {"paused": verb == "pause", "state": "PAUSED" if verb == "pause" else "ENABLED"}
                self._world.cloud.change(_TYPE, job.path, {**job.attributes, **paused})
                return self._shown(self._job(call))
            case "run":
                return self._run(self._job(call))
        raise RejectedError(501, "UNIMPLEMENTED", f"the sandbox has no {call.method}")

    def _job(self, call: Call) -> CloudObject:
        job = self._world.cloud.live(_TYPE, self._world.names.canonical(call.path["name"]))
        if job is None:
            raise RejectedError(404, "NOT_FOUND", "Job not found.")
        return job

    def _list(self, call: Call) -> Document:
        jobs = self._world.cloud.things(_TYPE, under=f"{self._world.names.canonical(call.path['parent'])}/jobs")
        start, size = int(call.query.get("pageToken") or 0), int(call.query.get("pageSize") or _PAGE)
        more = {"nextPageToken": str(start + size)} if start + size < len(jobs) else {}
        return {"jobs": [self._shown(job) for job in jobs[start : start + size]], **more}

    def _shown(self, job: CloudObject) -> Document:
        attributes = job.attributes
        shown: Document = {"name": job.path, "state": "PAUSED" if attributes.get("paused") else "ENABLED"}
        names = {"description": "description", "schedule": "schedule", "timeZone": "time_zone"}
        shown |= {name: attributes[key] for name, key in names.items() if attributes.get(key)}
        if attributes.get("attempt_deadline"):
            shown["attemptDeadline"] = attributes["attempt_deadline"]
        if target := (attributes.get("http_target") or [None])[0]:
            shown["httpTarget"] = _target(target)
        if target := (attributes.get("pubsub_target") or [None])[0]:
            shown["pubsubTarget"] = {"topicName": target["topic_name"]}
        return {**shown, **self._attempts.get(job.path, {})}

    def _run(self, job: CloudObject) -> Document:
        """The call that the job makes, now; how it went is in the job's status."""
        status: Document = {}
        request = self._request(job)
        if request is None:
            status = {"code": 12, "message": "the sandbox calls Google's APIs only"}
        elif (reply := self._send(request)).status >= 400:
            status = {"code": _CODES.get(reply.status, 2)}
        attempt = {"lastAttemptTime": self._world.clock.timestamp(), "status": status}
        self._attempts[job.path] = attempt
        return self._shown(job)

    def _request(self, job: CloudObject) -> HttpRequest | None:
        target: Mapping[str, Any] | None = (job.attributes.get("http_target") or [None])[0]
        if target is None:
            return self._publish(job)
        parts = urlsplit(str(target["uri"]))
        if not str(parts.hostname).endswith(".googleapis.com"):
            return None
        headers = {name.lower(): value for name, value in (target.get("headers") or {}).items()}
        headers["host"] = str(parts.hostname)
        if token := (target.get("oauth_token") or [None])[0]:
            caller = Caller(f"serviceAccount:{token['service_account_email']}")
            headers["authorization"] = f"Bearer {self._tokens.issue(caller)}"
        body = base64.b64decode(target.get("body") or "")
        return HttpRequest(str(target.get("http_method") or "POST"), parts.path, parts.query, headers, body)

    def _publish(self, job: CloudObject) -> HttpRequest | None:
        """A job with a topic publishes as the agent of Cloud Scheduler."""
        target = (job.attributes.get("pubsub_target") or [None])[0]
        if target is None:
            return None
        number = self._world.cloud.number_of(job.project)
        agent = Caller(f"serviceAccount:service-{number}@gcp-sa-cloudscheduler.iam.gserviceaccount.com")
        message = {"data": target.get("data") or "", "attributes": target.get("attributes") or {}}
        body = Reply.of({"messages": [message]}).content
        headers = {"host": "pubsub.googleapis.com", "authorization": f"Bearer {self._tokens.issue(agent)}"}
        return HttpRequest("POST", f"/v1/{target['topic_name']}:publish", "", headers, body)


def _target(target: Mapping[str, Any]) -> Document:
    shown: Document = {"uri": target["uri"], "httpMethod": target.get("http_method") or "POST"}
    if target.get("headers"):
        shown["headers"] = target["headers"]
    if target.get("body"):
        shown["body"] = target["body"]
    if token := (target.get("oauth_token") or [None])[0]:
        shown["oauthToken"] = {"serviceAccountEmail": token["service_account_email"]}
    return shown
