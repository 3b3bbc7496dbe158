"""Google's REST interfaces with the standard library: what a serving container needs of them is two calls.

The client libraries cost half a second and 60 MB each at start. The token is the instance's own, from the metadata
server. Source: Google Cloud, "About VM metadata"; Cloud Storage JSON API, objects.list and objects.get.
"""

from __future__ import annotations

import os
import time
import urllib.parse
import urllib.request
from pathlib import Path

import msgspec

from fonderie.core.errors import BadDataError, BadInputError, StepFailedError
from fonderie.core.files import write_bytes

METADATA = "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token"
TIMEOUT_S = 20


class GoogleClient:
    """GET and POST with the instance's token; without one against a stand-in on plain HTTP."""

    def __init__(self, root: str) -> None:
        """`root` is https://storage.googleapis.com, say, or http://127.0.0.1:PORT of a stand-in."""
        self._root = root
        self._token = ""
        self._until = 0.0

    def get(self, path: str) -> bytes:
        """The body of the answer. Raises OSError (urllib's errors are OSErrors)."""
        return self._ask(urllib.request.Request(self._root + path, headers=self._headers()))

    def post(self, path: str, body: bytes) -> bytes:
        """The body of the answer to a JSON body. Raises OSError."""
        headers = self._headers() | {"content-type": "application/json"}
        return self._ask(urllib.request.Request(self._root + path, data=body, headers=headers))

    def _ask(self, request: urllib.request.Request) -> bytes:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            body: bytes = answer.read()
            return body

    def _headers(self) -> dict[str, str]:
        if self._root.startswith("http://"):
            return {}
        if time.monotonic() > self._until:
            ask = urllib.request.Request(METADATA, headers={"Metadata-Flavor": "Google"})
            token = msgspec.json.decode(self._ask(ask))
            self._token = token["access_token"]
            self._until = time.monotonic() + token["expires_in"] - 60
        return {"authorization": f"Bearer {self._token}"}


def fetch(uri: str, into: Path) -> Path:
    """The folder of a version: a local one as it is, `gs://bucket/prefix` copied into `into`.

    STORAGE_EMULATOR_HOST replaces Cloud Storage by a stand-in, as for Google's own libraries.
    Raises BadInputError, BadDataError (nothing there) or StepFailedError (storage does not answer).
    """
    if not uri.startswith("gs://"):
        folder = Path(urllib.parse.urlparse(uri).path if uri.startswith("file://") else uri)
        if not uri or not folder.is_dir():
            raise BadInputError(
                f"{uri!r} is not a folder", where="AIP_STORAGE_URI", hint="gs://bucket/folder or a path"
            )
        return folder
    bucket, _, prefix = uri.removeprefix("gs://").partition("/")
    client = GoogleClient(os.environ.get("STORAGE_EMULATOR_HOST") or "https://storage.googleapis.com")
    try:
        return _copy(client, bucket, prefix.rstrip("/") + "/", into)
    except OSError as error:
        raise StepFailedError(f"the version cannot be fetched: {error}", where=uri) from None


def _copy(client: GoogleClient, bucket: str, prefix: str, into: Path) -> Path:
    query = urllib.parse.urlencode({"prefix": prefix, "delimiter": "/"})
    listing = msgspec.json.decode(client.get(f"/storage/v1/b/{bucket}/o?{query}"))
    names = [str(item["name"]) for item in listing.get("items", [])]
    if not names:
        raise BadDataError("no objects under this prefix", where=f"gs://{bucket}/{prefix}")
    for name in names:
        if name != prefix:
            data = client.get(f"/storage/v1/b/{bucket}/o/{urllib.parse.quote(name, safe='')}?alt=media")
            write_bytes(into / name.removeprefix(prefix), data)
    return into
