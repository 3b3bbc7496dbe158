"""Workflows: executions that were asked for are kept, not run.

Source: the REST reference of Workflow Executions.
"""

from __future__ import annotations

import uuid

from fonderie.sandbox.cloud.documents import Document, Documents
from fonderie.sandbox.lifecycle.world import World
from fonderie.sandbox.rest.discovery import Call, RejectedError


class Workflows:
    """Executions by name, the newest first."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._executions = Documents(world.cloud, "workflow execution")

    def handle(self, call: Call) -> Document:
        """Answer one call."""
        match call.method.rpartition("executions.")[2]:
            case "create":
                return self.start(self._world.names.canonical(call.path["parent"]), call.body.get("argument", ""))
            case "get":
                name = self._world.names.canonical(call.path["name"])
                if name not in self._executions:
                    raise RejectedError(404, "NOT_FOUND", f"Execution not found: {name}")
                execution: Document = self._executions[name]
                return execution
            case "list":
                parent = self._world.names.canonical(call.path["parent"])
                return {"executions": [each for _, each in reversed(self._executions.under(f"{parent}/executions/"))]}
        raise RejectedError(501, "UNIMPLEMENTED", f"the sandbox has no {call.method}")

    def start(self, workflow: str, argument: str) -> Document:
        """An execution that is at work. Raises RejectedError for a workflow that is not there."""
        thing = self._world.cloud.live("google_workflows_workflow", workflow)
        if thing is None:
            raise RejectedError(404, "NOT_FOUND", f"Workflow not found: {workflow}")
        name = f"{workflow}/executions/{uuid.uuid4()}"
        execution = {"name": name, "startTime": self._world.clock.timestamp(), "state": "ACTIVE", "argument": argument}
        if thing.attributes.get("revision_id"):
            execution["workflowRevisionId"] = thing.attributes["revision_id"]
        self._executions[name] = execution
        return execution
