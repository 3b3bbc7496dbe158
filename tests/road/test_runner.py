"""The runner itself: what it does not know it refuses by name, what the services do not give it does not give."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from ci.forges.forge import State
from ci.forges.github import ACTIONS, GitHub, api
from fonderie.core.errors import BadInputError, RefusedError
from tests.road.cloud_build import substituted
from tests.road.expressions import ExpressionError
from tests.road.git_host import GitHost
from tests.road.github_actions import GitHubActions
from tests.road.machine import PUBLISHED, ROOT, SYSTEM, TOOLS, Machine, UnknownError

IMAGE = "python:3.11-bookworm"
BUILDS = sorted((ROOT / "ci" / "cloudbuild").glob("*.yaml"))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path / "machine")
    made.workspace.mkdir(parents=True)
    return made


def shell(machine: Machine, script: str, image: str = IMAGE) -> subprocess.CompletedProcess[str]:
    return machine.run(["sh", "-c", script], {"PATH": machine.path(SYSTEM, image)}, timeout_s=60)


def test_a_step_has_the_tools_of_its_image_and_no_others(machine: Machine) -> None:
    assert shell(machine, "git --version && python3 --version && make --version").returncode == 0
    for tool in ("node", "npm", "terraform", "gcloud", "docker"):
        assert shell(machine, tool).returncode == 127
    with pytest.raises(UnknownError, match="unknown image 'alpine:3'"):
        machine.path(SYSTEM, "alpine:3")
    with pytest.raises(UnknownError, match="unknown folder '/opt/bin'"):
        machine.path("/opt/bin", IMAGE)


@pytest.mark.parametrize("path", BUILDS, ids=lambda path: path.name)
def test_the_tools_of_every_image_that_a_build_uses_are_known(path: Path) -> None:
    for step in yaml.safe_load(path.read_text())["steps"]:
        assert step["name"].partition("@")[0] in TOOLS


def test_the_script_of_tools_brings_node_and_terraform(machine: Machine) -> None:
    script = f"sh {ROOT}/ci/cloudbuild/tools.sh && .tools/bin/node --version && .tools/bin/terraform version"
    done = shell(machine, script)
    assert done.returncode == 0, done.stdout
    assert "Terraform v" in done.stdout


@pytest.mark.parametrize("address", PUBLISHED)
def test_an_archive_with_another_digest_than_its_publishers_is_refused(machine: Machine, address: str) -> None:
    digest, _ = PUBLISHED[address]
    text = (ROOT / "ci/cloudbuild/tools.sh").read_text()
    assert digest in text
    (machine.workspace / "tools.sh").write_text(text.replace(digest, "0" * 64))
    done = shell(machine, "sh tools.sh")
    assert done.returncode != 0
    assert "FAILED" in done.stdout


def test_a_download_without_a_fixture_and_a_changed_file_are_refused(machine: Machine) -> None:
    assert "no fixture for https://example.org/x" in shell(machine, "curl --output x https://example.org/x").stdout
    done = shell(machine, f"echo a > x; echo '{'0' * 64}  x' | sha256sum --check --quiet")
    assert (done.returncode, done.stdout) == (1, "x: FAILED\n")


def test_substitutions_are_those_of_cloud_build() -> None:
    given = {"PROJECT_ID": "p", "_X": "x"}
    assert substituted("$PROJECT_ID/${_X}/$$HOME/a$_Y", given, "f", loose=True) == "p/x/$HOME/a"
    with pytest.raises(UnknownError, match=r"f: \$_Y is not given"):
        substituted("$_Y", given, "f", loose=False)
    with pytest.raises(UnknownError, match="is not a plain substitution"):
        substituted("${_X:-y}", given, "f", loose=True)


WORKFLOW: dict[str, Any] = {
    "name": "w",
    "on": {"pull_request": None},
    "permissions": {},
    "jobs": {"j": {"runs-on": "ubuntu-24.04", "timeout-minutes": 1, "steps": [{"run": "true"}]}},
}


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("defaults",), {}, "w.yml: unknown key defaults"),
        (("on",), {"pull_request_target": None}, "unknown key pull_request_target"),
        (("on",), {"pull_request": {"types": ["closed"]}}, "on pull_request: types"),
        (("permissions",), "write-all", "permissions are 'write-all'"),
        (("jobs", "j", "container"), "alpine", "w.yml: j: unknown key container"),
        (("jobs", "j", "runs-on"), "windows-2025", "unknown image 'windows-2025'"),
        (("jobs", "j", "needs"), "later", "needs ['later']"),
        (("jobs", "j", "strategy"), {"matrix": {"a": []}}, "matrix vector 'a' does not contain any values"),
        (("jobs", "j", "strategy"), {"matrix": {"include": [{}], "a": [1]}}, "more than one axis"),
        (("jobs", "j", "steps"), [{"shell": "pwsh", "run": "x"}], "unknown key shell"),
        (("jobs", "j", "steps"), [{"uses": "some/action@1234"}], "unknown action some/action"),
        (
            ("jobs", "j", "steps"),
            [{"uses": "actions/checkout@1", "with": {"submodules": True}}],
            "unknown key submodules",
        ),
        (("jobs", "j", "steps"), [{"run": 'echo A=1 >> "$GITHUB_ENV"'}], r"writes $GITHUB_ENV"),
        (("jobs", "j", "if"), "hashFiles('x') == ''", "unknown function 'hashFiles'"),
        (("jobs", "j", "if"), "runner.os == 'Linux'", "unknown context 'runner'"),
    ],
)
def test_what_the_runner_does_not_execute_is_an_error(
    place: tuple[str, ...], value: Any, said: str, tmp_path: Path
) -> None:
    workflow = yaml.safe_load(yaml.safe_dump(WORKFLOW))
    parent = workflow
    for key in place[:-1]:
        parent = parent[key]
    parent[place[-1]] = value
    host = GitHost(tmp_path, "acme/ml")
    actions = GitHubActions(host, {}, tmp_path / "jobs")
    event = _event()
    with pytest.raises((UnknownError, ExpressionError)) as error:
        actions.run(workflow, "w.yml", event)
    assert said in str(error.value)


def test_a_step_that_fails_ends_its_job_and_a_job_that_needs_it_is_skipped(tmp_path: Path) -> None:
    workflow = yaml.safe_load(yaml.safe_dump(WORKFLOW))
    workflow["jobs"]["j"]["steps"] = [{"run": "false\necho never"}, {"run": "echo nor this"}]
    workflow["jobs"]["k"] = {**WORKFLOW["jobs"]["j"], "needs": "j"}
    actions = GitHubActions(GitHost(tmp_path, "acme/ml"), {}, tmp_path / "jobs")
    actions.run(workflow, "w.yml", _event())
    assert [(job.name, job.result, job.codes, job.said) for job in actions.jobs] == [
        ("j", "failure", [1], ""),
        ("k", "skipped", [], ""),
    ]


def _event() -> Any:
    from tests.road.github_actions import Event

    return Event("pull_request", {}, "refs/pull/1/merge", "0" * 40)


def test_the_host_answers_as_githubs_description_says(host: GitHost) -> None:
    """Every call of `ci/forges`, and the host's own answers to them."""
    host.commit({"README.md": lambda text: f"{text}\n"}, "change")
    pull = host.open_pull_request("change")
    token = host.issue({"pull-requests": "write", "statuses": "write"})
    forge = GitHub(api(token, host.url), host.repository, pull.number, ACTIONS)
    assert forge.head() == pull.head
    comment = forge.create("a preview")
    forge.update(comment, "another")
    assert [each.body for each in forge.comments()] == ["another"]
    forge.set_status(pull.head, State.SUCCESS, "1 changed", "dev")
    assert [each.number for each in forge.merged(host.merge(pull))] == [pull.number]
    assert not host.refused
    with pytest.raises(RefusedError, match="may not do that"):
        GitHub(api(host.issue({"pull-requests": "read"}), host.url), host.repository, pull.number, ACTIONS).create("x")


@pytest.mark.parametrize("host", ["private"], indirect=True)
def test_a_private_base_is_fetched_with_the_preview_s_token_only(
    host: GitHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Cloud Build leaves the source: one commit, an origin without a login."""
    from ci.preview.build import revisions

    host.commit({"README.md": lambda text: f"{text}\n"}, "change")
    pull = host.open_pull_request("change")
    token = host.issue({"contents": "read"})
    clone = tmp_path / "clone"
    url = host.clone_url(host.repository).replace("://", f"://x:{token}@")
    subprocess.run(["git", "clone", "-q", "--depth=1", "--branch=main", url, str(clone)], check=True)
    subprocess.run(["git", "-C", clone, "remote", "set-url", "origin", host.clone_url(host.repository)], check=True)
    subprocess.run(["git", "-C", clone, "update-ref", "-d", "refs/remotes/origin/main"], check=True)
    monkeypatch.setenv("GITHUB_SERVER_URL", host.url)
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    with pytest.raises(BadInputError, match="fetching it failed"):
        revisions.commit(pull.head, clone)
    monkeypatch.setenv("GITHUB_TOKEN", host.issue({"statuses": "write"}))
    with pytest.raises(BadInputError, match="fetching it failed"):
        revisions.commit(pull.head, clone)
    monkeypatch.setenv("GITHUB_TOKEN", token)
    assert revisions.commit(pull.head, clone) == pull.head
    assert token not in (clone / ".git" / "config").read_text()
