"""A Google project in the sandbox, with what a build of it sees of Google: its identity, secrets, state, provider."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from ci.lifecycle.deploy import Deployer, Stack, synthesise
from fonderie.google.artifacts import MANIFEST
from fonderie.sandbox.cloud.cloud import Cloud
from fonderie.sandbox.cloud.documents import Documents
from fonderie.sandbox.iam.access import CallLog
from fonderie.sandbox.iam.caller import Caller
from fonderie.sandbox.iam.tokens import SCOPE, identity_token
from fonderie.sandbox.lifecycle.world import World
from fonderie.sandbox.process import default_schema, load_facts
from fonderie.sandbox.provider.facts import FACTS_FILE
from fonderie.sandbox.provider.schema import ProviderSchema
from fonderie.sandbox.rest.server import RestServer, serve_rest
from fonderie.sandbox.runner import Options, StandIn, stand_in
from infra import names
from infra.settings import Environment, load_environment
from tests.road.machine import ROOT

_PASSED_ON = ("TF_REATTACH_PROVIDERS", "TF_CLI_CONFIG_FILE", "CHECKPOINT_DISABLE", "TF_CLI_ARGS_apply")
PERSON = "user:person@example.com"


@dataclass
class Project:
    """The project of one environment: provider and REST APIs over one cloud, each call judged by who makes it."""

    env: Environment
    world: World
    up: StandIn
    rest: RestServer

    @property
    def id(self) -> str:
        """Its id."""
        return self.env.project_id

    @property
    def number(self) -> int:
        """Its number."""
        return self.env.project_number

    def objects(self, type: str) -> list[Mapping[str, Any]]:
        """What it has of a resource type."""
        return [each.attributes for each in self.world.cloud.things(type)]

    def environment_for(self, identity: str) -> dict[str, str]:
        """What a process of `identity`, a member, needs to reach this Google in the place of the real one."""
        name = "person" if identity == PERSON else identity.partition("-")[2].partition("@")[0]
        differs = self.up.identities.get(name, {"TF_REATTACH_PROVIDERS": "{}"})
        return {
            **{name: self.up.environment[name] for name in _PASSED_ON if name in self.up.environment},
            **differs,
            "FONDERIE_GOOGLE_ENDPOINT": self.rest.address,
            "GOOGLE_BACKEND_STORAGE_CUSTOM_ENDPOINT": f"{self.rest.address}/storage/v1/",
            "GOOGLE_OAUTH_ACCESS_TOKEN": self.rest.tokens.issue(Caller(identity)),
            "OMP_NUM_THREADS": "1",
        }

    def call(self, identity: str, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """One request to the REST APIs as `identity`. Raises GoogleRefusedError with Google's words."""
        headers = {"Authorization": f"Bearer {self.rest.tokens.issue(Caller(identity))}"} if identity else {}
        answer = httpx.request(method, f"{self.rest.address}/{path}", json=body, headers=headers, timeout=30)
        if not answer.is_success:
            raise GoogleRefusedError(answer.status_code, answer.text)
        return dict(answer.json())

    def log(self, identity: str, text: str) -> None:
        """A build with an account of ours writes its own log."""
        entry = {"textPayload": text, "resource": {"type": "build"}, "logName": f"projects/{self.id}/logs/cloudbuild"}
        self.call(identity, "POST", "v2/entries:write", {"entries": [entry]})

    def secret(self, identity: str, version: str) -> str:
        """The value of `projects/P/secrets/S/versions/V`, read by `identity`."""
        answer = self.call(identity, "GET", f"v1/{version}:access")
        return base64.b64decode(answer["payload"]["data"]).decode()

    def federated(self, claims: Mapping[str, Any], provider: str, account: str) -> str:
        """Exchange a job's token and become an account, as google-github-actions/auth does; the member."""
        audience = f"//iam.googleapis.com/{provider}"
        token = identity_token(self.world.cloud, {**claims, "aud": f"https:{audience}"})
        exchanged = {
            "audience": audience,
            "grantType": "urn:ietf:params:oauth:grant-type:token-exchange",
            "requestedTokenType": "urn:ietf:params:oauth:token-type:access_token",
            "scope": SCOPE,
            "subjectTokenType": "urn:ietf:params:oauth:token-type:jwt",
            "subjectToken": token,
        }
        federated = self.call("", "POST", "v1/token", exchanged)["access_token"]
        answer = httpx.post(
            f"{self.rest.address}/v1/projects/-/serviceAccounts/{account}:generateAccessToken",
            json={"scope": [SCOPE]}, headers={"Authorization": f"Bearer {federated}"}, timeout=30,
        )  # fmt: skip
        if not answer.is_success:
            raise GoogleRefusedError(answer.status_code, answer.text)
        return self.rest.tokens.caller_of(answer.json()["accessToken"]).member


@contextmanager
def acting(environment: Mapping[str, str]) -> Iterator[pytest.MonkeyPatch]:
    """This process has that environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name in set(os.environ) - set(environment):
            patch.delenv(name)
        for name, value in environment.items():
            patch.setenv(name, value)
        yield patch


class GoogleRefusedError(Exception):
    """What Google said no to."""


def deploy(project: Project, folder: Path, token: str) -> None:
    """A person's bootstrap, then every other stack as who applies; the secrets hold `token`, the bucket the states."""
    environment = bootstrap(project, folder)

    def store(stack: Stack) -> None:
        if stack.name.endswith("-data"):
            for which in names.SecretName:
                secret = f"projects/{project.id}/secrets/{names.secret(project.env, which)}"
                payload = {"payload": {"data": base64.b64encode(token.encode()).decode()}}
                project.call(PERSON, "POST", f"v1/{secret}:addVersion", payload)

    stacks = synthesise([project.env.name], folder / "stacks", variables=environment)
    by_apply = {**environment, **project.environment_for(names.member(project.env, names.IdentityName.APPLY))}
    del by_apply["FONDERIE_SANDBOX_AS"]
    Deployer(by_apply).deploy([stack for stack in stacks if not stack.name.endswith("-bootstrap")], done=store)
    hold_artefacts(project)


def hold_artefacts(project: Project) -> None:
    """What the settings name by digest is in the registry, as after the builds that made it: its name, no content."""
    env = project.env
    where = f"projects/{project.id}/locations/{env.region}/repositories/{names.images(env)}"
    for reference in env.artefacts.values():
        held = {"content": "", "type": MANIFEST}
        Documents(project.world.cloud, "registry content")[f"{where}/manifests/{reference.partition('@')[2]}"] = held


def bootstrap(project: Project, folder: Path, source: Path = ROOT) -> dict[str, str]:
    """What a person does first, and again when the settings of a working copy, `source`, change the bootstrap.

    What a person's further commands need in their environment.
    """
    environment = {
        **{name: value for name, value in project.up.environment.items() if name != "FONDERIE_BACKEND"},
        **project.environment_for(PERSON),
        "FONDERIE_SANDBOX_AS": "person",
        "CDKTF_OUTDIR": str(folder / "cdktf.out"),
        "FONDERIE_HOME": str(folder / "home"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "fonderie.cli.main", "bootstrap", "--env", project.env.name],
        env=environment, cwd=source, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return environment


@contextmanager
def opened(name: str, folder: Path, *, calls: Path | None = None) -> Iterator[Project]:
    """The project of an environment: new in an empty folder, else as it was left there. `calls` as in `Options`."""
    file = folder / "google.sqlite"
    env = load_environment(name)
    with stand_in(Options(cloud=file, calls=calls)) as up, Cloud(file) as cloud:
        world = World(cloud, ProviderSchema.load(default_schema()), load_facts(FACTS_FILE))
        world.calls = CallLog(calls) if calls else None
        with serve_rest(world, world.access) as rest:
            yield Project(env, world, up, rest)


def copied(template: Path, folder: Path) -> Path:
    """A copy of a project that was left in a folder."""
    shutil.copytree(template, folder, dirs_exist_ok=True)
    return folder
