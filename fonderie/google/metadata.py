"""Google's REST interfaces with the standard library: what a serving container needs of them is three calls.

Credentials of its own: `google.auth` and `requests` cost half a second and 60 MB at each start, and the container's
token is the instance's, one GET from the metadata server. Timeouts and the meaning of refusals are those of
`fonderie.google.answers`. Nothing is asked twice: a container that cannot start is started again, and what the
prediction log cannot write is counted.

Source: Google Cloud, "About VM metadata"; Cloud Storage JSON API, objects.list and objects.get; BigQuery REST
reference, tabledata.insertAll (insertId, insertErrors).
"""

from __future__ import annotations

import os
import time
import urllib.parse
import urllib.request
from pathlib import Path
from urllib.error import HTTPError

import msgspec

from fonderie.core.errors import BadDataError, BadInputError, StepFailedError
from fonderie.core.files import write_bytes
from fonderie.google.answers import TIMEOUT_S, Refusal, loopback_token
from ml.serving.server.prediction_log import LogRow

METADATA = "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token"


class AnswerError(OSError):
    """An answer with an error; the text is the refusal's."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.what)
        self.refusal = refusal


class GoogleClient:
    """GET and POST with the instance's token; against a stand-in on plain HTTP with the sandbox's, or none."""

    def __init__(self, root: str) -> None:
        """`root` is https://storage.googleapis.com, say, or http://127.0.0.1:PORT of a stand-in."""
        self._root = root
        self._token = ""
        self._until = 0.0

    def get(self, path: str) -> bytes:
        """The body of the answer. Raises AnswerError, or another OSError."""
        return self._ask(urllib.request.Request(self._root + path, headers=self._headers()))

    def post(self, path: str, body: bytes) -> bytes:
        """The body of the answer to a JSON body. Raises AnswerError, or another OSError."""
        headers = self._headers() | {"content-type": "application/json"}
        return self._ask(urllib.request.Request(self._root + path, data=body, headers=headers))

    def _ask(self, request: urllib.request.Request) -> bytes:
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                body: bytes = answer.read()
                return body
        except HTTPError as error:
            raise AnswerError(Refusal.parse(error.code, error.read())) from None

    def _headers(self) -> dict[str, str]:
        if self._root.startswith("http://"):
            token = loopback_token(self._root)
            return {"authorization": f"Bearer {token}"} if token else {}
        if time.monotonic() > self._until:
            ask = urllib.request.Request(METADATA, headers={"Metadata-Flavor": "Google"})
            token = msgspec.json.decode(self._ask(ask))
            self._token = token["access_token"]
            self._until = time.monotonic() + token["expires_in"] - 60
        return {"authorization": f"Bearer {self._token}"}


class BigQuerySink:
    """Rows into a table by tabledata.insertAll; a row's id makes a retry harmless."""

    def __init__(self, location: str) -> None:
        """`location` is bigquery://project/dataset/table. Raises BadInputError."""
        parts = location.removeprefix("bigquery://").split("/")
        if len(parts) != 3 or not all(parts):
            raise BadInputError(f"{location!r} is not a BigQuery table", hint="bigquery://project/dataset/table")
        project, dataset, table = parts
        self._path = f"/bigquery/v2/projects/{project}/datasets/{dataset}/tables/{table}/insertAll"
        self._client = GoogleClient("https://bigquery.googleapis.com")

    def write(self, rows: list[LogRow]) -> None:
        """All rows or an OSError."""
        body = {"rows": [{"insertId": f"{row.request_id}/{row.role}/{row.row}", "json": row} for row in rows]}
        answer = msgspec.json.decode(self._client.post(self._path, msgspec.json.encode(body)))
        errors = answer.get("insertErrors") if isinstance(answer, dict) else None
        if errors:
            raise OSError(f"BigQuery refused {len(errors)} rows: {errors[0]}")


def fetch(uri: str, into: Path) -> Path:
    """Copy the version at `gs://bucket/prefix` into `into`.

    STORAGE_EMULATOR_HOST replaces Cloud Storage by a stand-in, as for Google's own libraries; so does the sandbox.
    Raises BadDataError (nothing there), StepFailedError (storage does not answer), or what `Refusal.error` says.
    """
    bucket, _, prefix = uri.removeprefix("gs://").partition("/")
    stand_in = os.environ.get("STORAGE_EMULATOR_HOST") or os.environ.get("FONDERIE_GOOGLE_ENDPOINT")
    client = GoogleClient(stand_in or "https://storage.googleapis.com")
    try:
        return _copy(client, bucket, prefix.rstrip("/") + "/", into)
    except AnswerError as error:
        raise error.refusal.error(uri) from None
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
