"""Cloud Build's build files, as written, from a pull request to a night without drift."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from fonderie.sandbox.cloud.documents import Documents
from tests.road.cloud_build import Build, CloudBuild
from tests.road.git_host import GitHost
from tests.road.project import GoogleRefusedError, Project

pytestmark = pytest.mark.e2e
SETTINGS = "infra/environments/dev.toml"


def edited(old: str, new: str) -> Callable[[str], str]:
    return lambda text: text.replace(old, new, 1)


MORE_NODES = {SETTINGS: edited("max_nodes = 8", "max_nodes = 9")}


def succeeded(builds: list[Build]) -> None:
    assert [build.status for build in builds] == ["SUCCESS"] * len(builds), builds[-1].said[-4000:]


@pytest.fixture
def builds(dev: Project, host: GitHost, tmp_path: Path) -> CloudBuild:
    return CloudBuild(dev, host, tmp_path / "builds")


@pytest.mark.prove(every=0)
@pytest.mark.parametrize("host", ["public", "private"], indirect=True)
def test_a_pull_request_goes_from_push_to_comment_to_apply_to_no_drift(
    builds: CloudBuild, dev: Project, host: GitHost
) -> None:
    host.commit(MORE_NODES, "more-nodes")
    pull = host.open_pull_request("more-nodes")
    previews = builds.pull_request(pull)
    succeeded(previews)
    assert [(build.trigger, build.identity) for build in previews] == [
        ("dev-preview", f"serviceAccount:dev-plan@{dev.id}.iam.gserviceaccount.com")
    ]
    (comment,) = pull.comments
    assert "max_node_count" in comment["body"]
    assert re.search(r"dev plan `p-[0-9a-f]{20}`", comment["body"])
    assert host.statuses[-1] | {"description": ""} == {
        "sha": pull.head, "state": "success", "context": "fonderie/preview/dev", "description": "",
    }  # fmt: skip

    applied = builds.push(host.merge(pull), only="apply")
    succeeded(applied)
    assert applied[0].identity == f"serviceAccount:dev-apply@{dev.id}.iam.gserviceaccount.com"
    assert "dev: 1 changed" in applied[0].said
    assert "✅ **dev** is applied: 1 changed" in pull.comments[-1]["body"]

    assert not host.refused


@pytest.mark.prove(every=0)
def test_the_nightly_check_starts_at_the_schedulers_call_and_sees_no_drift(builds: CloudBuild, dev: Project) -> None:
    (nightly,) = [job for job in dev.objects("google_cloud_scheduler_job") if job["name"] == "dev-nightly-drift"]
    target = nightly["http_target"][0]
    night = builds.call(target["uri"], f"serviceAccount:{target['oauth_token'][0]['service_account_email']}")
    succeeded([night])
    assert night.identity == f"serviceAccount:dev-plan@{dev.id}.iam.gserviceaccount.com"
    assert re.findall(r"dev-\w+: \w+", night.said) == [
        f"dev-{stack}: unchanged" for stack in ("bootstrap", "foundation", "data", "runtime", "delivery")
    ]


@pytest.mark.prove(every=0)
def test_a_fork_waits_for_a_comment_of_somebody_who_may_write(builds: CloudBuild, host: GitHost) -> None:
    host.fork("stranger/fonderie")
    host.commit(MORE_NODES, "more-nodes")
    assert builds.pull_request(host.open_pull_request("more-nodes", "stranger/fonderie")) == []


@pytest.mark.prove(every=0)
def test_the_images_and_manifests_are_built_and_pushed_as_the_builder(
    builds: CloudBuild, dev: Project, host: GitHost
) -> None:
    host.commit({"ml/__init__.py": lambda text: f"{text}# a change\n"}, "model")
    pull = host.open_pull_request("model")
    started = builds.push(host.merge(pull), only="images")
    succeeded(started)
    (build,) = started
    assert build.identity == f"serviceAccount:dev-builder@{dev.id}.iam.gserviceaccount.com"
    assert [step.id for step in build.steps] == ["served", "images", "tools", "setup", "manifests"]
    named_as_the_registry_has_them(build.said, dev, pull.merge)


def named_as_the_registry_has_them(said: str, dev: Project, tag: str) -> None:
    """What a build says that the settings are to name is in the registry, and nothing else."""
    images = f"{dev.env.region}-docker.pkg.dev/{dev.id}/dev-images"
    named = re.findall(rf'(pipelines|serving|manifests) = "({images}/\S+@sha256:[0-9a-f]{{64}})"', said)
    assert [key for key, _ in named] == ["pipelines", "serving", "manifests", "manifests", "manifests"]
    kept = {image["uri"]: image["tags"] for image in Documents(dev.world.cloud, "docker image").values()}
    assert set(kept) == {image for _, image in named}
    assert [kept[image] for _, image in named[:2]] == [[tag], [tag]]


@pytest.mark.prove(every=0)
def test_a_build_of_another_identity_is_refused_what_is_not_its_own(builds: CloudBuild, dev: Project) -> None:
    """The positive control: identities are told apart."""
    secret = f"projects/{dev.id}/secrets/dev-git-token/versions/latest"
    builder = f"serviceAccount:dev-builder@{dev.id}.iam.gserviceaccount.com"
    with pytest.raises(GoogleRefusedError, match=r"secretmanager\.versions\.access"):
        dev.secret(builder, secret)
    with pytest.raises(GoogleRefusedError, match=r"cloudbuild\.builds\.create"):
        builds.call(
            f"https://cloudbuild.googleapis.com/v1/projects/{dev.id}/locations/europe-west1/triggers/dev-drift:run",
            builder,
        )
