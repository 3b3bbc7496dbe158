"""What Google refuses for a moment: waited for, said, bounded, and nothing else is tried again."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ci.lifecycle.deploy import Deployer, Stack
from fonderie.core.errors import StepFailedError
from fonderie.terraform import refusals
from fonderie.terraform.refusals import KNOWN_REFUSALS, known_refusal, patiently
from fonderie.terraform.runner import Event, TerraformError, interruptible, pause

# As Google or the provider writes them: from the issue or page that the row names, names made neutral.
MESSAGES = {
    "the grant of a key is not effective": (
        "Error creating Bucket: googleapi: Error 403: Permission denied on Cloud KMS key. Please ensure that your "
        "Cloud Storage service account has been authorized to use this key., forbidden"
    ),
    "Eventarc's service agent has no role": (
        "Error creating Trigger: googleapi: Error 400: Invalid resource state for https://eventarc.googleapis.com: "
        "Permission denied while using the Eventarc Service Agent. If you recently started to use Eventarc, it may "
        "take a few minutes before all necessary permissions are propagated to the Service Agent. Otherwise, verify "
        "that it has Eventarc Service Agent role."
    ),
    "the log metric of an alert is not there": (
        "Error creating AlertPolicy: googleapi: Error 404: Cannot find metric(s) that match type = "
        '"logging.googleapis.com/user/dev-drift". If a metric was created recently, it could take up to 10 minutes to '
        "become available. Please try again soon."
    ),
    "an API was just enabled": (
        "Error creating Repository: googleapi: Error 403: Artifact Registry API has not been used in project 412 "
        "before or it is disabled. Enable it by visiting https://console.developers.google.com then retry. reason: "
        "SERVICE_DISABLED"
    ),
    "a service account is not known everywhere": (
        "Error applying IAM policy for project: googleapi: Error 400: Service account "
        "service-412345678901@gcp-sa-pubsub.iam.gserviceaccount.com does not exist., badRequest"
    ),
    "the right to attach a service account is not effective": (
        "Error creating Job: googleapi: Error 403: The principal (user or service account) lacks IAM permission "
        '"iam.serviceAccounts.actAs" for the resource "dev-scheduler@acme.iam.gserviceaccount.com"'
    ),
    "the cluster's pool of identities is not there": (
        "Error applying IAM policy for service account: googleapi: Error 400: Identity Pool does not exist "
        "(acme.svc.id.goog). Please check that you specified a valid resource name as returned in the `name` attribute"
    ),
}
BY_NAME = {row.not_ready: row for row in KNOWN_REFUSALS}

FAKE = """#!{python}
import json, pathlib, sys
here = pathlib.Path(__file__).parent
if sys.argv[1] == "version":
    print(json.dumps({{"terraform_version": "1.11.4"}}))
elif sys.argv[1] == "apply":
    left = json.loads((here / "failures.json").read_text())
    if left:
        (here / "failures.json").write_text(json.dumps(left[1:]))
        for summary in left[0]:
            print(json.dumps({{"@level": "error", "diagnostic": {{"summary": summary}}}}))
        sys.exit(1)
"""
Fake = Callable[[list[list[str]]], tuple[Deployer, Stack, list[Event], list[float]]]


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    """A Deployer whose Terraform fails as told, one list of errors an apply, and what it said and waited."""

    def deployer(failures: list[list[str]]) -> tuple[Deployer, Stack, list[Event], list[float]]:
        binary = tmp_path / "terraform"
        binary.write_text(FAKE.format(python=sys.executable))
        binary.chmod(0o755)
        (tmp_path / "failures.json").write_text(json.dumps(failures))
        events, waited = list[Event](), list[float]()
        variables = {**os.environ, "TERRAFORM_BINARY_NAME": str(binary)}
        return Deployer(variables, events.append, wait=waited.append), Stack("dev-data", tmp_path), events, waited

    return deployer


@pytest.mark.parametrize("row", KNOWN_REFUSALS, ids=lambda row: row.not_ready)
def test_each_known_refusal_is_waited_for_and_said(row: refusals.KnownRefusal, fake: Fake) -> None:
    deployer, stack, events, waited = fake([[MESSAGES[row.not_ready]], [MESSAGES[row.not_ready]]])

    deployer.deploy([stack])

    assert waited == [15, 30]
    assert [event.action for event in events if event.kind == "waiting"] == [
        f"Google is not ready: {row.not_ready}; again in {seconds} s" for seconds in (15, 30)
    ]


@pytest.mark.parametrize("row", KNOWN_REFUSALS, ids=lambda row: row.not_ready)
def test_without_its_row_a_refusal_is_an_error(
    row: refusals.KnownRefusal, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "KNOWN_REFUSALS", tuple(each for each in KNOWN_REFUSALS if each is not row))
    deployer, stack, _, waited = fake([[MESSAGES[row.not_ready]]])

    with pytest.raises(StepFailedError):
        deployer.deploy([stack])

    assert waited == []


def test_every_row_has_a_message_and_a_source_and_ends() -> None:
    assert MESSAGES.keys() == BY_NAME.keys()
    for row in KNOWN_REFUSALS:
        assert row.source.startswith("https://")
        assert 60 <= row.patience_s <= 900


@pytest.mark.parametrize(
    "message",
    [
        "Error creating Topic: googleapi: Error 403: User not authorized to perform this action., forbidden",
        "Error creating Bucket: googleapi: Error 409: Your previous request to create the named bucket succeeded",
        "Error creating Job: googleapi: Error 403: The principal lacks IAM permission cloudscheduler.jobs.create",
    ],
)
def test_any_other_refusal_fails_at_once(message: str, fake: Fake) -> None:
    deployer, stack, events, waited = fake([[message]])

    with pytest.raises(StepFailedError, match="Error creating"):
        deployer.deploy([stack])

    assert (waited, [event for event in events if event.kind == "waiting"]) == ([], [])


def test_one_error_that_stays_ends_it_whatever_passes_beside_it(fake: Fake) -> None:
    passes = MESSAGES["the log metric of an alert is not there"]
    deployer, stack, _, waited = fake([[passes, "Error: quota exceeded"]])

    with pytest.raises(StepFailedError, match=r"(?s)Cannot find metric.*Error: quota exceeded"):
        deployer.deploy([stack])

    assert waited == []


def test_patience_ends_with_googles_words(fake: Fake) -> None:
    row = BY_NAME["a service account is not known everywhere"]
    deployer, stack, _, waited = fake([[MESSAGES[row.not_ready]]] * 50)

    with pytest.raises(StepFailedError, match="does not exist"):
        deployer.deploy([stack])

    assert row.patience_s <= sum(waited) < row.patience_s + 60


def test_the_most_patient_of_several_refusals_counts() -> None:
    both = [MESSAGES["a service account is not known everywhere"], MESSAGES["the log metric of an alert is not there"]]

    assert known_refusal(TerraformError("x", both, where="s")) is BY_NAME["the log metric of an alert is not there"]


def test_lines_that_terraform_breaks_are_read_whole() -> None:
    broken = MESSAGES["a service account is not known everywhere"].replace(" ", "\n")

    assert known_refusal(TerraformError("x", [broken], where="s")) is not None


@pytest.mark.usefixtures("default_sigint")
def test_an_interrupt_ends_a_wait() -> None:
    """A signal while a deploy waits: it does not sleep on."""

    def refused() -> None:
        raise TerraformError("x", [MESSAGES["an API was just enabled"]], where="dev-data")

    def wait() -> None:
        with interruptible():
            threading.Timer(0.2, os.kill, [os.getpid(), 2]).start()
            patiently(refused, lambda _: None)

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        wait()

    assert time.monotonic() - started < 5


@pytest.mark.usefixtures("default_sigint")
def test_a_pause_of_another_thread_ends_with_an_interrupt() -> None:
    ended = list[str]()

    def wait() -> None:
        try:
            pause(30)
        except StepFailedError as error:
            ended.append(error.what)

    def deploy() -> None:
        with interruptible(), ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(wait)
            threading.Timer(0.2, os.kill, [os.getpid(), 2]).start()
            waiting.result()

    with pytest.raises(KeyboardInterrupt):
        deploy()

    assert ended == ["interrupted"]
