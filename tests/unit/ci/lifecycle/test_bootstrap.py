"""The bootstrap's first look at a bucket that is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from ci.lifecycle import bootstrap
from ci.lifecycle.bootstrap import Bootstrap
from fonderie.core.errors import StepFailedError
from infra.settings import load_environment


@pytest.fixture
def first_look(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bootstrap:
    monkeypatch.setattr(bootstrap, "synthesise", lambda *_, **__: None)
    monkeypatch.setenv("CDKTF_OUTDIR", str(tmp_path))
    return Bootstrap(load_environment("dev"), lambda _: None)


@pytest.mark.parametrize(
    "said",
    [
        "Failed to get existing workspaces: querying Cloud Storage failed: storage: bucket doesn't exist",
        'Error 403: Cloud Storage JSON API has not been used\nin project 41 before or it is disabled., forbidden',
        'googleapi: Error 403: ... "reason": "SERVICE_DISABLED", "domain": "googleapis.com"',
        "googleapi: Error 403: Access Not Configured., accessNotConfigured",
    ],
)  # fmt: skip
def test_without_a_bucket_or_without_cloud_storage_the_state_begins_here(
    first_look: Bootstrap, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    """A project that an API made may have Cloud Storage switched off; the stack switches it on."""

    def refused(*_: object) -> None:
        raise StepFailedError(said)

    monkeypatch.setattr(bootstrap.Terraform, "init", refused)

    assert not first_look._is_in_the_bucket()


def test_any_other_refusal_ends_the_bootstrap(first_look: Bootstrap, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise StepFailedError("Error 403: ada@acme.com does not have storage.objects.list access")

    monkeypatch.setattr(bootstrap.Terraform, "init", refused)

    with pytest.raises(StepFailedError, match=r"storage\.objects\.list"):
        first_look._is_in_the_bucket()
