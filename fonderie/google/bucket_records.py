"""The monitor's records in a bucket: what runs remember of each other, on whatever engine they run.

Through the client, and not where an engine mounts a bucket: Vertex AI does so at `/gcs`, on a cluster that is an empty
folder of the pod. Source: Kubeflow Pipelines 2, argocompiler (`gcs-scratch`).
"""

from __future__ import annotations

from fonderie.core.errors import BadInputError
from fonderie.google import Access, google_errors


class BucketRecords:
    """`ml.monitoring.history.RecordFolder` at `gs://BUCKET/FOLDER`. Raises BadInputError for another location."""

    def __init__(self, location: str) -> None:
        bucket, _, self._folder = location.removeprefix("gs://").rstrip("/").partition("/")
        if not bucket or not self._folder:
            raise BadInputError(f"invalid history {location!r}", hint="gs://BUCKET/FOLDER")
        self._location = location.rstrip("/")
        self._bucket = Access.from_environment("").storage().bucket(bucket)

    def names(self, kind: str) -> list[str]:
        """Of every record of that kind, sorted."""
        prefix = f"{self._folder}/{kind}/"
        with google_errors(f"{self._location}/{kind}"):
            names = [str(blob.name).removeprefix(prefix) for blob in self._bucket.list_blobs(prefix=prefix)]
        return sorted(name for name in names if name.endswith(".json") and "/" not in name)

    def read(self, kind: str, name: str) -> bytes:
        """The record's text."""
        with google_errors(self.place(kind, name)):
            data: bytes = self._bucket.blob(f"{self._folder}/{kind}/{name}").download_as_bytes()
            return data

    def write(self, kind: str, name: str, text: str) -> None:
        """Write the record, over one of that name; repeated while Google does not answer."""
        with google_errors(self.place(kind, name)):
            from google.cloud.storage.retry import DEFAULT_RETRY

            blob = self._bucket.blob(f"{self._folder}/{kind}/{name}")
            blob.upload_from_string(text, content_type="application/json", retry=DEFAULT_RETRY)

    def place(self, kind: str, name: str) -> str:
        """The object's address."""
        return "/".join(part for part in (self._location, kind, name) if part)
