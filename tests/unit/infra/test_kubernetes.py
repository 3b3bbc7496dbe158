"""What Config Sync puts on the clusters fits what the stacks grant."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra import names
from infra.bindings import ROOT
from infra.settings import environment_names, load_environment
from infra.stacks.runtime import WORKLOADS
from tests.unit.conftest import Synthesised
from tests.unit.infra.synthesised import one

FOLDER = ROOT / "infra" / "kubernetes"


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text()))


@pytest.mark.parametrize("name", environment_names())
def test_each_environments_folder_names_the_identities_the_stacks_let_in(name: str) -> None:
    env = load_environment(name)
    (overlay,) = documents(FOLDER / name / "kustomization.yaml")
    said = {}
    for patch in overlay["patches"]:
        (operation,) = yaml.safe_load(patch["patch"])
        account = f"{patch['target']['namespace']}/{patch['target']['name']}"
        said[account] = operation["value"]["iam.gke.io/gcp-service-account"]
    assert said == {account: names.email(env, who) for account, who in WORKLOADS.items()}


@pytest.mark.parametrize("name", environment_names())
def test_the_cluster_pulls_its_environments_manifests_by_digest_as_an_identity_of_its_own(
    name: str, stacks: Synthesised
) -> None:
    env = load_environment(name)
    runtime = stacks[f"{name}-runtime"]
    assert "fleet_default_member_config" not in one(runtime, "gke_hub_feature")  # taken at joining, then in the way
    member = one(runtime, "gke_hub_feature_membership")
    cluster = "google_container_cluster.cluster.fleet[0]"
    assert member["membership"] == f"${{{cluster}.membership_id}}"
    assert member["membership_location"] == f"${{{cluster}.membership_location}}"
    configured = member["configmanagement"]
    identity = names.email(env, names.IdentityName.SYNC)
    oci = {"policy_dir": ".", "secret_type": "gcpserviceaccount", "gcp_service_account_email": identity}
    assert set(configured) == {"config_sync"}  # Google has removed `management`
    assert configured["config_sync"] == {
        "enabled": True,
        "prevent_drift": True,
        "source_format": "unstructured",
        **({"oci": {"sync_repo": env.kubeflow.manifests, **oci}} if env.kubeflow.manifests else {}),
    }
    let_in = one(
        stacks[f"{name}-runtime"],
        "service_account_iam_member",
        service_account_id=names.account_path(env, names.IdentityName.SYNC),
    )
    assert let_in["role"] == "roles/iam.workloadIdentityUser"
    assert let_in["member"].endswith(".svc.id.goog[config-management-system/root-reconciler]")


def test_every_file_of_the_base_is_used_and_what_comes_from_outside_is_pinned_to_one_version() -> None:
    (base,) = documents(FOLDER / "base" / "kustomization.yaml")
    remote = [each for each in base["resources"] if each.startswith("https://")]
    ours = {each for each in base["resources"] if each not in remote}
    assert ours == {path.name for path in (FOLDER / "base").glob("*.yaml")} - {"kustomization.yaml"}
    versions = {re.search(r"\?ref=(\d+\.\d+\.\d+)$", each)[1] for each in remote}  # type: ignore[index]  # each is pinned
    assert versions == {version("kfp")}  # the SDK compiles what the cluster's driver reads


def test_every_document_is_a_kubernetes_object() -> None:
    for path in sorted(FOLDER.rglob("*.yaml")):
        for document in documents(path):
            assert {"apiVersion", "kind"} <= set(document), path
