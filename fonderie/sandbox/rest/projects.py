"""Projects and what surrounds them: Resource Manager, Service Usage, billing, organisation policies, regions.

Source: the REST references of these APIs. Projects here have no organisation, so that no policy of one holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fonderie.core.errors import BadInputError
from fonderie.sandbox.cloud import out_of_band
from fonderie.sandbox.cloud.documents import Document
from fonderie.sandbox.lifecycle.world import World
from fonderie.sandbox.rest.discovery import Call, RejectedError
from fonderie.sandbox.rules import agents

CORES = 500.0  # of a region; nothing is run here, so that nothing uses them
_PAGE = 100


class Projects:
    """What a project says of itself."""

    def __init__(self, world: World) -> None:
        self._world = world

    def handle(self, call: Call) -> Document:
        """Answer one call."""
        project = self._world.names.canonical(self._written(call)).split("/")[1]
        if project not in self._world.cloud.projects():
            raise RejectedError(403, "PERMISSION_DENIED", f"Project '{project}' not found or deleted.")
        match call.method:
            case "cloudresourcemanager.projects.get":
                return self._project(project, numbered="name" in call.path)
            case "cloudbilling.projects.getBillingInfo":
                name = f"projects/{project}/billingInfo"
                account = "billingAccounts/000000-000000-000000"
                return {"name": name, "projectId": project, "billingAccountName": account, "billingEnabled": True}
            case "serviceusage.services.list":
                return self._services(project, call.query)
            case "serviceusage.services.get":
                return self._service(project, call.path["name"].rsplit("/", 1)[1])
            case "serviceusage.services.generateServiceIdentity":
                return self._identity(project, call.path["parent"].rsplit("/", 1)[1])
            case "orgpolicy.projects.policies.getEffectivePolicy":
                return {"name": call.path["name"], "spec": {}}
            case "compute.regions.get":
                quota = {"metric": "CPUS", "limit": CORES, "usage": 0}
                return {"kind": "compute#region", "name": call.path["region"], "status": "UP", "quotas": [quota]}
        raise RejectedError(501, "UNIMPLEMENTED", f"the sandbox has no {call.method}")

    @staticmethod
    def _written(call: Call) -> str:
        project = call.path.get("projectId") or call.path.get("project")
        return f"projects/{project}" if project else "/".join(call.name.split("/")[:2])

    def _project(self, project: str, *, numbered: bool) -> Document:
        number = str(self._world.cloud.number_of(project))
        if numbered:  # version 3
            return {"name": f"projects/{number}", "projectId": project, "state": "ACTIVE", "displayName": project}
        return {"projectId": project, "projectNumber": number, "lifecycleState": "ACTIVE", "name": project}

    def _services(self, project: str, query: Mapping[str, str]) -> Document:
        if query.get("filter") not in (None, "state:ENABLED"):
            raise RejectedError(501, "UNIMPLEMENTED", f"the sandbox lists no services by {query['filter']}")
        things = self._world.cloud.things("google_project_service", project=project)
        names = sorted(str(thing.attributes["service"]) for thing in things)
        start, size = int(query.get("pageToken") or 0), int(query.get("pageSize") or _PAGE)
        shown: dict[str, Any] = {"services": [self._service(project, name) for name in names[start : start + size]]}
        return shown | ({"nextPageToken": str(start + size)} if start + size < len(names) else {})

    def _service(self, project: str, name: str) -> Document:
        parent = f"projects/{self._world.cloud.number_of(project)}"
        on = self._world.there("google_project_service", f"projects/{project}/services/{name}")
        shown = {"name": f"{parent}/services/{name}", "parent": parent, "config": {"name": name}}
        return shown | {"state": "ENABLED" if on else "DISABLED"}

    def _identity(self, project: str, service: str) -> Document:
        if agents.email_or_none(service, 0) is None:
            raise RejectedError(400, "INVALID_ARGUMENT", f"Service {service} does not have a service identity.")
        try:
            email = out_of_band.make_agent(self._world.cloud, service, project)
        except BadInputError as error:
            raise RejectedError(400, "INVALID_ARGUMENT", str(error)) from error
        kind = "type.googleapis.com/google.api.serviceusage.v1beta1.ServiceIdentity"
        name = f"operations/finished.{self._world.cloud.count('operations')}"
        return {"name": name, "done": True, "response": {"@type": kind, "email": email}}
