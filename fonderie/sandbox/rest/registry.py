"""Artifact Registry's other face, the protocol of OCI registries: blobs, then a manifest that names them, are pushed.

A blob comes in one piece, as `fonderie.google.artifacts` sends it. What is pushed is listed by the REST API. Sources:
OCI distribution specification 1.1; Artifact Registry, "Access control with IAM" and "Prevent image tags from changing".
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import uuid
from dataclasses import dataclass
from typing import Any

from fonderie.core.google_iam import methods
from fonderie.sandbox.cloud.documents import Documents
from fonderie.sandbox.iam.access import AccessControl, DeniedError
from fonderie.sandbox.iam.caller import Caller
from fonderie.sandbox.lifecycle.world import World
from fonderie.sandbox.rest.builds import add_image
from fonderie.sandbox.rest.http import HttpRequest, Reply

_PATH = re.compile(
    r"/v2/(?P<project>(?!projects/)[^/]+)/(?P<repository>[^/]+)/(?P<image>.+)/(?P<kind>blobs|manifests)/(?P<name>.*)"
)


@dataclass(frozen=True)
class Named:
    """What a request's path names: a blob or a manifest of an image in a repository of a project."""

    project: str
    repository: str
    image: str
    kind: str
    name: str


class _RefusedError(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        self.reply = Reply.of({"errors": [{"code": code, "message": message}]}, status)


class Registry:
    """The Docker repositories that Terraform made, and what was pushed into them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._content = Documents(world.cloud, "registry content")
        self._tags = Documents(world.cloud, "registry tag")

    @staticmethod
    def named(request: HttpRequest) -> Named | None:
        """What the request is about; None for one that is for no registry."""
        found = _PATH.fullmatch(request.path)
        return Named(**found.groupdict()) if found else None

    def answer(self, request: HttpRequest, named: Named, caller: Caller, access: AccessControl | None) -> Reply:
        """The reply; a refusal as registries write it."""
        try:
            repository = self._repository(named)
            verb = "docker.pull" if request.verb in ("GET", "HEAD") else "docker.push"
            if access is not None:
                access.demand(caller, methods()[verb].permissions, repository.path)
            if request.verb in ("GET", "HEAD"):
                return self._read(named, repository.path)
            if named.kind == "manifests":
                return self._tag(request, named, repository)
            return self._upload(request, named, repository.path)
        except DeniedError as error:
            return _RefusedError(403, "DENIED", error.message).reply
        except _RefusedError as error:
            return error.reply

    def _repository(self, named: Named) -> Any:
        project = self._world.names.canonical(f"projects/{named.project}").partition("/")[2]
        for each in self._world.cloud.things("google_artifact_registry_repository"):
            _, owner, _, _, _, name = each.path.split("/")
            if (owner, name) == (project, named.repository):
                return each
        raise _RefusedError(404, "NAME_UNKNOWN", f'Repository "{named.repository}" not found')

    def _read(self, named: Named, repository: str) -> Reply:
        where = f"{repository}/{named.image}"
        key = self._tags.get(f"{where}:{named.name}", named.name)
        kept = self._content.get(f"{repository}/{named.kind}/{key}")
        if kept is None:
            code = "MANIFEST_UNKNOWN" if named.kind == "manifests" else "BLOB_UNKNOWN"
            raise _RefusedError(404, code, f"{where}:{named.name} was not found")
        told = {"content-type": kept["type"], "docker-content-digest": key}
        return Reply(200, base64.b64decode(kept["content"]), told)

    def _upload(self, request: HttpRequest, named: Named, repository: str) -> Reply:
        if request.verb == "POST":
            return Reply(202, headers={"location": f"{request.path}{uuid.uuid4()}"})
        digest = request.parameters.get("digest", "")
        if digest != _digest(request.body):
            raise _RefusedError(400, "DIGEST_INVALID", f"the content is not {digest or 'named by a digest'}")
        self._keep(f"{repository}/blobs/{digest}", request.body, "application/octet-stream")
        return Reply(201, headers={"location": f"{request.path.partition('uploads/')[0]}{digest}"})

    def _tag(self, request: HttpRequest, named: Named, repository: Any) -> Reply:
        manifest, digest = json.loads(request.body), _digest(request.body)
        for part in [manifest["config"], *manifest["layers"]]:
            if f"{repository.path}/blobs/{part['digest']}" not in self._content:
                raise _RefusedError(400, "MANIFEST_BLOB_UNKNOWN", f"{part['digest']} was not pushed")
        tag = f"{repository.path}/{named.image}:{named.name}"
        docker = (repository.attributes.get("docker_config") or [{}])[0]
        if docker.get("immutable_tags") and self._tags.get(tag, digest) != digest:
            raise _RefusedError(400, "MANIFEST_INVALID", f"cannot update tag {named.name}: tags are immutable")
        self._keep(f"{repository.path}/manifests/{digest}", request.body, request.headers.get("content-type", ""))
        tags = [] if named.name.startswith("sha256:") else [named.name]
        for each in tags:
            self._tags[f"{repository.path}/{named.image}:{each}"] = digest
        add_image(self._world.cloud, repository.path, named.image, digest, tags)
        return Reply(201, headers={"docker-content-digest": digest})

    def _keep(self, key: str, content: bytes, type: str) -> None:
        self._content[key] = {"content": base64.b64encode(content).decode(), "type": type}


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
