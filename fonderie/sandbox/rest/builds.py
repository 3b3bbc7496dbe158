"""Cloud Build and Artifact Registry: builds that were asked for are kept, not executed; images by their digest.

Source: the REST references of Cloud Build and Artifact Registry.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from fonderie.sandbox.cloud.cloud import Cloud
from fonderie.sandbox.cloud.documents import Document, Documents
from fonderie.sandbox.lifecycle.world import World
from fonderie.sandbox.rest import judgement
from fonderie.sandbox.rest.discovery import Call, RejectedError

_IMAGES = "docker image"


class Builds:
    """Builds by name, the newest first."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._builds = Documents(world.cloud, "build")

    def handle(self, call: Call) -> Document:
        """Answer one call."""
        match call.method.removeprefix("cloudbuild.projects.").removeprefix("locations."):
            case "triggers.run":
                return self._run(call)
            case "builds.create":
                parent = self._parent(call)
                return self._queue(parent, call.body)
            case "builds.get":
                name = call.path.get("name") or f"{self._parent(call)}/builds/{call.path['id']}"
                name = self._world.names.canonical(name)
                if name not in self._builds:
                    raise RejectedError(404, "NOT_FOUND", "Requested entity was not found.")
                build: Document = self._builds[name]
                return build
            case "builds.list":
                builds = [each for _, each in reversed(self._builds.under(f"{self._parent(call)}/builds/"))]
                return {"builds": builds} if builds else {}
        raise RejectedError(501, "UNIMPLEMENTED", f"the sandbox has no {call.method}")

    def _parent(self, call: Call) -> str:
        parent = call.path.get("parent") or call.query.get("parent")
        return self._world.names.canonical(parent or f"projects/{call.path['projectId']}/locations/global")

    def _run(self, call: Call) -> Document:
        name = call.path.get("name") or f"projects/{call.path['projectId']}/triggers/{call.path['triggerId']}"
        path = self._world.names.canonical(name)
        trigger = judgement.trigger(self._world, path)
        if trigger is None:
            raise RejectedError(404, "NOT_FOUND", "Requested entity was not found.")
        source = call.body.get("source", call.body)
        substitutions = {**(trigger.attributes.get("substitutions") or {}), **source.get("substitutions", {})}
        build = {"buildTriggerId": str(trigger.attributes.get("trigger_id") or path.rsplit("/", 1)[1])}
        told = {"substitutions": substitutions, "serviceAccount": trigger.attributes.get("service_account")}
        return self._queue(path.rpartition("/triggers/")[0], build | {k: v for k, v in told.items() if v})

    def _queue(self, parent: str, body: Document) -> Document:
        identifier = str(uuid.uuid4())
        project = parent.split("/")[1]
        place = parent if "/locations/" in parent else f"{parent}/locations/global"
        name = f"{place}/builds/{identifier}"
        stamp = self._world.clock.timestamp()
        build = {**body, "name": name, "id": identifier, "projectId": project, "status": "QUEUED", "createTime": stamp}
        self._builds[name] = build
        kind = "type.googleapis.com/google.devtools.cloudbuild.v1.BuildOperationMetadata"
        return {"name": f"{place}/operations/{identifier}", "done": False, "metadata": {"@type": kind, "build": build}}


class Images:
    """Images that were pushed into a repository."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._images = Documents(world.cloud, _IMAGES)

    def handle(self, call: Call) -> Document:
        """Answer one call."""
        match call.method.removeprefix("artifactregistry.projects.locations.repositories."):
            case "dockerImages.get":
                name = self._world.names.canonical(call.path["name"])
                if name not in self._images:
                    raise RejectedError(404, "NOT_FOUND", "Requested entity was not found.")
                image: Document = self._images[name]
                return image
            case "dockerImages.list":
                parent = self._world.names.canonical(call.path["parent"])
                return {"dockerImages": [each for _, each in self._images.under(f"{parent}/dockerImages/")]}
            case "packages.versions.list" | "packages.tags.list" as kind:
                parent = self._world.names.canonical(call.path["parent"])
                repository, _, package = parent.partition("/packages/")
                kept = self._images.under(f"{repository}/dockerImages/{package}@")
                versions = [(f"{parent}/versions/{name.partition('@')[2]}", image["tags"]) for name, image in kept]
                if kind == "packages.versions.list":
                    return {"versions": [{"name": version} for version, _ in versions]}
                tags = [{"name": f"{parent}/tags/{tag}", "version": to} for to, tags in versions for tag in tags]
                return {"tags": tags}
        raise RejectedError(501, "UNIMPLEMENTED", f"the sandbox has no {call.method}")


def add_image(cloud: Cloud, repository: str, image: str, digest: str, tags: Sequence[str] = ()) -> str:
    """What a push leaves: an image in a repository (`projects/P/locations/L/repositories/R`); its name. A tag moves."""
    images = Documents(cloud, _IMAGES)
    for name, known in images.under(f"{repository}/dockerImages/{image}@"):
        images[name] = {**known, "tags": [tag for tag in known.get("tags", []) if tag not in tags]}
    _, project, _, location, _, short = repository.split("/")
    name = f"{repository}/dockerImages/{image}@{digest}"
    uri = f"{location}-docker.pkg.dev/{project}/{short}/{image}@{digest}"
    images[name] = {"name": name, "uri": uri, "tags": [*tags]}
    return name
