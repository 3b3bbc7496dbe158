"""A Google project in the sandbox, with what a build of it sees of Google: its identity, secrets, state, provider."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cel

from ci.lifecycle.deploy import Deployer, Stack, synthesise
from fonderie.sandbox.cloud.cloud import Cloud
from fonderie.sandbox.iam.access import AccessControl
from fonderie.sandbox.iam.caller import Caller
from fonderie.sandbox.runner import Options, StandIn, stand_in
from infra import names
from infra.settings import Environment, load_environment
from tests.e2e.storage import Storage, serving
from tests.google.server import Google, running
from tests.road.git_host import ISSUER
from tests.road.machine import ROOT

_PASSED_ON = ("TF_REATTACH_PROVIDERS", "TF_CLI_CONFIG_FILE", "CHECKPOINT_DISABLE", "TF_CLI_ARGS_apply")


@dataclass
class Project:
    """The project of one environment. `secrets` are the values that people put in: path of a secret -> value."""

    env: Environment
    cloud_file: Path
    up: StandIn
    storage: Storage
    apis: Google
    secrets: dict[str, str] = field(default_factory=dict)

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
        with Cloud(self.cloud_file) as cloud:
            return [each.attributes for each in cloud.things(type)]

    def environment_for(self, identity: str) -> dict[str, str]:
        """What a process of `identity` needs to reach this Google in the place of the real one."""
        return {
            **{name: self.up.environment[name] for name in _PASSED_ON if name in self.up.environment},
            "FONDERIE_GOOGLE_ENDPOINT": self.apis.address,
            "GOOGLE_BACKEND_STORAGE_CUSTOM_ENDPOINT": self.storage.url,
            "GOOGLE_OAUTH_ACCESS_TOKEN": identity,
            "OMP_NUM_THREADS": "1",
        }

    def demand(self, caller: Caller, permission: str, path: str) -> None:
        """Raises DeniedError in Google's words."""
        with Cloud(self.cloud_file) as cloud:
            AccessControl(cloud).demand(caller, (permission,), path)

    def demand_log(self, identity: str) -> None:
        """A build with an account of ours writes its own log."""
        self.demand(Caller(identity), "logging.logEntries.create", f"projects/{self.id}")

    def demand_start(self, caller: str, identity: str) -> None:
        """Running a trigger creates a build, and attaches the trigger's account to it."""
        self.demand(Caller(caller), "cloudbuild.builds.create", f"projects/{self.id}")
        account = f"projects/{self.id}/serviceAccounts/{identity.partition(':')[2]}"
        self.demand(Caller(caller), "iam.serviceAccounts.actAs", account)

    def demand_push(self, identity: str, image: str) -> None:
        """Who pushes an image writes into its repository: REGION-docker.pkg.dev/PROJECT/REPOSITORY/IMAGE:TAG."""
        host, project, repository, _ = image.split("/", 3)
        location = host.removesuffix("-docker.pkg.dev")
        path = f"projects/{project}/locations/{location}/repositories/{repository}"
        self.demand(Caller(identity), "artifactregistry.repositories.uploadArtifacts", path)

    def secret(self, identity: str, version: str) -> str:
        """The value of `projects/P/secrets/S/versions/V`, read by `identity`."""
        path = version.partition("/versions/")[0]
        self.demand(Caller(identity), "secretmanager.versions.access", path)
        return self.secrets[path]

    def federated(self, claims: Mapping[str, Any], provider: str, account: str) -> str:
        """Exchange a job's token and become an account, as the security token service does; the member."""
        path = provider.replace(f"projects/{self.number}/", f"projects/{self.id}/")
        attributes = next(
            each
            for each in self.objects("google_iam_workload_identity_pool_provider")
            if path.endswith(f"/providers/{each['workload_identity_pool_provider_id']}")
        )
        assert attributes["oidc"][0]["issuer_uri"] == claims["iss"] == ISSUER
        assert cel.evaluate(attributes["attribute_condition"], {"assertion": dict(claims)}) is True, "condition not met"
        mapped = {
            name: str(cel.evaluate(expression, {"assertion": dict(claims)}))
            for name, expression in attributes["attribute_mapping"].items()
        }
        pool = f"projects/{self.number}/{path.partition('/providers/')[0].split('/', 2)[2]}"
        member = f"principal://iam.googleapis.com/{pool}/subject/{mapped.pop('google.subject')}"
        self.demand(
            Caller(member, mapped), "iam.serviceAccounts.getAccessToken", f"projects/{self.id}/serviceAccounts/{account}"
        )
        return f"serviceAccount:{account}"


def put_secret(project: Project, which: names.SecretName, value: str) -> None:
    """What a person does once: `gcloud secrets versions add`."""
    path = f"projects/{project.id}/secrets/{names.secret(project.env, which)}"
    attributes = {"secret": path, "version": "1", "enabled": True, "project": project.id}
    project.secrets[path] = value
    with Cloud(project.cloud_file) as cloud:
        cloud.put("google_secret_manager_secret_version", f"{path}/versions/1", project.id, attributes)


def deploy(project: Project, folder: Path) -> None:
    """What a person does first: bootstrap, then every stack. State is in the project's bucket from then on."""
    environment = {
        **{name: value for name, value in project.up.environment.items() if name != "FONDERIE_BACKEND"},
        **project.environment_for("user:person@example.com"),
        "CDKTF_OUTDIR": str(folder / "cdktf.out"),
        "FONDERIE_HOME": str(folder / "home"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "fonderie.cli.main", "bootstrap", "--env", project.env.name],
        env=environment, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr

    def store(stack: Stack) -> None:
        if stack.name.endswith("-data"):
            for which in names.SecretName:
                put_secret(project, which, "stored by a person")

    stacks = synthesise([project.env.name], folder / "stacks", variables=environment)
    Deployer(environment).deploy(stacks, done=store)


@contextmanager
def opened(name: str, folder: Path) -> Iterator[Project]:
    """The project of an environment: new in an empty folder, else as it was left there."""
    cloud_file = folder / "google.sqlite"

    def exists(bucket: str) -> bool:
        with Cloud(cloud_file) as cloud:
            return any(each.attributes["name"] == bucket for each in cloud.things("google_storage_bucket"))

    objects = folder / "objects.pickle"
    with stand_in(Options(cloud=cloud_file)) as up, serving(exists) as storage, running() as apis:
        if objects.is_file():
            storage.objects, storage.generation = pickle.loads(objects.read_bytes())
        env = load_environment(name)
        apis.storage.buckets[names.bucket(env, names.BucketName.MODELS)] = {}
        yield Project(env, cloud_file, up, storage, apis)
        objects.write_bytes(pickle.dumps((storage.objects, storage.generation)))


def copied(template: Path, folder: Path) -> Path:
    """A copy of a project that was left in a folder."""
    shutil.copytree(template, folder, dirs_exist_ok=True)
    return folder
