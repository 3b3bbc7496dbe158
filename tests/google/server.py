"""The sandbox's REST server for the tests, over a cloud of its own; what was asked is kept for them to look at.

Nobody is judged, and what is listed here may be written by a test as it likes: models, jobs, contexts, endpoints.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from fonderie.sandbox.cloud.cloud import Cloud
from fonderie.sandbox.lifecycle.world import World
from fonderie.sandbox.process import default_schema, load_facts
from fonderie.sandbox.provider.facts import FACTS_FILE
from fonderie.sandbox.provider.schema import ProviderSchema
from fonderie.sandbox.rest.apis import GoogleApis
from fonderie.sandbox.rest.bigquery import BigQuery
from fonderie.sandbox.rest.discovery import Call, RejectedError, Service
from fonderie.sandbox.rest.endpoints import Endpoints
from fonderie.sandbox.rest.http import HttpRequest, Reply
from fonderie.sandbox.rest.jobs import Jobs
from fonderie.sandbox.rest.metadata import Metadata
from fonderie.sandbox.rest.models import Models
from fonderie.sandbox.rest.server import listen
from tests.google.scheduler import Scheduler


class Google(GoogleApis):
    """The APIs and what they hold. `calls` is every request that was taken, `refused` every one that was not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = ""
        self.start_anew()

    def start_anew(self) -> None:
        """Forget everything but the address."""
        self.cloud = Cloud(Path(tempfile.mkdtemp(dir=self.folder)) / "google.sqlite")
        world = World(self.cloud, ProviderSchema.load(default_schema()), load_facts(FACTS_FILE), established=True)
        super().__init__(world)
        self.buckets = world.buckets
        self.bigquery = BigQuery()
        self.models = Models()
        self.jobs = Jobs()
        self.metadata = Metadata()
        self.endpoints = Endpoints()
        self.scheduler = Scheduler()
        self.calls: list[Call] = []
        self.refused: list[str] = []
        self.failures: list[RejectedError] = []  # the next calls fail with these
        self.late: dict[tuple[str, str], str] = {}
        names = {
            "bigquery.": "bigquery",
            ".models.": "models",
            ".pipelineJobs.": "jobs",
            ".metadataStores.": "metadata",
            ".endpoints.": "endpoints",
            "cloudscheduler.": "scheduler",
        }  # by name: a test may put another in the place of one
        self._handlers[:0] = [(part, partial(self._hand, name)) for part, name in names.items()]

    def _hand(self, name: str, call: Call) -> Any:
        return getattr(self, name).handle(call)

    def make_bucket(self, name: str, objects: Mapping[str, bytes] | None = None) -> None:
        """A bucket with versions, as Terraform makes it."""
        attributes = {"name": name, "location": "EUROPE-WEST1", "versioning": [{"enabled": True}]}
        self.cloud.put("google_storage_bucket", f"b/{name}", "", attributes)
        self.buckets.make(name)
        for key, content in (objects or {}).items():
            self.buckets.write(name, key, content)

    def show_late(self, bucket: str, name: str) -> None:
        """The next reader of an object is shown what was there before its last change."""
        versions = [each["generation"] for each in self.storage.versions(bucket, name)]
        self.late[bucket, name] = max(versions)

    def respond(self, request: HttpRequest) -> Reply:
        """See GoogleApis."""
        reply = super().respond(request)
        if reply.status >= 400:
            self.refused.append(_message(reply))
        return reply

    def perform(self, call: Call, known: Service) -> Any:
        """See GoogleApis."""
        self.calls.append(call)
        if self.failures:
            raise self.failures.pop(0)
        if call.method == "storage.objects.get" and (place := (call.path["bucket"], call.path["object"])) in self.late:
            call = replace(call, query={**call.query, "generation": self.late.pop(place)})
        return super().perform(call, known)


def _message(reply: Reply) -> str:
    return str(json.loads(reply.content)["error"]["message"])


@contextmanager
def running() -> Iterator[Google]:
    """A stand-in that listens on a free port of this machine until the block ends."""
    with tempfile.TemporaryDirectory() as folder:
        google = Google(Path(folder))
        with listen(lambda: google) as address:
            google.address = address
            yield google
