"""Every environment, deployed by the real Terraform on an imitated project that nobody has used before."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fonderie.core.google_iam import provider_calls
from fonderie.sandbox.cloud.cloud import Cloud
from fonderie.sandbox.iam.caller import identity
from fonderie.sandbox.lifecycle import object_requests, permissions
from fonderie.sandbox.lifecycle.interface import ApiError, ProviderConfig
from fonderie.sandbox.lifecycle.policies import is_part, target
from fonderie.sandbox.lifecycle.world import World
from fonderie.sandbox.process import default_schema, load_facts
from fonderie.sandbox.provider.facts import FACTS_FILE
from fonderie.sandbox.provider.schema import ProviderSchema
from fonderie.sandbox.runner import Options, StandIn, stand_in
from infra import names
from infra.names import StackName
from infra.settings import Environment, environment_names, load_environment

pytestmark = pytest.mark.e2e


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[StandIn]:
    with stand_in(Options(cloud=tmp_path / "google.sqlite")) as up:
        up.environment["CDKTF_OUTDIR"] = str(tmp_path / "cdktf.out")
        yield up


def run(sandbox: StandIn, *command: str, who: str = "", code: int = 0) -> str:
    environment = sandbox.as_(who) if who else sandbox.environment
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == code, f"{' '.join(command)}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
    return done.stdout


def terraform(sandbox: StandIn, stack: str, *arguments: str, who: str = "") -> str:
    folder = Path(sandbox.environment["CDKTF_OUTDIR"]) / "stacks" / stack
    return run(sandbox, "terraform", f"-chdir={folder}", *arguments, "-no-color", "-input=false", who=who)


def bootstrap(sandbox: StandIn, name: str) -> str:
    return run(sandbox, sys.executable, "-m", "fonderie.cli.main", "bootstrap", "--env", name, "--json", who="person")


def store_the_token_as_a_person_would(cloud_file: str, env: Environment) -> None:
    """Terraform never sees a secret's value: it is put in by hand, once."""
    secret = f"projects/{env.project_id}/secrets/{names.secret(env, names.SecretName.GIT_TOKEN)}"
    attributes = {"secret": secret, "version": "1", "enabled": True, "project": env.project_id}
    with Cloud(Path(cloud_file)) as cloud:
        cloud.put("google_secret_manager_secret_version", f"{secret}/versions/1", env.project_id, attributes)


@pytest.mark.prove(every=4)
@pytest.mark.parametrize("name", environment_names())
def test_an_environment_comes_up_at_the_first_apply_and_the_plan_after_it_is_empty(
    name: str, sandbox: StandIn, tmp_path: Path
) -> None:
    env = load_environment(name)

    state = json.loads(bootstrap(sandbox, name))["state"]
    assert state == str(tmp_path / ".fonderie" / "state" / f"{name}-bootstrap.tfstate")
    for stack in (names.stack(env, each) for each in StackName if each is not StackName.BOOTSTRAP):
        terraform(sandbox, stack, "init")
        terraform(sandbox, stack, "apply", "-auto-approve")
        if stack.endswith("-data"):
            store_the_token_as_a_person_would(sandbox.environment["FONDERIE_SANDBOX"], env)

    for stack in (names.stack(env, each) for each in StackName):
        who = "person" if stack.endswith("-bootstrap") else ""  # it is a person's, and so is the budget's account
        terraform(sandbox, stack, "plan", "-detailed-exitcode", who=who)

    assert refusals(env, tmp_path) == []


def refusals(env: Environment, folder: Path) -> list[str]:
    """What would be refused of the recorded calls of every resource in the states. `plan` reads, `apply` does all of
    it; the bootstrap is the person's."""
    refused = list[str]()
    provider = ProviderConfig(project=env.project_id, region=env.region, values={"user_project_override": True})
    provider = replace(provider, values={**provider.values, "billing_project": env.project_id})
    with Cloud(folder / "google.sqlite") as cloud:
        world = World(cloud, ProviderSchema.load(default_schema()), load_facts(FACTS_FILE))
        for file in sorted((folder / ".fonderie" / "state").glob(f"{env.name}-*.tfstate")):
            writer = "person" if file.stem.endswith("-bootstrap") else "apply"
            for type, state in managed(file):
                for action in provider_calls().get(type, {}):
                    for name in {writer, "plan"} if action == "read" and writer == "apply" else {writer}:
                        caller = identity(name, env.project_id)
                        try:
                            demand(world, type, action, state, replace(provider, caller=caller))
                        except ApiError as error:
                            refused.append(f"{name} {action} {type}: {error}")
    return refused


def managed(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for resource in json.loads(file.read_text())["resources"]:
        if resource["mode"] == "managed":
            yield from ((resource["type"], each["attributes"]) for each in resource["instances"])


def demand(world: World, type: str, action: str, state: dict[str, Any], provider: ProviderConfig) -> None:
    """Raises ApiError for what the caller may not."""
    if is_part(type):
        roles = [state["role"]] if "role" in state else []
        permissions.demand_on_policy(world, type, action, target(world.names, type, state, provider), provider, roles)
        return
    request = object_requests.request_for(world, type, state, provider, read=True)
    request.prior = state if action == "update" else None
    permissions.demand(request, action)


def test_bootstrapping_twice_makes_nothing_twice(sandbox: StandIn, tmp_path: Path) -> None:
    bootstrap(sandbox, "local")
    once = made(tmp_path / ".fonderie" / "state" / "local-bootstrap.tfstate")
    bootstrap(sandbox, "local")
    assert made(tmp_path / ".fonderie" / "state" / "local-bootstrap.tfstate") == once


def filled(value: object) -> object:
    """The value without what is empty at any depth; nothing for a zero."""
    if isinstance(value, dict):
        return {key: kept for key, inner in value.items() if (kept := filled(inner))}
    return [kept for inner in value if (kept := filled(inner))] if isinstance(value, list) else value


def made(state: Path) -> dict[tuple[str, str], dict[str, object]]:
    """What there is, without versions of policies, and null as its type's zero: what a refresh changes of itself."""
    return {
        (each["type"], each["name"]): {
            key: kept
            for key, value in each["instances"][0]["attributes"].items()
            if key != "etag" and (kept := filled(value))
        }
        for each in json.loads(state.read_text())["resources"]
    }


def test_a_bootstrap_that_google_refuses_says_what_terraform_said(sandbox: StandIn) -> None:
    run(
        sandbox,
        sys.executable,
        "-m",
        "fonderie.cli.main",
        "sandbox",
        "faults",
        "--rate",
        "403=1.0",
        "--cloud",
        _cloud(sandbox),
    )
    command = (sys.executable, "-m", "fonderie.cli.main", "bootstrap", "--env", "local")
    environment = sandbox.as_("person")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 5
    assert "terraform apply" in done.stderr
    assert "run the command again" in done.stderr
    assert "Traceback" not in done.stderr


def _cloud(sandbox: StandIn) -> str:
    return os.fspath(sandbox.environment["FONDERIE_SANDBOX"])
