"""A small project in the sandbox, served over REST with identities enforced."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.oauth2.credentials import Credentials

from fonderie.sandbox.cloud.cloud import Cloud
from fonderie.sandbox.iam.access import AccessControl
from fonderie.sandbox.iam.caller import PERSON, Caller, identity
from fonderie.sandbox.lifecycle.world import World
from fonderie.sandbox.process import default_schema, load_facts
from fonderie.sandbox.provider.facts import FACTS_FILE
from fonderie.sandbox.provider.schema import ProviderSchema
from fonderie.sandbox.rest.server import RestServer, serve_rest

PROJECT, NUMBER, REGION = "acme-ml-dev", 412345678901, "europe-west1"
LOCATION = f"projects/{PROJECT}/locations/{REGION}"
APIS = [
    "aiplatform",
    "artifactregistry",
    "bigquery",
    "cloudbuild",
    "cloudscheduler",
    "compute",
    "iam",
    "logging",
    "monitoring",
    "pubsub",
    "secretmanager",
    "storage",
    "workflowexecutions",
    "workflows",
]


def account(alias: str) -> str:
    """The e-mail of one of our accounts."""
    return identity(alias, PROJECT).email


@dataclass
class Sandbox:
    """The cloud and the server over it."""

    world: World
    server: RestServer

    @property
    def cloud(self) -> Cloud:
        return self.world.cloud

    def credentials(self, who: str | Caller) -> Credentials:
        return Credentials(self.token(who))

    def token(self, who: str | Caller, **how: Any) -> str:
        return self.server.tokens.issue(who if isinstance(who, Caller) else identity(who, PROJECT), **how)

    def grant(self, path: str, role: str, *who: str | Caller) -> None:
        members = [(each if isinstance(each, Caller) else identity(each, PROJECT)).member for each in who]
        version, policy = self.cloud.policy(path)
        binding = {"role": role, "condition": None, "members": members}
        self.cloud.set_policy(path, {**policy, "bindings": [*policy["bindings"], binding]}, version=version)

    def make(self, type: str, path: str, **attributes: Any) -> None:
        """An object as Terraform leaves it: every attribute of its schema is there."""
        empty = self.world.schema.resource(type).block.empty()
        self.cloud.put(type, path, PROJECT, {**empty, "id": path, "project": PROJECT, **attributes})

    def bucket(self, name: str, **attributes: Any) -> None:
        self.make("google_storage_bucket", f"b/{name}", name=name, location="EUROPE-WEST1", **attributes)
        self.world.buckets.make(name)

    def call(self, who: str | Caller | None, verb: str, path: str, **content: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.token(who)}"} if who else {}
        headers |= content.pop("headers", {})
        return httpx.request(verb, f"{self.server.address}/{path}", headers=headers, timeout=60, **content)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with Cloud(tmp_path / "google.sqlite") as cloud:
        cloud.set_number(PROJECT, NUMBER)
        world = World(cloud, ProviderSchema.load(default_schema()), load_facts(FACTS_FILE))
        with serve_rest(world, AccessControl(cloud)) as server:
            sandbox = Sandbox(world, server)
            for api in APIS:
                name = f"{api}.googleapis.com"
                sandbox.make("google_project_service", f"projects/{PROJECT}/services/{name}", service=name)
            for alias in ("plan", "apply", "pipelines", "monitoring", "serving", "scheduler", "retrain"):
                email = account(alias)
                path = f"projects/{PROJECT}/serviceAccounts/{email}"
                sandbox.make("google_service_account", path, email=email, account_id=email.partition("@")[0], name=path)
            yield sandbox


person = PERSON
