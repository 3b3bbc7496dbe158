"""Pub/Sub: what is published waits for each subscription; a trigger of Eventarc starts its workflow with it.

Source: Pub/Sub's REST reference; Eventarc's "Receive Pub/Sub events" (what a workflow is started with).
"""

from __future__ import annotations

import json
from typing import Any

from fonderie.sandbox.cloud.documents import Document, Documents
from fonderie.sandbox.iam.caller import Caller
from fonderie.sandbox.lifecycle.world import World
from fonderie.sandbox.rest.discovery import Call, RejectedError
from fonderie.sandbox.rest.workflows import Workflows

_TOPIC, _SUBSCRIPTION = "google_pubsub_topic", "google_pubsub_subscription"


class Messages:
    """Messages that wait, by subscription."""

    def __init__(self, world: World, access: Any, workflows: Workflows) -> None:
        self._world, self._access, self._workflows = world, access, workflows

    def handle(self, call: Call) -> Document:
        """Answer one call."""
        with self._world.cloud.transaction():
            match call.method:
                case "pubsub.projects.topics.publish":
                    return self._publish(self._there(_TOPIC, call.path["topic"]), call.body.get("messages", []))
                case "pubsub.projects.subscriptions.pull":
                    limit = int(call.body.get("maxMessages", 1))
                    return self._pull(self._there(_SUBSCRIPTION, call.path["subscription"]), limit)
                case "pubsub.projects.subscriptions.acknowledge":
                    waiting = self._waiting(self._there(_SUBSCRIPTION, call.path["subscription"]))
                    for identifier in call.body.get("ackIds", []):
                        waiting.pop(identifier, None)
                    return {}
                case "pubsub.projects.subscriptions.modifyAckDeadline":
                    waiting = self._waiting(self._there(_SUBSCRIPTION, call.path["subscription"]))
                    for identifier in call.body.get("ackIds", []):
                        if identifier in waiting:
                            until = self._now() + float(call.body.get("ackDeadlineSeconds", 0))
                            waiting[identifier] = {**waiting[identifier], "until": until}
                    return {}
        raise RejectedError(501, "UNIMPLEMENTED", f"the sandbox has no {call.method}")

    def _there(self, type: str, name: str) -> str:
        path = self._world.names.canonical(name)
        if self._world.cloud.live(type, path) is None:
            raise RejectedError(404, "NOT_FOUND", f"Resource not found (resource={name.rsplit('/', 1)[-1]}).")
        return path

    def _waiting(self, subscription: str) -> Documents:
        return Documents(self._world.cloud, f"message of {subscription}")

    def _now(self) -> float:
        return self._world.clock.now().timestamp()

    def _publish(self, topic: str, messages: list[Document]) -> Document:
        if not messages:
            raise RejectedError(400, "INVALID_ARGUMENT", "The value for message_count is too small.")
        identifiers = []
        for message in messages:
            if not message.get("data") and not message.get("attributes"):
                raise RejectedError(400, "INVALID_ARGUMENT", "One or more messages in the publish request is empty.")
            identifier = str(self._world.cloud.count("messages"))
            told = {**message, "messageId": identifier, "publishTime": self._world.clock.timestamp()}
            identifiers.append(identifier)
            for subscription in self._world.cloud.things(_SUBSCRIPTION):
                if self._world.names.canonical(str(subscription.attributes.get("topic"))) == topic:
                    self._waiting(subscription.path)[identifier] = {"message": told, "until": 0.0}
            self._trigger(topic, told)
        return {"messageIds": identifiers}

    def _trigger(self, topic: str, message: Document) -> None:
        for trigger in self._world.cloud.things("google_eventarc_trigger"):
            transport = (trigger.attributes.get("transport") or [{}])[0].get("pubsub") or [{}]
            workflow = (trigger.attributes.get("destination") or [{}])[0].get("workflow")
            if not workflow or self._world.names.canonical(str(transport[0].get("topic"))) != topic:
                continue
            caller = Caller(f"serviceAccount:{str(trigger.attributes.get('service_account')).rsplit('/', 1)[-1]}")
            path = self._world.names.canonical(workflow)
            if self._access is None or self._access.allows(caller, "workflows.executions.create", path):
                event = {"message": message, "subscription": f"{trigger.path}-subscription"}
                self._workflows.start(path, json.dumps({"data": event}))

    def _pull(self, subscription: str, limit: int) -> Document:
        waiting, now = self._waiting(subscription), self._now()
        thing = self._world.cloud.live(_SUBSCRIPTION, subscription)
        deadline_s = float((thing.attributes.get("ack_deadline_seconds") if thing else None) or 10)
        received: list[Document] = []
        for identifier, held in list(waiting.items()):
            if held["until"] <= now and len(received) < limit:
                waiting[identifier] = {**held, "until": now + deadline_s}
                received.append({"ackId": identifier, "message": held["message"]})
        return {"receivedMessages": received} if received else {}
