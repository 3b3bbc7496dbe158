import json
import subprocess
from functools import partial

import pytest

from ci.preview.build import revisions
from ci.preview.build.revisions import ROOT, kept
from fonderie.core.errors import BadInputError

IDENTITY = (
    "-c",
    "user.name=a",
    "-c",
    "user.email=a@x.io",
    "-c",
    "commit.gpgsign=false",
    "-c",
    "init.defaultBranch=main",
)


def git(folder, *arguments):
    done = subprocess.run(["git", *IDENTITY, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(folder, name):
    (folder / name).write_text(name)
    git(folder, "add", name)
    git(folder, "commit", "-q", "-m", name)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """A repository whose branch `change` left `main` some commits ago; both have gone on."""
    folder = tmp_path_factory.mktemp("origin")
    git(folder, "init", "-q")
    for index in range(3):
        commit(folder, f"before{index}")
    git(folder, "tag", "parted")
    git(folder, "checkout", "-q", "-b", "change")
    for index in range(60):
        commit(folder, f"change{index}")
    git(folder, "checkout", "-q", "main")
    commit(folder, "main-goes-on")
    return folder


@pytest.fixture
def shallow(origin, tmp_path):
    """What a checkout in continuous integration has: the last commit of the change, and nothing else."""
    git(tmp_path, "clone", "-q", "--depth=1", "--single-branch", "--branch=change", f"file://{origin}", "shallow")
    return tmp_path / "shallow"


def test_a_shallow_clone_gets_the_base_branch_it_lacks(shallow, origin):
    assert revisions.commit("origin/main", shallow) == git(origin, "rev-parse", "main")


def test_a_branch_is_found_without_the_remotes_name(shallow, origin):
    assert revisions.commit("main", shallow) == git(origin, "rev-parse", "main")


def test_a_shallow_clone_gets_a_commit_by_its_id(shallow, origin, tmp_path, monkeypatch):
    monkeypatch.setenv("FONDERIE_HOME", str(tmp_path / "home"))
    parted = git(origin, "rev-parse", "parted")
    assert revisions.commit(parted, shallow) == parted
    assert (revisions.lay_out(parted, tmp_path / "out", shallow) / "before2").is_file()


def test_a_shallow_clone_is_deepened_until_the_branches_meet(shallow, origin):
    assert revisions.default_base("HEAD", shallow) == git(origin, "rev-parse", "parted")


def test_a_base_that_the_remote_does_not_have_is_said_with_what_to_do(shallow):
    with pytest.raises(BadInputError, match=r"no revision 'origin/nowhere' in this shallow clone") as error:
        revisions.commit("origin/nowhere", shallow)
    assert "fetch-depth: 0" in (error.value.hint or "")


def test_a_login_in_the_remotes_address_is_not_said(shallow):
    git(shallow, "remote", "set-url", "origin", "https://x-access-token:swordfish99@127.0.0.1:1/a.git")
    with pytest.raises(BadInputError) as error:
        revisions.commit("origin/main", shallow)
    assert "swordfish99" not in str(error.value)


def test_a_folder_that_is_no_repository_is_the_users_mistake(tmp_path):
    with pytest.raises(BadInputError, match="not a git repository"):
        revisions.commit("HEAD", tmp_path)


def test_a_whole_clone_is_not_fetched_into(origin, tmp_path):
    git(tmp_path, "clone", "-q", f"file://{origin}", "whole")
    commit(origin, "later")
    with pytest.raises(BadInputError, match="no revision"):
        revisions.commit(git(origin, "rev-parse", "main"), tmp_path / "whole")


@pytest.mark.parametrize("revision", ["", "-x", "--upload-pack=touch /tmp/x", "no such thing", "HEAD~900"])
def test_what_is_no_revision_is_refused(shallow, revision):
    with pytest.raises(BadInputError):
        revisions.commit(revision, shallow)


@pytest.mark.parametrize(
    ("url", "host", "sent"),
    [
        ("https://github.com/acme/ml.git", "", True),
        ("https://git.acme.example/acme/ml.git", "https://git.acme.example", True),
        ("https://github.com.evil.example/acme/ml.git", "", False),
        ("https://elsewhere.example/acme/ml.git", "", False),
        ("git@github.com:acme/ml.git", "", False),
    ],
)
def test_the_token_is_sent_to_the_git_host_and_to_nobody_else(tmp_path, monkeypatch, url, host, sent):
    monkeypatch.setenv("GITHUB_TOKEN", "ghs_x")
    monkeypatch.setenv("GITHUB_SERVER_URL", host)
    git(tmp_path, "init", "-q")
    git(tmp_path, "remote", "add", "origin", url)
    variables = revisions._log_in(tmp_path, "origin")
    assert bool(variables) == sent
    if sent:
        assert variables["GIT_CONFIG_KEY_0"] == f"http.{host or 'https://github.com'}/.extraHeader"
        git(tmp_path, "config", f"http.{url}.extraHeader", "Authorization: Basic of-the-checkout")
        assert not revisions._log_in(tmp_path, "origin")


@pytest.mark.prove(every=0)
def test_a_base_that_pins_another_provider_is_laid_out_with_bindings_of_its_own(tmp_path, monkeypatch):
    """A pull request that raises the provider could not be previewed: base was synthesised with head's bindings."""
    monkeypatch.setenv("FONDERIE_HOME", str(tmp_path / "home"))
    root = tmp_path / "copy"
    provider = root / "fonderie" / "sandbox" / "provider"
    provider.mkdir(parents=True)
    (root / "imports" / "google").mkdir(parents=True)
    (root / "node_modules").symlink_to(ROOT / "node_modules")
    whole = json.loads(next((ROOT / "fonderie" / "sandbox" / "provider").glob("google@*.json")).read_text())
    (schema,) = whole["provider_schemas"].values()
    kept_type = {"google_storage_bucket": schema["resource_schemas"]["google_storage_bucket"]}
    schema.update(resource_schemas=kept_type, data_source_schemas={})
    run = partial(subprocess.run, check=True, capture_output=True, cwd=root)
    run(["git", "init", "-q", "-b", "main"])
    for version in ("7.44.0", "7.45.0"):
        for old in provider.glob("*.json"):
            old.unlink()
        (provider / f"google@{version}.json").write_text(json.dumps(whole))
        pin = json.loads((ROOT / "cdktf.json").read_text()) | {"terraformProviders": [f"hashicorp/google@{version}"]}
        (root / "cdktf.json").write_text(json.dumps(pin))
        run(["git", "add", "cdktf.json", "fonderie"])
        run(["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-q", "-m", version])
    head, base = (kept(name, root) / "imports" for name in ("main", "main^1"))
    assert head.resolve() == (root / "imports").resolve()
    assert json.loads((base / "constraints.json").read_text())["providers"] == {"google": "7.44.0"}
    assert (base / "google" / "storage_bucket").is_dir()
    assert (kept("main^1", root) / "imports").resolve() == base.resolve()


def test_the_generator_of_the_bindings_is_given_no_token(tmp_path, monkeypatch):
    """It runs what the revision's own cdktf.json names."""
    monkeypatch.setenv("FONDERIE_HOME", str(tmp_path / "home"))
    for name in ("GITHUB_TOKEN", "NODE_AUTH_TOKEN", "GOOGLE_OAUTH_ACCESS_TOKEN"):
        monkeypatch.setenv(name, "swordfish")
    command = tmp_path / "node_modules" / ".bin" / "cdktf"
    command.parent.mkdir(parents=True)
    command.write_text("#!/bin/sh\nmkdir imports && env > imports/seen\n")
    command.chmod(0o755)
    (tmp_path / "cdktf.json").write_text("{}")
    seen = (revisions._bindings(tmp_path, "x" * 32, tmp_path) / "seen").read_text()
    assert "PATH=" in seen
    assert "swordfish" not in seen
