"""Files as an OCI image in Artifact Registry: one layer, the same content is the same digest.

An image without a base is what Config Sync unpacks. Registries speak the OCI distribution protocol, and Google's take
an access token as it is. Sources: OCI distribution specification 1.1, "Push"; OCI image specification, "Image
manifest"; Config Sync, "Sync OCI artifacts from Artifact Registry"; Artifact Registry, "Authenticate with an access
token".
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

from fonderie.core.errors import BadInputError
from fonderie.google.answers import TIMEOUT_S
from fonderie.google.client import Access, RestClient, google_errors

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


@dataclass(frozen=True)
class OciImage:
    """An image of one layer: its two blobs, and the manifest that names them."""

    manifest: bytes
    blobs: tuple[bytes, bytes]

    @classmethod
    def of(cls, files: Mapping[str, str], annotations: Mapping[str, str] | None = None) -> OciImage:
        """The image that unpacks to `files` (path -> text), without times and owners; what is noted in its manifest."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for name, text in sorted(files.items()):
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(text.encode()), 0o644
                tar.addfile(entry, io.BytesIO(text.encode()))
        layer = gzip.compress(archive.getvalue(), mtime=0)
        rootfs = {"type": "layers", "diff_ids": [digest(archive.getvalue())]}
        config = _json({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs})
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": digest(config), "size": len(config)},
            "layers": [{"mediaType": LAYER, "digest": digest(layer), "size": len(layer)}],
            **({"annotations": dict(annotations)} if annotations else {}),
        }
        return cls(_json(manifest), (config, layer))


def digest(data: bytes) -> str:
    """As registries name content."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def push(access: Access, repository: str, image: OciImage) -> str:
    """Push to `HOST/PROJECT/REPOSITORY/NAME`, under a tag of its content; its reference by digest.

    What is there already is left as it is: a tag never moves. Raises NotFoundError (no such repository), RefusedError,
    StepFailedError.
    """
    registry = _Registry(access, repository)
    name = digest(image.manifest)
    if not registry.has(f"manifests/{name}"):
        for blob in image.blobs:
            if not registry.has(f"blobs/{digest(blob)}"):
                place = registry.send("POST", "blobs/uploads/").headers["Location"]
                glue = "&" if "?" in place else "?"
                kind = {"Content-Type": "application/octet-stream"}
                registry.send("PUT", f"{place}{glue}digest={digest(blob)}", data=blob, headers=kind)
        tag = name.removeprefix("sha256:")[:16]
        registry.send("PUT", f"manifests/{tag}", data=image.manifest, headers={"Content-Type": MANIFEST})
    return f"{repository}@{name}"


def exists(access: Access, reference: str) -> bool:
    """Whether an image named by digest is in its registry. Raises BadInputError, RefusedError, StepFailedError."""
    repository, _, name = reference.partition("@")
    if not name.startswith("sha256:"):
        raise BadInputError(f"{reference} is not pinned by digest")
    return _Registry(access, repository).has(f"manifests/{name}")


def annotations_of(access: Access, reference: str) -> dict[str, str]:
    """What the manifest of an image named by digest notes. Raises NotFoundError, RefusedError, StepFailedError."""
    repository, _, name = reference.partition("@")
    answer = _Registry(access, repository).send("GET", f"manifests/{name}", headers={"Accept": MANIFEST})
    return dict(answer.json().get("annotations", {}))


class _Registry:
    """One repository by its address, through the credentials of `access`."""

    def __init__(self, access: Access, repository: str) -> None:
        host, _, path = repository.partition("/")
        self._base = f"{access.endpoint or f'https://{host}'}/v2/{path}/"
        self._session, self._where = RestClient(access).session, repository

    def has(self, path: str) -> bool:
        accepted = {"Accept": f"{MANIFEST}, application/vnd.docker.distribution.manifest.v2+json, */*"}
        return bool(self.send("HEAD", path, missing_ok=True, headers=accepted).ok)

    def send(self, verb: str, path: str, *, missing_ok: bool = False, **content: Any) -> Any:
        """`path` is within the repository, or an address that the registry gave."""
        with google_errors(self._where):
            from google.api_core.exceptions import from_http_status

            answer = self._session.request(verb, urljoin(self._base, path), timeout=TIMEOUT_S, **content)
            if not answer.ok and not (missing_ok and answer.status_code == 404):
                raise from_http_status(answer.status_code, _reason(answer), response=answer)
            return answer


def _reason(answer: Any) -> str:
    """Why a registry refuses: its errors are not written as those of Google's other APIs."""
    try:
        return "; ".join(str(error["message"]) for error in answer.json()["errors"])
    except (ValueError, KeyError, TypeError):
        return str(answer.text)[:500] or str(answer.reason)  # a HEAD has no words


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()
