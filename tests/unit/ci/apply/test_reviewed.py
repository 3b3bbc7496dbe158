"""The apply of merged pull requests: real git, the real Terraform on its built-in resource, a forge on this machine."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from ci.apply.apply import Applier
from ci.apply.reviewed import apply_reviewed
from ci.preview.build.plans import plan_environment
from ci.preview.build.revisions import kept
from ci.preview.build.synthesis import emptied, synthesised_once
from ci.preview.fingerprint import record
from ci.preview.review import Review, seal
from fonderie.core.errors import ConflictError, RefusedError
from fonderie.terraform.configuration import read_configuration
from tests.unit.ci.preview.forge_server import TOKEN, Server, serving

KEY = "a-key"
APP = """
import json, os, pathlib
out = pathlib.Path(os.environ["CDKTF_OUTDIR"])
stacks = {}
for name, resources in json.loads((pathlib.Path(__file__).parent / "stacks.json").read_text()).items():
    folder = out / "stacks" / f"dev-{name}"
    folder.mkdir(parents=True, exist_ok=True)
    backend = {"local": {"path": "STATES/" + name + ".tfstate"}}
    body = {"terraform": {"backend": backend}, "resource": {"terraform_data": resources}}
    (folder / "cdk.tf.json").write_text(json.dumps(body))
    stacks[f"dev-{name}"] = {"workingDirectory": f"stacks/dev-{name}", "dependencies": []}
(out / "manifest.json").write_text(json.dumps({"stacks": stacks}))
"""


class Branch:
    """A protected branch, the pull requests that were merged into it, and one environment."""

    def __init__(self, root: Path, server: Server) -> None:
        self.root, self.server = root / "repository", server
        self.states = root / "states"
        self.root.mkdir()
        self.git("init", "-q", "-b", "main")
        for name, text in {"cdktf.json": '{"app": "python app.py"}', "app.py": APP.replace("STATES", str(self.states)),
                           "pyproject.toml": "", "infra/environments/dev.toml": ""}.items():  # fmt: skip
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text(text)
        self.stacks = {"data": {"bucket": {"input": "one"}}, "runtime": {"cluster": {"input": "x"}}}
        self.main = self.commit()
        self.pulls = 0
        self.variables = {"GITHUB_TOKEN": TOKEN, "GITHUB_REPOSITORY": "acme/ml", "GITHUB_API_URL": server.url,
                          "FONDERIE_REVIEW_KEY": KEY}  # fmt: skip

    def git(self, *words: str) -> str:
        command = ["git", "-C", str(self.root), "-c", "user.name=a", "-c", "user.email=a@b.c", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self) -> str:
        (self.root / "stacks.json").write_text(json.dumps(self.stacks))
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "a commit")
        return self.git("rev-parse", "HEAD")

    def pull_request(self, base: str, **stacks: object) -> tuple[str, dict]:
        """A branch on `base`, reviewed by our step against the state of now; its seal is a comment."""
        self.git("checkout", "-q", "--detach", base)
        self.stacks = json.loads((self.root / "stacks.json").read_text()) | stacks
        head = self.commit()
        self.pulls += 1
        made, before = (synthesised_once(kept(each, self.root), ["dev"]) for each in (head, base))
        planned = (*emptied(before, [one.name for one in made.stacks], "dev", self.root.parent / "gone"), *made.stacks)
        configurations = {one.name: read_configuration(one.folder) for one in before.stacks}
        plans = plan_environment("dev", planned, self.terraform).plans
        reviewed = record("dev", plans, head=head, base=base, before=configurations)
        self.server.add(seal(Review.of(reviewed, self.pulls), KEY), pull=str(self.pulls))
        return head, {"number": self.pulls, "head": {"sha": head}, "base": {"ref": "main"}, "merged_at": "now"}

    def merge(self, pull: tuple[str, dict], **stacks: object) -> str:
        """What the branch is at after it: `stacks` of all pull requests together."""
        _, described = pull
        self.git("checkout", "-q", "--detach", self.main)
        self.stacks = json.loads((self.root / "stacks.json").read_text()) | stacks
        self.main = self.commit()
        self.server.merged.append(described | {"commits": [self.main]})
        return self.main

    @property
    def terraform(self) -> dict[str, str]:
        return {**os.environ, "TF_CLI_CONFIG_FILE": os.devnull}

    told: tuple[str, ...] = ()

    def run(self, commit: str) -> object:
        """One run of the CI system, at a commit."""
        stacks = list(synthesised_once(kept(commit, self.root), ["dev"]).of("dev"))
        applier = Applier("dev", self.terraform, lambda _: stacks, tell=self.tell)
        return apply_reviewed(applier, self.variables | {"FONDERIE_HEAD": commit}, self.root)

    def tell(self, text: str) -> None:
        self.told = (*self.told, text)

    def inputs(self, name: str) -> dict[str, str]:
        state = json.loads((self.states / f"{name}.tfstate").read_text())
        return {each["name"]: each["instances"][0]["attributes"]["input"]["value"] for each in state["resources"]}

    def results(self) -> list[str]:
        said = [each["body"] for _, each in sorted(self.server.comments.items())]
        return [body.split("\n")[1] for body in said if body.startswith("<!-- fonderie:applied")]


@pytest.fixture
def branch(tmp_path, monkeypatch):
    monkeypatch.setenv("FONDERIE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with serving() as server:
        made = Branch(tmp_path, server)
        first = made.pull_request(made.main)
        made.run(made.merge(first))
        yield made


def data(**more):
    return {"bucket": {"input": "one"}, **{name: {"input": value} for name, value in more.items()}}


def test_of_three_quick_merges_whose_middle_run_was_dropped_all_are_applied(branch):
    pulls = [branch.pull_request(branch.main, data=data(**{name: name})) for name in "abc"]
    a = branch.merge(pulls[0], data=data(a="a"))
    branch.merge(pulls[1], data=data(a="a", b="b"))
    c = branch.merge(pulls[2], data=data(a="a", b="b", c="c"))
    branch.run(a)
    branch.run(c)
    assert branch.inputs("data") == {"bucket": "one", "a": "a", "b": "b", "c": "c"}
    assert [line.partition(". ")[0] for line in branch.results()][-3:] == ["✅ **dev** is applied: 1 added"] * 3
    assert branch.run(a) is None
    assert "already, which holds" in branch.told[-1]


def test_a_review_on_a_base_that_the_branch_did_not_hold_applies_nothing(branch):
    """A branch of an attacker's is brought along by the merge; what was compared with it was compared with his code."""
    aside, _ = branch.pull_request(branch.main)
    commit = branch.merge(branch.pull_request(aside, data=data(a="a")), data=data(a="a"))
    with pytest.raises(RefusedError, match=f"#3 was reviewed on {aside[:9]}, which the branch did not hold"):
        branch.run(commit)
    assert branch.results()[-1] == "❌ **dev** was not applied:"
    assert branch.inputs("data") == {"bucket": "one"}


@pytest.mark.prove(every=0)
def test_a_pull_request_whose_plan_was_not_reviewed_is_left_for_the_next_preview(branch):
    """It is told there and blocks nothing for ever: the next preview shows what it left, and is applied with it."""
    wrong = branch.pull_request(branch.main, data=data(a="a"))
    commit = branch.merge(wrong, data=data(a="something else"))
    with pytest.raises(ConflictError):
        branch.run(commit)
    assert branch.results()[-1] == "❌ **dev** was not applied:"
    anew = branch.pull_request(branch.main, runtime={"cluster": {"input": "y"}})
    branch.run(branch.merge(anew, runtime={"cluster": {"input": "y"}}))
    assert branch.inputs("data")["a"] == "something else"
    assert branch.inputs("runtime") == {"cluster": "y"}
