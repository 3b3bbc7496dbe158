"""What Config Sync puts on a cluster: rendered here, pushed as an artefact, pulled there by its digest.

A cluster never renders: Config Sync's renderer has no shell and fetches no remote base. Source: Config Sync, "KNV1068".
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from fonderie.core.errors import BadDataError, MissingToolError, StepFailedError
from fonderie.google import Access
from fonderie.google.artifacts import OciImage, annotations_of, push
from infra import names
from infra.bindings import ROOT
from infra.settings import Environment, load_environment
from infra.stacks.runtime import WORKLOADS

KUBERNETES = ROOT / "infra" / "kubernetes"
FILE = "manifests.yaml"
BESIDE = "dev.fonderie.manifests."  # an annotation, for each environment that is promoted to


def render(env: Environment, folder: Path = KUBERNETES) -> str:
    """The environment's folder as plain manifests. Fetches Kubeflow's at the version that the base names.

    Raises MissingToolError, StepFailedError (Kustomize's own words), BadDataError: Config Sync would refuse it.
    """
    commands = {"kustomize": ("build",), "kubectl": ("kustomize",)}
    tool = next((name for name in commands if shutil.which(name)), None)
    if tool is None:
        raise MissingToolError("neither kustomize nor kubectl is installed", hint="install Kustomize 5")
    command = [tool, *commands[tool], str(folder / env.name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StepFailedError(f"{tool} failed: {done.stderr.strip()}", where=folder / env.name)
    if problems := list(_problems(env, list(filter(None, yaml.safe_load_all(done.stdout))))):
        raise BadDataError("; ".join(problems), where=f"manifests of {env.name}")
    return done.stdout


def _problems(env: Environment, objects: list[dict[str, Any]]) -> Iterator[str]:
    """What Config Sync would refuse, and accounts that are not the identities that the stacks let in."""
    made = {each["metadata"]["name"] for each in objects if each.get("kind") == "Namespace"} | {"default"}
    accounts = {}
    for each in objects:
        meta = each.get("metadata", {})
        if not each.get("apiVersion") or not each.get("kind") or not meta.get("name"):
            yield f"not a Kubernetes object: {str(each)[:80]}"
        if each.get("kind") == "Kustomization":
            yield f"{meta.get('name')} is not rendered"
        if (space := meta.get("namespace")) and space not in made:
            yield f"{each.get('kind')} {meta.get('name')} is in {space}, which nothing makes"
        if each.get("kind") == "ServiceAccount":
            identity = meta.get("annotations", {}).get("iam.gke.io/gcp-service-account")
            accounts[f"{space}/{meta.get('name')}"] = identity
    for account, who in WORKLOADS.items():
        if (wanted := names.email(env, who)) != accounts.get(account):
            yield f"service account {account} is {accounts.get(account) or 'not annotated'}, not {wanted}"


def push_all(owner: Environment, access: Access, folder: Path = KUBERNETES) -> dict[str, str]:
    """Render and push for every environment that pulls from the owner's registry: environment -> reference by digest.

    Each notes those of the same commit that are promoted to from it, the owner first, then `readers` in their order.
    Nothing is pushed unless all could be rendered. Raises what `render` and `fonderie.google.artifacts.push` raise.
    """
    environments = [owner, *(load_environment(reader.name) for reader in owner.image_readers)]
    rendered = {env.name: render(env, folder) for env in environments if env.features.config_sync}
    pushed = dict[str, str]()
    for name, text in reversed(rendered.items()):
        later = {BESIDE + other: reference for other, reference in pushed.items()}
        pushed[name] = push(access, f"{names.images_url(owner)}/manifests-{name}", OciImage.of({FILE: text}, later))
    return {name: pushed[name] for name in rendered}


def beside(access: Access, reference: str, environment: str) -> str:
    """What was rendered for an environment from the same commit as the manifests `reference`; empty where it is not
    noted. Raises what `fonderie.google.artifacts.annotations_of` raises."""
    return annotations_of(access, reference).get(BESIDE + environment, "")
