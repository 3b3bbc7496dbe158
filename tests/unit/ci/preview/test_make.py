"""The whole way from two revisions to a preview, on a small repository of its own: real git, Terraform, sandbox."""

import json
import subprocess

import pytest

from ci.preview.build import revisions
from ci.preview.build.preview import Request, make
from ci.preview.build.revisions import kept
from ci.preview.build.synthesis import synthesise
from ci.preview.render.comment import render
from ci.preview.report import Truth
from fonderie.core.errors import BadInputError

APP = """
import json, os, pathlib
out = pathlib.Path(os.environ["CDKTF_OUTDIR"])
here = pathlib.Path(__file__).parent.parent / "infra"
stacks = {}
for environment in os.environ["FONDERIE_ENV"].split(","):
    for name, resources in json.loads((here / "stacks.json").read_text()).items():
        stack = f"{environment}-{name}"
        folder = out / "stacks" / stack
        folder.mkdir(parents=True, exist_ok=True)
        backend = {"local": {"path": f"../../../.fonderie/state/{stack}.tfstate"}}
        body = {"terraform": {"backend": backend}, "resource": {"terraform_data": resources}}
        (folder / "cdk.tf.json").write_text(json.dumps(body))
        stacks[stack] = {"workingDirectory": f"stacks/{stack}", "dependencies": []}
(out / "manifest.json").write_text(json.dumps({"stacks": stacks}))
"""
BASE = {"data": {"bucket": {"input": "one"}}, "runtime": {"cluster": {"input": "x"}}}


class Repository:
    """A repository whose app makes stacks of what `stacks.json` says."""

    def __init__(self, root):
        self.root = root
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.email", "a@b.c")
        self.git("config", "user.name", "a")
        self.write("cdktf.json", '{"app": "python -m ci.synth"}')
        self.write("ci/__init__.py", "")
        self.write("ci/synth.py", APP)
        self.write("infra/environments/dev.toml", "")
        self.stacks(BASE)
        self.commit()

    def git(self, *arguments):
        subprocess.run(["git", "-C", self.root, *arguments], check=True, capture_output=True)

    def write(self, file, text):
        (self.root / file).parent.mkdir(parents=True, exist_ok=True)
        (self.root / file).write_text(text)

    def stacks(self, stacks):
        self.write("infra/stacks.json", json.dumps(stacks))

    def commit(self):
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "a commit")

    def preview(self, **more):
        return make(Request(("dev",), "main", truth=Truth.SANDBOX, policy=False, root=self.root, **more))


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.setenv("FONDERIE_HOME", str(tmp_path / "home"))
    (tmp_path / "repository").mkdir()
    return Repository(tmp_path / "repository")


def test_a_change_of_the_working_copy_is_planned_on_base_and_twice_the_same(repository, tmp_path):
    repository.stacks({**BASE, "data": {"bucket": {"input": "two"}}})
    first = render(repository.preview())
    assert '!   input   "one" → "two"' in first
    assert "Unchanged: dev-runtime" in first
    deployed = tmp_path / "home" / "cache" / "preview" / "deployed"
    assert len(list(deployed.iterdir())) == 1
    assert render(repository.preview()) == first
    assert len(list(deployed.iterdir())) == 1


def test_a_revision_without_changes_changes_nothing(repository):
    assert repository.preview(head="main").empty


def test_a_stack_whose_plan_fails_does_not_hide_the_other(repository):
    repository.stacks({"data": {"bucket": {"no_such_argument": 1}}, "runtime": {"cluster": {"input": "y"}}})
    made = repository.preview()
    assert made.failed
    assert [stack.name for stack in made.stacks if stack.failure] == ["dev-data"]
    assert '"x" → "y"' in render(made)


def test_a_head_that_does_not_synthesise_says_so(repository):
    repository.write("ci/synth.py", "raise SystemExit('error: region is wrong')")
    made = repository.preview()
    assert made.failed
    assert "head does not synthesise" in made.failures[0]
    assert "region is wrong" in render(made)


def test_a_base_that_does_not_synthesise_says_so_and_shows_the_models(repository):
    repository.write("ci/synth.py", "raise SystemExit('error: region is wrong')")
    repository.write("ml/models/m.toml", "a = 1")
    repository.commit()
    repository.write("ci/synth.py", APP)
    repository.write("ml/models/m.toml", "a = 2")
    made = repository.preview()
    assert "base does not synthesise" in made.failures[0]
    assert [change.after for change in made.models] == ["2"]


def test_each_side_is_synthesised_by_the_app_that_its_own_cdktf_json_names(repository):
    """Head's app may have another name than base's; `python` is the one that runs us, whatever the PATH has."""
    repository.write("ci/synth.py", "raise SystemExit('the old app')")
    repository.write("app/other.py", APP)
    repository.write("cdktf.json", '{"app": "python3 -m app.other"}')
    repository.stacks({**BASE, "data": {"bucket": {"input": "two"}}})
    assert '!   input   "one" → "two"' in render(repository.preview())


def test_a_working_copy_that_names_no_app_says_so(repository):
    repository.write("cdktf.json", "{}")
    (failure, *_) = repository.preview().failures
    assert "cdktf.json: does not name an app" in failure


def test_an_environment_that_is_new_is_added_whole(repository):
    repository.write("infra/environments/prod.toml", "")
    made = make(Request(("prod",), "main", truth=Truth.SANDBOX, policy=False, root=repository.root))
    assert [stack.name for stack in made.stacks if stack.changes] == ["prod-data", "prod-runtime"]


@pytest.mark.parametrize("wrong", [{"head": "no-such-branch"}, {"head": "--output=x"}])
def test_a_revision_that_does_not_exist_is_refused(repository, wrong):
    with pytest.raises(BadInputError, match="revision"):
        repository.preview(**wrong)


def test_an_environment_that_does_not_exist_is_refused(repository):
    with pytest.raises(BadInputError, match="unknown environment 'nowhere'"):
        make(Request(("nowhere",), "main", truth=Truth.SANDBOX, policy=False, root=repository.root))


LOOK = """
import json, os, pathlib
pathlib.Path(os.environ["FONDERIE_HOME"], "seen.json").write_text(json.dumps(dict(os.environ)))
"""


def test_the_code_of_a_change_is_given_no_token(repository, tmp_path, monkeypatch):
    """A pull request wrote GITHUB_TOKEN to a file while the comment said that nothing changes."""
    tokens = ("GITHUB_TOKEN", "GITLAB_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "FONDERIE_REVIEW_KEY", "NPM_PASSWORD",
              "NODE_AUTH_TOKEN",              "GOOGLE_OAUTH_ACCESS_TOKEN", "AWS_SECRET_ACCESS_KEY")  # fmt: skip
    for name in tokens:
        monkeypatch.setenv(name, "swordfish")
    (tmp_path / "home").mkdir(exist_ok=True)
    repository.write("ci/synth.py", LOOK + APP)
    repository.preview()
    seen = json.loads((tmp_path / "home" / "seen.json").read_text())
    assert "swordfish" not in seen.values()
    assert seen["PATH"]


def test_a_stack_that_is_removed_is_planned_as_destroyed(repository):
    repository.stacks({"runtime": BASE["runtime"]})
    made = repository.preview()
    assert not made.failed
    (loss,) = made.losses
    assert (loss.stack, loss.address, loss.action) == ("dev-data", "terraform_data.bucket", "destroyed")


def test_an_environment_that_is_removed_says_what_stays_and_fails_nothing(repository):
    repository.write("infra/environments/prod.toml", "")
    repository.commit()
    (repository.root / "infra/environments/dev.toml").unlink()
    made = repository.preview()
    assert not made.failed
    assert "dev is removed: no merge destroys its 2 resources; destroy them before, from the base" in render(made)


def test_a_backend_that_moves_is_told_by_the_sandbox_too(repository):
    repository.write("ci/synth.py", APP.replace(".fonderie/state/", ".fonderie/elsewhere/"))
    (first, *_) = repository.preview().configuration
    assert (first.what, first.alarm) == (
        "terraform.backend.local.path",
        "the state is kept elsewhere: Terraform would forget what it manages",
    )


def test_stacks_that_another_step_synthesised_are_planned_and_heads_code_is_not_run(repository, tmp_path, monkeypatch):
    repository.stacks({**BASE, "data": {"bucket": {"input": "two"}}})
    repository.commit()
    repository.git("tag", "head")
    synthesise(kept("head", repository.root), ["dev"], tmp_path / "out")
    repository.git("reset", "-q", "--hard", "main^1")
    repository.write("ci/synth.py", "raise SystemExit('error: head was run')")
    repository.write("fonderie/sandbox/provider/google@9.9.9.json", "{}")  # another pin: the bindings are not ours
    repository.write("cdktf.json", '{"app": "python -m ci.synth", "terraformProviders": ["evil/evil"]}')
    repository.commit()
    repository.git("checkout", "-q", "--detach", "main^1")
    (repository.root / "imports").mkdir()
    monkeypatch.setattr(revisions, "_bindings", lambda *_: pytest.fail("head's bindings were generated"))
    made = make(
        Request(("dev",), "main^1", "main", truth=Truth.SANDBOX, policy=False, root=repository.root,
                synthesised=tmp_path / "out")
    )  # fmt: skip
    assert made.failures == ()
    assert [(change.address, str(change.action)) for stack in made.stacks for change in stack.changes] == [
        ("terraform_data.bucket", "changed")
    ]
