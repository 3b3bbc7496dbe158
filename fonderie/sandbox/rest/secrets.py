"""Secret Manager: versions of secrets that Terraform made, added, read, disabled and destroyed.

Source: Secret Manager's REST reference, "Secret version states".
"""

from __future__ import annotations

import base64
import binascii

from fonderie.sandbox.cloud import out_of_band
from fonderie.sandbox.cloud.buckets import Blob
from fonderie.sandbox.cloud.cloud import CloudObject
from fonderie.sandbox.cloud.documents import Document
from fonderie.sandbox.lifecycle.world import World
from fonderie.sandbox.rest.discovery import Call, RejectedError

_SECRET, _VERSION = "google_secret_manager_secret", "google_secret_manager_secret_version"
_STATES = {"enable": True, "disable": False}


class Secrets:
    """Versions by their secret."""

    def __init__(self, world: World) -> None:
        self._world = world

    def handle(self, call: Call) -> Document:
        """Answer one call."""
        match call.method.removeprefix("secretmanager.projects.secrets."):
            case "addVersion":
                return self._add(call)
            case "versions.access":
                return self._access(self._version(call.path["name"]))
            case "versions.get":
                return _shown(self._version(call.path["name"]))
            case "versions.list":
                secret = self._secret(call.path["parent"])
                versions = [_shown(each) for each in reversed(self._world.cloud.things(_VERSION, under=secret))]
                return {"versions": versions, "totalSize": len(versions)}
            case "versions.enable" | "versions.disable" | "versions.destroy" as verb:
                return self._change(self._version(call.path["name"]), verb.partition(".")[2])
        raise RejectedError(501, "UNIMPLEMENTED", f"the sandbox has no {call.method}")

    def _secret(self, name: str) -> str:
        path = self._world.names.canonical(name)
        if self._world.cloud.live(_SECRET, path) is None:
            raise RejectedError(404, "NOT_FOUND", f"Secret [{name}] not found or has no versions.")
        return path

    def _add(self, call: Call) -> Document:
        secret = self._secret(call.path["parent"])
        payload = call.body.get("payload", {})
        try:
            value = base64.b64decode(payload["data"], validate=True)
        except (KeyError, binascii.Error) as error:
            raise RejectedError(400, "INVALID_ARGUMENT", "The secret payload is missing.") from error
        told = payload.get("dataCrc32c")
        if told is not None and int(told) != Blob.of(value).crc32c:
            raise RejectedError(400, "INVALID_ARGUMENT", "Checksum verification failed for the secret payload.")
        path = out_of_band.add_secret_version(self._world.cloud, secret, value.decode(errors="surrogateescape"))
        return _shown(self._version(path))

    def _version(self, name: str) -> CloudObject:
        path = self._world.names.canonical(name)
        secret, _, number = path.partition("/versions/")
        versions = self._world.cloud.things(_VERSION, under=secret)
        found = versions[-1:] if number == "latest" else [each for each in versions if each.path == path]
        if not found:
            raise RejectedError(404, "NOT_FOUND", f"Secret Version [{name}] not found.")
        return found[0]

    @staticmethod
    def _access(version: CloudObject) -> Document:
        state = _state(version)
        if state != "ENABLED":
            raise RejectedError(400, "FAILED_PRECONDITION", f"Secret Version [{version.path}] is in {state} state.")
        value = str(version.attributes.get("secret_data") or "").encode(errors="surrogateescape")
        payload = {"data": base64.b64encode(value).decode(), "dataCrc32c": str(Blob.of(value).crc32c)}
        return {"name": version.path, "payload": payload}

    def _change(self, version: CloudObject, verb: str) -> Document:
        attributes = dict(version.attributes)
        if verb in _STATES:
            attributes["enabled"] = _STATES[verb]
        else:
            attributes |= {"enabled": False, "destroy_time": self._world.clock.timestamp(), "secret_data": ""}
        self._world.cloud.change(version.type, version.path, attributes)
        return _shown(self._version(version.path))


def _state(version: CloudObject) -> str:
    if version.attributes.get("destroy_time"):
        return "DESTROYED"
    return "DISABLED" if version.attributes.get("enabled") is False else "ENABLED"


def _shown(version: CloudObject) -> Document:
    shown = {"name": version.path, "state": _state(version)}
    times = {"createTime": "create_time", "destroyTime": "destroy_time"}
    return shown | {name: version.attributes[key] for name, key in times.items() if version.attributes.get(key)}
