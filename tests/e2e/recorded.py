"""Ten pull requests: a folder each with base and head as Terraform reads them, and the comment we expect."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from ci.lifecycle.deploy import Deployer, Stack
from ci.preview.assemble import Material, assemble
from ci.preview.build.plans import plan_environment
from ci.preview.report import PolicyResult, Preview, Source, Truth
from fonderie.sandbox.runner import Options, stand_in

FOLDER = Path(__file__).parent / "pull_requests"
GOOGLE = {"source": "hashicorp/google", "version": "7.45.0"}


def names() -> list[str]:
    """The recorded pull requests."""
    return sorted(path.name for path in FOLDER.iterdir() if path.is_dir())


def previews(work: Path) -> dict[str, Preview]:
    """Each pull request's preview: base deployed in one sandbox, head planned on it, by the real Terraform."""
    stacks = {name: Stack(f"prod-{name.replace('_', '-')}", work / name) for name in names()}
    with stand_in(Options(cloud=work / "cloud.sqlite", established=True)) as up:
        for name, stack in stacks.items():
            _write(name, "base", stack)
        Deployer(up.environment).deploy(list(stacks.values()))
        for name, stack in stacks.items():
            _write(name, "head", stack)
        return {name: _preview(name, stack, up.environment) for name, stack in stacks.items()}


def _write(name: str, side: str, stack: Stack) -> None:
    stack.folder.mkdir(parents=True, exist_ok=True)
    body = json.loads((FOLDER / name / f"{side}.tf.json").read_text(encoding="utf-8"))
    body["terraform"] = {"required_providers": {"google": GOOGLE}, "backend": {"local": {"path": "state.tfstate"}}}
    project = f"acme-{name.replace('_', '-')}"[:30].rstrip("-")
    body["provider"] = {"google": [{"project": project, "region": "europe-west1"}]}
    (stack.folder / "cdk.tf.json").write_text(json.dumps(body), encoding="utf-8")


def _preview(name: str, stack: Stack, variables: Mapping[str, str]) -> Preview:
    plans = plan_environment("prod", [stack], variables)
    return assemble(
        Material(
            plans.plans,
            plans.failed,
            _models(name, "base"),
            _models(name, "head"),
            PolicyResult(),
            Source(truth=Truth.SANDBOX, head="7c1e2d4aa", base="a90b3f1cc", tools=("google 7.45.0",)),
        )
    )


def _models(name: str, side: str) -> dict[str, str]:
    found = sorted((FOLDER / name).glob(f"{side}.*.toml"))
    return {path.name.split(".")[1]: path.read_text(encoding="utf-8") for path in found}
