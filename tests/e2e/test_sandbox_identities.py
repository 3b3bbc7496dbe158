"""Who plans and who applies are told apart, by the real Terraform."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fonderie.sandbox.runner import Options, StandIn, stand_in
from tests.e2e.stacks import apis, write_stacks

pytestmark = pytest.mark.e2e
PROJECT = "acme-ml-dev"
ACCOUNTS = {name: f"{name}@{PROJECT}.iam.gserviceaccount.com" for name in ("dev-plan", "dev-apply")}
WRITES = ["pubsub.topics.create", "pubsub.topics.get", "pubsub.topics.update", "pubsub.topics.delete"]


def bootstrap() -> dict[str, dict[str, Any]]:
    """The two accounts; `plan` may read no topic yet."""
    ready = {"depends_on": ["google_project_service.iam", "google_project_service.cloudresourcemanager"]}
    return {
        "google_project_service": apis("iam", "cloudresourcemanager", "pubsub"),
        "google_service_account": {name: {"account_id": name, **ready} for name in ACCOUNTS},
        "google_project_iam_custom_role": {
            "apply": {"role_id": "dev_apply", "title": "apply", "permissions": WRITES, **ready},
        },
        "google_project_iam_member": {
            "apply": {
                "project": PROJECT,
                "role": "${google_project_iam_custom_role.apply.name}",
                "member": "${google_service_account.dev-apply.member}",
            }
        },
    }


@pytest.fixture
def stacks(tmp_path: Path) -> Path:
    written = {"boot": ([], bootstrap()), "topics": (["boot"], {"google_pubsub_topic": {"t": {"name": "events"}}})}
    folder = write_stacks(tmp_path / "out", written)
    for file in folder.glob("stacks/*/cdk.tf.json"):
        file.write_text(file.read_text().replace("demo-proj", PROJECT))
    return folder / "stacks"


@pytest.fixture
def up(tmp_path: Path) -> Iterator[StandIn]:
    with stand_in(Options(tmp_path / "google.sqlite")) as running:
        yield running


def terraform(folder: Path, *arguments: str, env: dict[str, str], code: int = 0) -> str:
    """What it printed, in one line."""
    command = ["terraform", f"-chdir={folder}", *arguments, "-no-color"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=100)
    words = " ".join((done.stdout + done.stderr).replace("│", " ").split())
    assert done.returncode == code, words[-2000:]
    return words


def test_a_plan_is_made_by_who_plans_and_an_apply_by_who_applies(stacks: Path, up: StandIn) -> None:
    for name in ("boot", "topics"):
        terraform(stacks / name, "init", env=up.environment)
    words = terraform(stacks / "topics", "plan", env=up.environment, code=1)
    assert f"service account {ACCOUNTS['dev-plan']} does not exist" in words
    assert "run `fonderie sandbox run --as person -- fonderie bootstrap --env dev` first" in words

    terraform(stacks / "boot", "apply", "-auto-approve", env=up.as_("person"))
    terraform(stacks / "topics", "apply", "-auto-approve", env=up.environment)

    words = terraform(stacks / "topics", "plan", env=up.environment, code=1)
    assert f"{ACCOUNTS['dev-plan']} lacks pubsub.topics.get on projects/{PROJECT}/topics/events" in words
    assert "No changes" in terraform(stacks / "topics", "plan", env=up.as_("person"))

    words = terraform(stacks / "boot", "apply", "-auto-approve", env=up.environment, code=1)
    assert f"{ACCOUNTS['dev-apply']} lacks" in words
    terraform(stacks / "topics", "destroy", "-auto-approve", env=up.environment)


def test_one_identity_makes_every_call_where_it_is_named(stacks: Path, tmp_path: Path) -> None:
    with stand_in(Options(tmp_path / "one.sqlite", identity="user:eve@example.com")) as eve:
        terraform(stacks / "boot", "init", env=eve.environment)
        words = terraform(stacks / "boot", "apply", "-auto-approve", env=eve.environment, code=1)
    assert f"eve@example.com lacks serviceusage.services.enable on projects/{PROJECT}" in words


def test_what_was_just_enabled_takes_effect_late(stacks: Path, tmp_path: Path) -> None:
    with stand_in(Options(tmp_path / "late.sqlite", identity="person", propagation_s=600)) as up:
        terraform(stacks / "boot", "init", env=up.environment)
        words = terraform(stacks / "boot", "apply", "-auto-approve", env=up.environment, code=1)
    assert "If you enabled this API recently, wait a few minutes" in words
