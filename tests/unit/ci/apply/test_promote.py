"""Promotion: what the target is to name, found in a registry that has it, as a commit on a branch of its own."""

import subprocess
import threading
import tomllib

import pytest

from ci.manifests import BESIDE
from ci.preview.build.revisions import kept
from ci.promote import prepare, promotion, published
from fonderie.core.errors import BadInputError, ConflictError, RefusedError
from fonderie.google import Access
from fonderie.google.artifacts import OciImage, push
from tests.unit.ci.test_manifests import Registry

IMAGES = "europe-docker.pkg.dev/acme-dev/dev-images"
ABSENT = "sha256:" + "a" * 64


def settings(named, registry):
    """`named`: key -> reference by digest; what has none is left out."""
    images = "".join(f'{key} = "{named[key]}"\n' for key in ("pipelines", "serving") if key in named)
    kubeflow = f'manifests = "{named["manifests"]}"\n' if "manifests" in named else ""
    return (
        f"# words that stay\nregion = 'europe-west1'\nproject_id = 'acme-dev'\n\n"
        f"[images]\n{registry}\n{images}\n[kubeflow]\n{kubeflow}\n[serving]\n"
    )


READERS, READS = 'readers = ["staging"]', 'registry = "dev"'


class Repository:
    """A repository with dev and staging, and the registry of both: dev names what was built last."""

    def __init__(self, folder, registry):
        self.folder, self.registry = folder, registry
        self.old, self.new, self.manifests = self._built("old"), self._built("new"), self._rendered("new")
        self.old["manifests"] = self._rendered("old")["staging"]
        self.new["manifests"] = self.manifests["dev"]
        (folder / "infra" / "environments").mkdir(parents=True)
        self.write(self.new, self.old)
        for arguments in (["init", "-q", "-b", "main"], ["config", "user.email", "a@b.c"], ["config", "user.name", "a"],
                          ["add", "-A"], ["commit", "-q", "-m", "first"]):  # fmt: skip
            subprocess.run(["git", "-C", folder, *arguments], check=True)

    def push(self, name, image):
        return push(Access("acme-dev", endpoint=self.registry.address), f"{IMAGES}/{name}", image)

    def _built(self, commit):
        return {name: self.push(name, OciImage.of({name: commit})) for name in ("pipelines", "serving")}

    def _rendered(self, commit):
        """As `ci.manifests.push_all` does."""
        staging = self.push("manifests-staging", OciImage.of({"x": f"staging {commit}"}))
        noted = {f"{BESIDE}staging": staging}
        return {"staging": staging, "dev": self.push("manifests-dev", OciImage.of({"x": f"dev {commit}"}, noted))}

    def write(self, dev, staging, readers=READERS, reads=READS):
        (self.folder / "infra/environments/dev.toml").write_text(settings(dev, readers))
        (self.folder / "infra/environments/staging.toml").write_text(settings(staging, reads))

    @property
    def promoted(self):
        """What staging is to name."""
        return {**self.new, "manifests": self.manifests["staging"]}


@pytest.fixture
def made(tmp_path, monkeypatch):
    server = Registry()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("FONDERIE_GOOGLE_ENDPOINT", server.address)
    yield Repository(tmp_path, server)
    server.shutdown()
    server.server_close()


@pytest.fixture
def repository(made):
    return made.folder


def git(folder, *arguments):
    return subprocess.run(["git", "-C", folder, *arguments], check=True, capture_output=True, text=True).stdout.strip()


def digests(named):
    return [named[key].rpartition("@")[2] for key in ("pipelines", "serving", "manifests")]


def test_the_target_names_the_images_of_the_source_and_its_own_manifests_of_the_same_commit(made):
    moved = promotion("dev", "staging", made.folder)
    assert [move.image for move in moved.moves] == ["pipelines", "serving", "manifests"]
    assert [move.before for move in moved.moves] == digests(made.old)
    assert [move.after for move in moved.moves] == digests(made.promoted)
    assert moved.text == settings(made.promoted, READS)


def test_an_environment_without_anything_gets_its_first(made):
    made.write(made.new, {})
    moved = promotion("dev", "staging", made.folder)
    assert [move.before for move in moved.moves] == [""] * 3
    assert tomllib.loads(moved.text) == tomllib.loads(settings(made.promoted, READS))
    assert "| pipelines | `none` |" in moved.body


def test_without_manifests_the_images_move_alone(made):
    made.write({key: made.new[key] for key in ("pipelines", "serving")}, made.old)
    moved = promotion("dev", "staging", made.folder)
    assert [move.image for move in moved.moves] == ["pipelines", "serving"]
    assert tomllib.loads(moved.text)["kubeflow"]["manifests"] == made.old["manifests"]


def test_manifests_that_do_not_note_the_targets_are_not_guessed(made):
    alone = made.push("manifests-dev", OciImage.of({"x": "alone"}))
    made.write({**made.new, "manifests": alone}, made.old)
    with pytest.raises(BadInputError, match="the manifests of dev note none for staging"):
        promotion("dev", "staging", made.folder)


@pytest.mark.parametrize("key", ["pipelines", "serving", "manifests"])
def test_what_the_registry_does_not_hold_is_not_promoted(made, key):
    gone = made.promoted[key].rpartition("@")[2]
    del made.registry.manifests[gone]
    with pytest.raises(RefusedError, match=f"not in the registry: .*{gone}"):
        promotion("dev", "staging", made.folder)


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ("staging", "staging does not pull from the registry of dev"),
        ("dev", "staging may not pull from the registry of dev"),
    ],
)
def test_what_the_target_could_not_pull_is_not_promoted(made, environment, message):
    made.write(made.new, made.old, **({"reads": ""} if environment == "staging" else {"readers": ""}))
    with pytest.raises(BadInputError, match=message):
        promotion("dev", "staging", made.folder)


def test_the_commit_is_on_a_branch_of_its_own_and_the_working_copy_is_not_touched(repository):
    made = promotion("dev", "staging", repository)
    commit = prepare(made, repository)
    assert git(repository, "rev-parse", made.branch) == commit
    assert git(repository, "show", f"{commit}:infra/environments/staging.toml") == made.text.strip()
    assert git(repository, "status", "--porcelain") == ""
    assert git(repository, "branch", "--show-current") == "main"
    assert (
        git(repository, "log", "-1", "--format=%s", made.branch)
        == "Promote pipelines, serving, manifests from dev to staging"
    )


def test_the_same_promotion_twice_is_refused(repository):
    made = promotion("dev", "staging", repository)
    prepare(made, repository)
    with pytest.raises(ConflictError, match="already exists"):
        prepare(made, repository)


def test_nothing_to_promote(made):
    made.write(made.new, made.promoted)
    assert promotion("dev", "staging", made.folder).moves == ()


@pytest.mark.parametrize(("source", "target"), [("dev", "dev"), ("dev", "nowhere"), ("../x", "dev")])
def test_environments_that_cannot_be(repository, source, target):
    with pytest.raises(BadInputError):
        promotion(source, target, repository)


@pytest.mark.parametrize("text", ["[images", "region = 'x'", "[images]\npipelines = 'a/b:latest'"])
def test_settings_that_cannot_be_promoted_to(repository, text):
    (repository / "infra/environments/staging.toml").write_text(text)
    with pytest.raises(BadInputError):
        promotion("dev", "staging", repository)


def test_what_is_merged_is_promoted_and_nothing_of_a_branch_or_the_working_copy(made, tmp_path, monkeypatch):
    repository = made.folder
    monkeypatch.setenv("FONDERIE_HOME", str(tmp_path / "home"))
    remote, clone = tmp_path / "remote.git", tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", "--bare", repository, remote], check=True)
    subprocess.run(["git", "clone", "-q", remote, clone], check=True)
    for name, value in (("user.email", "a@b.c"), ("user.name", "a")):
        git(clone, "config", name, value)
    git(clone, "checkout", "-q", "-b", "feature")
    target = clone / "infra/environments/staging.toml"
    target.write_text(target.read_text() + "\n# of a branch\n")
    git(clone, "commit", "-qam", "of a branch")
    target.write_text(target.read_text() + "\n# not committed\n")
    (clone / "infra/environments/dev.toml").write_text(settings(made.old, READERS))

    commit = published(clone)
    moved = promotion("dev", "staging", kept(commit, clone))
    prepare(moved, clone, base=commit)

    assert [move.after for move in moved.moves] == digests(made.promoted)
    assert (
        git(clone, "show", f"{moved.branch}:infra/environments/staging.toml") == settings(made.promoted, READS).strip()
    )
    assert git(clone, "log", "--format=%s", f"{commit}..{moved.branch}") == moved.title
    assert "# not committed" in target.read_text()


def test_a_promotion_needs_a_remote(repository):
    with pytest.raises(BadInputError, match="no remote"):
        published(repository)
