"""The deploy waits for what Google is not ready with: the sandbox refuses it, a row of the table knows it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ci.lifecycle.deploy import Deployer, Stack
from fonderie.sandbox.cloud.cloud import Cloud
from fonderie.sandbox.lifecycle.members import workload_pool_note
from fonderie.sandbox.runner import Options, stand_in
from fonderie.terraform import refusals
from fonderie.terraform.refusals import KNOWN_REFUSALS
from fonderie.terraform.runner import Event, TerraformError
from tests.e2e.stacks import Resources, apis, write_stacks

pytestmark = pytest.mark.e2e
PROJECT, NUMBER = "acme-ml-dev", 412345678901
LATE_S = 3600.0
ACT_AS = "the right to attach a service account is not effective"
KEY_USE = "the grant of a key is not effective"
EVENTARC_ROLE = "Eventarc's service agent has no role"
RUNS = f"late-runs@{PROJECT}.iam.gserviceaccount.com"
PUBSUB = f"service-{NUMBER}@gcp-sa-pubsub.iam.gserviceaccount.com"
STORAGE = f"service-{NUMBER}@gs-project-accounts.iam.gserviceaccount.com"
EVENTARC = f"service-{NUMBER}@gcp-sa-eventarc.iam.gserviceaccount.com"
APIS = ("iam", "cloudresourcemanager", "cloudkms", "storage", "logging", "monitoring", "eventarc", "workflows",
        "pubsub")  # fmt: skip
KEY = f"projects/{PROJECT}/locations/us-central1/keyRings/r/cryptoKeys/k"
WORKFLOW = {"name": "w", "region": "us-central1", "source_contents": "main: {}", "deletion_protection": False}
LATE: dict[str, Resources] = {
    "an API was just enabled": {
        "google_project_service": apis("secretmanager"),
        "google_secret_manager_secret": {
            "s": {
                "secret_id": "s",
                "replication": {"auto": {}},
                "depends_on": ["google_project_service.secretmanager"],
            }
        },
    },
    KEY_USE: {
        "google_storage_bucket": {
            "b": {"name": "acme-ml-dev-late", "location": "us-central1", "encryption": {"default_kms_key_name": KEY}}
        },
    },
    EVENTARC_ROLE: {
        "google_workflows_workflow": {"w": WORKFLOW},
        "google_eventarc_trigger": {
            "t": {
                "name": "t",
                "location": "us-central1",
                "matching_criteria": [{"attribute": "type", "value": "google.cloud.pubsub.topic.v1.messagePublished"}],
                "destination": {"workflow": "${google_workflows_workflow.w.id}"},
            }
        },
    },
    "the log metric of an alert is not there": {
        "google_logging_metric": {"drift": {"name": "drift", "filter": "severity=ERROR"}},
        "google_monitoring_alert_policy": {
            "a": {
                "display_name": "drift",
                "combiner": "OR",
                "conditions": {
                    "display_name": "d",
                    "condition_threshold": {
                        "comparison": "COMPARISON_GT",
                        "duration": "0s",
                        "filter": 'metric.type = "logging.googleapis.com/user/drift" AND resource.type = "global"',
                    },
                },
                "depends_on": ["google_logging_metric.drift"],
            }
        },
    },
    ACT_AS: {
        "google_workflows_workflow": {"w": {**WORKFLOW, "service_account": RUNS}},
    },
    "a service account is not known everywhere": {
        "google_project_iam_member": {
            "m": {"project": PROJECT, "role": "roles/pubsub.serviceAgent", "member": f"serviceAccount:{PUBSUB}"}
        },
    },
    "the cluster's pool of identities is not there": {
        "google_service_account_iam_member": {
            "m": {
                "service_account_id": f"projects/{PROJECT}/serviceAccounts/{RUNS}",
                "role": "roles/iam.workloadIdentityUser",
                "member": f"serviceAccount:{PROJECT}.svc.id.goog[team/app]",
            }
        },
    },
}
"""Stacks that need what was made a moment ago, by the row that knows the refusal."""


def base() -> Resources:
    """What has been there for long: the APIs, who applies and may make workflows, an account."""
    ready = {"depends_on": ["google_project_service.iam", "google_project_service.cloudresourcemanager"]}
    return {
        "google_project_service": apis(*APIS),
        "google_service_account": {
            name: {"account_id": name, **ready} for name in ("dev-plan", "dev-apply", "late-runs")
        },
        "google_project_iam_custom_role": {
            "apply": {
                "role_id": "dev_apply",
                "title": "apply",
                "permissions": [f"workflows.workflows.{verb}" for verb in ("create", "get", "update", "delete")]
                + ["workflows.operations.get"],
                **ready,
            }
        },
        "google_project_iam_member": {
            "apply": {
                "project": PROJECT,
                "role": "${google_project_iam_custom_role.apply.name}",
                "member": "${google_service_account.dev-apply.member}",
            }
        },
    }


GRANTED: dict[str, Resources] = {
    ACT_AS: {
        "google_service_account_iam_member": {
            "m": {
                "service_account_id": f"projects/{PROJECT}/serviceAccounts/{RUNS}",
                "role": "roles/iam.serviceAccountUser",
                "member": f"serviceAccount:dev-apply@{PROJECT}.iam.gserviceaccount.com",
            }
        }
    },
    KEY_USE: {
        "google_kms_key_ring": {"r": {"name": "r", "location": "us-central1"}},
        "google_kms_crypto_key": {"k": {"name": "k", "key_ring": "${google_kms_key_ring.r.id}"}},
        "google_kms_crypto_key_iam_member": {
            "m": {
                "crypto_key_id": "${google_kms_crypto_key.k.id}",
                "role": "roles/cloudkms.cryptoKeyEncrypterDecrypter",
                "member": f"serviceAccount:{STORAGE}",
            }
        },
    },
    EVENTARC_ROLE: {
        "google_project_iam_member": {
            "m": {"project": PROJECT, "role": "roles/eventarc.serviceAgent", "member": f"serviceAccount:{EVENTARC}"}
        },
    },
}
"""What another stack granted a moment ago."""
APPEARS: dict[str, Callable[[Cloud], None]] = {
    "a service account is not known everywhere": lambda cloud: cloud.add_agent(PUBSUB),
    "the cluster's pool of identities is not there": lambda cloud: cloud.set_note(workload_pool_note(PROJECT), "1"),
}
"""What Google makes in its own time: here while the deploy waits."""


def an_hour_passes(cloud: Cloud) -> None:
    """What was made or granted so far was so an hour ago: the sandbox notes when, for as long as it matters."""
    for (key,) in cloud.all("SELECT key FROM meta WHERE key LIKE 'made:%' OR key LIKE 'policy-history:%'"):
        cloud.set_note(key, None)


def stack(folder: Path, name: str, resources: Resources) -> Stack:
    file = write_stacks(folder / "out", {name: ([], resources)}) / "stacks" / name / "cdk.tf.json"
    file.write_text(file.read_text().replace("demo-proj", PROJECT))
    return Stack(name, file.parent)


@pytest.fixture(scope="module")
def long_there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cloud in which the base was made long ago."""
    folder = tmp_path_factory.mktemp("base")
    with stand_in(Options(folder / "google.sqlite", identity="person")) as up:
        Deployer(up.environment).deploy([stack(folder, "base", base())])
    with Cloud(folder / "google.sqlite") as cloud:
        for agent in (STORAGE, EVENTARC):
            cloud.add_agent(agent)
    return folder


@pytest.fixture(params=[row.not_ready for row in KNOWN_REFUSALS])
def late(request: pytest.FixtureRequest, long_there: Path, tmp_path: Path) -> Iterator[tuple[str, Deployer, Stack]]:
    """A row of the table, a stack that meets its refusal, and who deploys it; what passes, passes while it waits."""
    row = request.param
    file = shutil.copytree(long_there, tmp_path / "cloud") / "google.sqlite"

    def wait(_: float) -> None:
        with Cloud(file) as cloud:
            an_hour_passes(cloud)
            if row in APPEARS:
                APPEARS[row](cloud)

    with stand_in(Options(file, propagation_s=LATE_S)) as up:
        environment = up.as_("person")
        if row in GRANTED:
            Deployer(environment).deploy([stack(tmp_path, "granted", GRANTED[row])])
        by_whom = up.environment if row == ACT_AS else environment  # an owner may attach every account
        yield row, Deployer(by_whom, wait=wait), stack(tmp_path, "late", LATE[row])


@pytest.mark.prove(every=4)
def test_the_deploy_waits_for_what_google_is_not_ready_with(
    late: tuple[str, Deployer, Stack], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And without its row it does not: it fails with Google's words."""
    row, deployer, waiting = late
    known = next(each for each in KNOWN_REFUSALS if each.not_ready == row)
    with monkeypatch.context() as without:
        without.setattr(refusals, "KNOWN_REFUSALS", tuple(each for each in KNOWN_REFUSALS if each is not known))
        with pytest.raises(TerraformError) as refused:
            deployer.deploy([waiting])
    messages = [" ".join(message.split()) for message in refused.value.messages]
    assert messages
    assert [message for message in messages if not known.pattern.search(message)] == []

    said: list[Event] = []
    replace(deployer, progress=said.append).deploy([waiting])
    waits = [event.action for event in said if event.kind == "waiting"]
    assert waits
    assert all(text.startswith(f"Google is not ready: {row}; again in ") for text in waits)
