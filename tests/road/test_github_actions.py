"""The workflows of GitHub Actions, as written; and the setting that chooses between the two systems."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from infra import names
from tests.road.cloud_build import CloudBuild
from tests.road.git_host import GitHost, git
from tests.road.github_actions import GitHubActions, Job
from tests.road.machine import ROOT
from tests.road.project import Project, bootstrap
from tests.road.test_cloud_build import MORE_NODES, SETTINGS, edited, named_as_the_registry_has_them, succeeded

pytestmark = pytest.mark.e2e
BY_GITHUB = {SETTINGS: edited('ci = "cloud_build"', 'ci = "github_actions"')}


def results(jobs: list[Job]) -> list[tuple[str, str]]:
    return [(" ".join([job.name, *job.matrix.values()]), job.result) for job in jobs]


def set_variables(host: GitHost, dev: Project) -> None:
    """What a person sets once in the repository's environments `dev` and `dev-plan`."""
    provider = f"{names.identity_pool_path(dev.env)}/providers/{names.identity_provider(dev.env)}"
    for environment in ("dev", "dev-plan"):
        host.variables[environment] = {
            "WORKLOAD_IDENTITY_PROVIDER": provider,
            "PLAN_SERVICE_ACCOUNT": names.email(dev.env, names.IdentityName.PLAN),
            "APPLY_SERVICE_ACCOUNT": names.email(dev.env, names.IdentityName.APPLY),
            "BUILDER_SERVICE_ACCOUNT": names.email(dev.env, names.IdentityName.BUILDER),
            "REGISTRY": names.images_url(dev.env),
        }


def checked_out(host: GitHost, branch: str, folder: Path) -> Path:
    """A person's working copy, set up."""
    git(folder.parent, "clone", "--quiet", "--branch", branch, str(host.path(host.repository)), str(folder))
    for name in ("node_modules", "imports"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def test_no_workflow_serves_what_cloud_build_serves(host: GitHost, tmp_path: Path) -> None:
    host.commit(MORE_NODES, "more-nodes")
    pull = host.open_pull_request("more-nodes")
    actions = GitHubActions(host, {}, tmp_path / "jobs")
    assert results(actions.pull_request(pull)) == [
        ("environments", "success"), ("preview", "skipped"), ("sandbox", "skipped"),
        ("environments", "success"), ("plan", "skipped"), ("post", "skipped"),
    ]  # fmt: skip
    host.merge(pull)
    assert results(actions.push(pull.merge)) == [("environments", "success"), ("apply", "skipped")]
    assert results(actions.night()) == [("environments", "success"), ("drift", "skipped")]


def test_a_pull_request_from_a_fork_is_previewed_without_token_and_credentials(host: GitHost, tmp_path: Path) -> None:
    host.commit(BY_GITHUB, "main")
    host.push()
    host.fork("stranger/fonderie")
    host.commit(MORE_NODES, "more-nodes")
    pull = host.open_pull_request("more-nodes", "stranger/fonderie")
    environments, synthesis, preview, *review = GitHubActions(host, {}, tmp_path / "jobs").pull_request(pull)
    assert {each.result for each in (environments, synthesis, preview)} == {"success"}, preview.said[-3000:]
    assert [job.result for job in review] == ["skipped"] * 3
    assert {job.identity for job in (environments, synthesis, preview)} == {""}
    assert "max_node_count" in preview.summary
    assert "in the sandbox" in preview.summary.rpartition("---")[2]
    assert pull.comments == host.statuses == []
    assert not [asked for asked in host.seen if asked.startswith(("POST", "PATCH")) and "git-upload-pack" not in asked]


@pytest.mark.prove(every=0)
@pytest.mark.parametrize("host", ["public", "private"], indirect=True)
def test_the_setting_moves_an_environment_from_cloud_build_to_github(
    host: GitHost, dev: Project, tmp_path: Path
) -> None:
    """One pull request sets it, and a person bootstraps with it: from then on Cloud Build does nothing, GitHub all."""
    set_variables(host, dev)
    builds, actions = CloudBuild(dev, host, tmp_path / "builds"), GitHubActions(host, {"dev": dev}, tmp_path / "jobs")
    for name in ("review", "dev"):
        host.secrets[name] = {"REVIEW_KEY": "a-key-of-the-protected-branchs-jobs"}
    host.commit(BY_GITHUB, "by-github")
    pull = host.open_pull_request("by-github")
    succeeded(builds.pull_request(pull))  # the base decides who previews
    assert "google_cloudbuild_trigger" in pull.comments[0]["body"]
    assert [job.result for job in actions.pull_request(pull)[-2:]] == ["skipped", "skipped"]
    bootstrap(dev, tmp_path, checked_out(host, "by-github", tmp_path / "copy"))

    merged = host.merge(pull)
    left_alone = builds.push(merged, only="apply")
    succeeded(left_alone)
    assert left_alone[0].said.count("dev is not served by cloud_build") == 2
    assert len(dev.objects("google_cloudbuild_trigger")) == 4
    assert "has no recorded preview of dev" in actions.push(merged)[-1].said  # another system's record is not ours

    host.commit(MORE_NODES, "more-nodes")
    pull = host.open_pull_request("more-nodes")
    environments, synthesis, _, _, plan, post = actions.pull_request(pull)
    assert environments.outputs == {"names": '["dev"]'}
    assert {each.result for each in (environments, synthesis, plan, post)} == {"success"}, f"{plan.said}{post.said}"[
        -3000:
    ]
    assert (synthesis.identity, post.identity) == ("", "")
    assert plan.identity == f"serviceAccount:dev-plan@{dev.id}.iam.gserviceaccount.com"
    (comment,) = pull.comments
    assert "google_cloudbuild_trigger" in comment["body"]
    assert "max_node_count" in comment["body"]
    assert re.search(r"dev plan `p-[0-9a-f]{20}`", comment["body"])
    assert host.statuses[-1]["context"] == "fonderie/preview/dev"

    _, applied = actions.push(host.merge(pull))
    assert applied.result == "success", applied.said[-3000:]
    assert applied.identity == f"serviceAccount:dev-apply@{dev.id}.iam.gserviceaccount.com"
    assert dev.objects("google_cloudbuild_trigger") == []
    assert "dev-nightly-drift" not in [job["name"] for job in dev.objects("google_cloud_scheduler_job")]
    assert "✅ **dev** is applied" in pull.comments[-1]["body"]

    _, drift = actions.night()
    assert drift.result == "success", drift.said[-3000:]
    assert "dev-delivery: unchanged" in drift.said
    assert not host.refused


@pytest.mark.prove(every=0)
def test_the_images_job_builds_and_pushes_as_the_builder(host: GitHost, dev: Project, tmp_path: Path) -> None:
    set_variables(host, dev)
    actions = GitHubActions(host, {"dev": dev}, tmp_path / "jobs")
    host.commit({**BY_GITHUB, "ml/__init__.py": lambda text: f"{text}# a change\n"}, "model")
    pull = host.open_pull_request("model")
    jobs = [job for job in actions.push(host.merge(pull)) if job.workflow.endswith("images.yml")]
    assert results(jobs) == [("environments", "success"), ("images", "success")], jobs[-1].said[-3000:]
    assert jobs[-1].identity == f"serviceAccount:dev-builder@{dev.id}.iam.gserviceaccount.com"
    named_as_the_registry_has_them(jobs[-1].said, dev, pull.merge)
