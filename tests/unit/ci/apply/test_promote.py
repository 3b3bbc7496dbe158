import subprocess
import tomllib

import pytest

from ci.preview.build.revisions import kept
from ci.promote import prepare, promotion, published
from fonderie.core.errors import BadInputError, ConflictError

OLD, NEW = ("sha256:" + digit * 64 for digit in "ab")


def settings(digest, registry):
    images = "".join(
        f'{name} = "europe-docker.pkg.dev/acme-dev/dev-images/{name}@{digest}"\n' for name in ("pipelines", "serving")
    )
    return (
        f"# words that stay\nregion = 'europe-west1'\n\n[images]\n{registry}\n{images if digest else ''}\n[serving]\n"
    )


READERS, READS = 'readers = ["staging"]', 'registry = "dev"'


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "infra" / "environments"
    folder.mkdir(parents=True)
    (folder / "dev.toml").write_text(settings(NEW, READERS))
    (folder / "staging.toml").write_text(settings(OLD, READS))
    for arguments in (["init", "-q", "-b", "main"], ["config", "user.email", "a@b.c"], ["config", "user.name", "a"],
                      ["add", "-A"], ["commit", "-q", "-m", "first"]):  # fmt: skip
        subprocess.run(["git", "-C", tmp_path, *arguments], check=True)
    return tmp_path


def git(folder, *arguments):
    return subprocess.run(["git", "-C", folder, *arguments], check=True, capture_output=True, text=True).stdout.strip()


def test_the_target_names_what_the_source_names(repository):
    made = promotion("dev", "staging", repository)
    assert [(move.image, move.before, move.after) for move in made.moves] == [
        ("pipelines", OLD, NEW),
        ("serving", OLD, NEW),
    ]
    assert made.text == settings(NEW, READS)


def test_an_environment_without_images_gets_its_first(repository):
    (repository / "infra/environments/staging.toml").write_text(settings("", READS))
    made = promotion("dev", "staging", repository)
    assert [(move.image, move.before, move.after) for move in made.moves] == [
        ("pipelines", "", NEW),
        ("serving", "", NEW),
    ]
    assert tomllib.loads(made.text) == tomllib.loads(settings(NEW, READS))
    assert "| pipelines | `none` |" in made.body


@pytest.mark.parametrize(
    ("environment", "registry", "message"),
    [
        ("staging", "", "staging does not pull from the registry of dev"),
        ("dev", "", "staging may not pull from the registry of dev"),
    ],
)
def test_what_the_target_could_not_pull_is_not_promoted(repository, environment, registry, message):
    (repository / f"infra/environments/{environment}.toml").write_text(settings(NEW, registry))
    with pytest.raises(BadInputError, match=message):
        promotion("dev", "staging", repository)


def test_the_commit_is_on_a_branch_of_its_own_and_the_working_copy_is_not_touched(repository):
    made = promotion("dev", "staging", repository)
    commit = prepare(made, repository)
    assert git(repository, "rev-parse", made.branch) == commit
    assert git(repository, "show", f"{commit}:infra/environments/staging.toml") == made.text.strip()
    assert git(repository, "status", "--porcelain") == ""
    assert git(repository, "branch", "--show-current") == "main"
    assert git(repository, "log", "-1", "--format=%s", made.branch) == "Promote pipelines, serving from dev to staging"


def test_the_same_promotion_twice_is_refused(repository):
    made = promotion("dev", "staging", repository)
    prepare(made, repository)
    with pytest.raises(ConflictError, match="already exists"):
        prepare(made, repository)


def test_nothing_to_promote(repository):
    (repository / "infra/environments/staging.toml").write_text(settings(NEW, READS))
    assert promotion("dev", "staging", repository).moves == ()


@pytest.mark.parametrize(("source", "target"), [("dev", "dev"), ("dev", "nowhere"), ("../x", "dev")])
def test_environments_that_cannot_be(repository, source, target):
    with pytest.raises(BadInputError):
        promotion(source, target, repository)


@pytest.mark.parametrize("text", ["[images", "region = 'x'", "[images]\npipelines = 'a/b:latest'"])
def test_settings_that_cannot_be_promoted_to(repository, text):
    (repository / "infra/environments/staging.toml").write_text(text)
    with pytest.raises(BadInputError):
        promotion("dev", "staging", repository)


def test_what_is_merged_is_promoted_and_nothing_of_a_branch_or_the_working_copy(repository, tmp_path, monkeypatch):
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
    (clone / "infra/environments/dev.toml").write_text(settings(OLD, READERS))

    commit = published(clone)
    made = promotion("dev", "staging", kept(commit, clone))
    prepare(made, clone, base=commit)

    assert [move.after for move in made.moves] == [NEW, NEW]
    assert git(clone, "show", f"{made.branch}:infra/environments/staging.toml") == settings(NEW, READS).strip()
    assert git(clone, "log", "--format=%s", f"{commit}..{made.branch}") == made.title
    assert "# not committed" in target.read_text()


def test_a_promotion_needs_a_remote(repository):
    with pytest.raises(BadInputError, match="no remote"):
        published(repository)
