"""Apply, with the real Terraform on its built-in resource: it needs no provider and no cloud."""

import dataclasses
import json
import os
import re
import stat
import tempfile
from pathlib import Path

import pytest

from ci.apply import apply, journal
from ci.apply.apply import Applier, refuse_losses
from ci.apply.journal import Journal
from ci.lifecycle.deploy import Stack
from ci.preview.build.plans import plan_environment
from ci.preview.build.preview import record_path
from ci.preview.build.synthesis import Synthesised, emptied
from ci.preview.fingerprint import record
from ci.preview.review import Review
from fonderie.core.errors import BadInputError, ConflictError, RefusedError, StepFailedError
from fonderie.terraform.configuration import read_configuration
from fonderie.terraform.plan import Action
from tests.unit.ci.preview.plans import change, preview

GATE = 'test -f "$GATE" || exit 1'


class World:
    """Two stacks of an environment, whose configuration a test can change."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.gate = root / "gate"
        self.write("data", {"bucket": {"input": "one"}})
        self.write("runtime", {"cluster": {"input": '${sensitive("hunter2")}'}})

    def write(self, name, resources):
        folder = self.root / "out" / f"dev-{name}"
        folder.mkdir(parents=True, exist_ok=True)
        backend = {"local": {"path": f"../../state/{name}.tfstate"}}
        body = {"terraform": {"backend": backend}} | ({"resource": {"terraform_data": resources}} if resources else {})
        (folder / "cdk.tf.json").write_text(json.dumps(body))

    @property
    def applier(self):
        variables = {**os.environ, "TF_CLI_CONFIG_FILE": os.devnull, "GATE": str(self.gate)}
        stacks = [Stack(f"dev-{name}", self.root / "out" / f"dev-{name}") for name in ("data", "runtime")]
        return Applier("dev", variables, lambda _: stacks)

    def reviewed(self):
        """What a reviewer sees now."""
        return Review(environment="dev", hash=self.applier.preview()[1].hash)

    def state(self, name):
        path = self.root / "state" / f"{name}.tfstate"
        return json.loads(path.read_text())["resources"] if path.exists() else []


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.setenv("FONDERIE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    return World(tmp_path)


def test_merged_code_that_is_not_compared_yet_gets_no_token(monkeypatch):
    secrets = {"GITHUB_TOKEN": "ghs_1", "FONDERIE_REVIEW_KEY": "key", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t"}
    for name, value in {**secrets, "GOOGLE_APPLICATION_CREDENTIALS": "/a.json"}.items():
        monkeypatch.setenv(name, value)
    given = {}
    monkeypatch.setattr(apply, "synthesise", lambda *_, variables=os.environ: given.update(variables) or [])
    assert apply.synthesised("dev") == []
    assert "PATH" in given
    assert not {*secrets, "GOOGLE_APPLICATION_CREDENTIALS"} & given.keys()
    terraform = Applier("dev").variables
    assert terraform["GOOGLE_APPLICATION_CREDENTIALS"] == "/a.json"
    assert not secrets.keys() & terraform.keys()


def test_what_was_reviewed_is_applied_and_then_there_is_nothing_to_do(world):
    identity = world.reviewed()
    assert world.applier.apply(identity).counts() == {Action.CREATE: 2}
    assert len(world.state("data")) == len(world.state("runtime")) == 1
    assert world.applier.apply(identity).empty


def test_the_hash_of_an_unchanged_plan_is_the_same_each_time(world):
    assert world.reviewed() == world.reviewed()


@pytest.mark.parametrize(
    ("stack", "resources", "said"),
    [
        ("data", {"bucket": {"input": "two"}}, "dev-data terraform_data.bucket: input"),
        ("data", {"bucket": {"input": "one"}, "more": {}}, "not reviewed: dev-data terraform_data.more would be added"),
        ("data", {}, "not any more: dev-data terraform_data.bucket was to be added"),
        ("runtime", {"cluster": {"input": '${sensitive("hunter3")}'}}, "dev-runtime terraform_data.cluster: input"),
    ],
    ids=["a value", "one more", "one less", "a sensitive value"],
)
def test_a_plan_that_changed_since_the_review_is_refused_in_words(world, stack, resources, said):
    identity = world.reviewed()
    world.write(stack, resources)
    with pytest.raises(ConflictError) as caught:
        world.applier.apply(identity)
    assert said in str(caught.value)
    assert "hunter" not in str(caught.value)
    assert world.state("data") == world.state("runtime") == []


def test_a_state_that_moved_on_since_the_review_is_refused(world):
    world.applier.apply(world.reviewed())
    world.write("data", {"bucket": {"input": "two"}})
    stale = world.reviewed()
    world.write("data", {"bucket": {"input": "three"}})
    world.applier.apply(world.reviewed())
    world.write("data", {"bucket": {"input": "two"}})
    with pytest.raises(ConflictError, match="not what was reviewed"):
        world.applier.apply(stale)


@pytest.mark.parametrize("identity", ["", "p-1", "p-" + "g" * 20, "../../etc/passwd", "p-" + "0" * 21])
def test_what_is_no_hash_is_refused(world, identity):
    with pytest.raises(BadInputError, match="invalid plan hash"):
        world.applier.apply(Review(environment="dev", hash=identity))


def test_a_hash_nobody_reviewed_is_refused_and_says_what_would_happen(world):
    with pytest.raises(ConflictError, match=r"would change now: dev-data terraform_data\.bucket added"):
        world.applier.apply(Review(environment="dev"))


def test_a_forged_record_of_the_review_does_not_open_the_door(world):
    forged = "p-" + "0" * 20
    now = world.applier.preview()[1]
    path = record_path(forged)
    path.write_text(now.model_dump_json())
    with pytest.raises(ConflictError, match="record of the reviewed plan was changed"):
        world.applier.apply(Review(environment="dev", hash=forged))


def broken(world):
    """A world whose second stack fails until its gate is open; the hash that was reviewed."""
    provisioner = [{"local-exec": [{"command": GATE}]}]
    world.write(
        "runtime", {"first": {}, "second": {"depends_on": ["terraform_data.first"], "provisioner": provisioner}}
    )
    identity = world.reviewed()
    with pytest.raises(StepFailedError):
        world.applier.apply(identity)
    assert len(world.state("data")) == 1
    return identity


def test_an_apply_that_failed_goes_on_under_the_same_hash(world):
    identity = broken(world)
    world.gate.touch()
    world.applier.apply(identity)
    assert len(world.state("runtime")) == 2
    assert world.applier.apply(identity).empty


def test_going_on_with_something_that_was_not_reviewed_is_refused(world):
    identity = broken(world)
    world.write("data", {"bucket": {"input": "something else"}})
    world.gate.touch()
    with pytest.raises(ConflictError, match="what is left is not what was reviewed"):
        world.applier.apply(identity)


def test_a_tampered_journal_is_not_gone_on_with(world):
    identity = broken(world)
    world.write("data", {"bucket": {"input": "something else"}})
    Journal("dev").begin(world.applier.preview()[1])
    world.gate.touch()
    with pytest.raises(ConflictError):
        world.applier.apply(identity)


def test_one_apply_at_a_time(world):
    identity = world.reviewed()
    with journal.alone("dev"), pytest.raises(ConflictError, match="another process"):
        world.applier.apply(identity)


def test_plan_files_are_private_and_removed(world, tmp_path):
    modes = []

    def look(_):
        modes.extend(stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "scratch").glob("fonderie-plans-*"))

    applier = world.applier
    watching = Applier(applier.environment, applier.variables, applier.stacks_of, look)
    watching.apply(world.reviewed())
    assert set(modes) == {0o700}
    assert list((tmp_path / "scratch").glob("fonderie-plans-*")) == []


def test_a_plan_that_fails_applies_nothing(world):
    identity = world.reviewed()
    world.write("runtime", {"cluster": {"no_such_argument": 1}})
    with pytest.raises(StepFailedError) as caught:
        world.applier.apply(identity)
    assert caught.value.hint == "nothing was applied"
    assert world.state("data") == []


BUCKET = change("google_storage_bucket.models", "delete", {"name": "m"})


def test_a_stateful_loss_is_refused_by_name():
    with pytest.raises(RefusedError, match=r"google_storage_bucket\.models destroyed: every object") as caught:
        refuse_losses(preview(BUCKET).losses, ())
    assert "--allow-destroy 'prod-data/google_storage_bucket.models'" in caught.value.hint


@pytest.mark.parametrize("name", ["google_storage_bucket.models", "prod-data/google_storage_bucket.models"])
def test_a_stateful_loss_that_is_named_is_let_through(name):
    refuse_losses(preview(BUCKET).losses, [name])


def test_another_name_does_not_let_it_through():
    with pytest.raises(RefusedError):
        refuse_losses(
            preview(BUCKET).losses, ["models", "google_storage_bucket", "dev-data/google_storage_bucket.models"]
        )


def test_what_holds_nothing_may_go():
    refuse_losses(preview(change("google_project_service.x", "delete", {})).losses, ())


class WithBootstrap(World):
    """The same with a bootstrap stack, which only a person applies."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.write("bootstrap", {"pool": {"input": "trusts"}})
        self.told: list[str] = []

    @property
    def applier(self):
        inner = super().applier
        stacks = [Stack("dev-bootstrap", self.root / "out" / "dev-bootstrap"), *inner.stacks_of("dev")]
        return Applier("dev", inner.variables, lambda _: stacks, tell=self.told.append)


@pytest.fixture
def with_bootstrap(world):
    return WithBootstrap(world.root)


def test_the_bootstrap_stack_is_said_and_never_applied(with_bootstrap):
    identity = with_bootstrap.reviewed()

    assert with_bootstrap.applier.apply(identity).counts() == {Action.CREATE: 2}

    assert with_bootstrap.state("bootstrap") == []
    assert set(with_bootstrap.told) == {
        "dev-bootstrap: 1 changes are applied by a person: `fonderie bootstrap --env dev`"
    }


def test_a_change_of_the_bootstrap_stack_is_no_part_of_the_hash_and_blocks_nothing(with_bootstrap):
    identity = with_bootstrap.reviewed()

    with_bootstrap.write("bootstrap", {"pool": {"input": "trusts another"}})

    assert with_bootstrap.reviewed() == identity
    assert with_bootstrap.applier.apply(identity).counts() == {Action.CREATE: 2}


def test_a_bootstrap_stack_that_cannot_be_planned_blocks_nothing(with_bootstrap):
    identity = with_bootstrap.reviewed()
    (with_bootstrap.root / "out" / "dev-bootstrap" / "cdk.tf.json").write_text("{")

    assert with_bootstrap.applier.apply(identity).counts() == {Action.CREATE: 2}


REFUSES_ONCE = """
if [ ! -f "$GATE" ]; then touch "$GATE"; echo 'Error 404: Cannot find metric(s) that match type = "x"'; exit 1; fi
"""


def test_where_google_is_only_not_ready_the_reviewed_plan_is_gone_on_with(world):
    """A saved plan is stale once it has begun: it is planned again, and what is left is compared with the review."""
    metric = {"provisioner": [{"local-exec": {"command": REFUSES_ONCE}}]}
    world.write("runtime", {"metric": {}, "alert": {**metric, "depends_on": ["terraform_data.metric"]}})
    told, waited = [], []
    applier = dataclasses.replace(world.applier, tell=told.append, wait=waited.append)

    done = applier.apply(world.reviewed())

    assert done.counts() == {Action.CREATE: 3}
    assert {each["name"] for each in world.state("runtime")} == {"metric", "alert"}
    assert told == ["Google is not ready: the log metric of an alert is not there; again in 15 s"]
    assert waited == [15]


class Merges(World):
    """A protected branch: what a pull request's head holds on a base, and what the branch holds when it is applied."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.states = {"data": {"bucket": {"input": "one"}}, "runtime": {"cluster": {"input": "x"}}}
        self.apply_all()

    def config(self, **changes):
        return {**self.states, **changes}

    def synthesised(self, stacks, name):
        """Stacks in a folder of their own, with the states that all of them share."""
        folder = self.root / name / "out"
        for stack, resources in stacks.items():
            inner = folder / f"dev-{stack}"
            inner.mkdir(parents=True, exist_ok=True)
            backend = {"local": {"path": str(self.root / "state" / f"{stack}.tfstate")}}
            body = {"terraform": {"backend": backend}}
            body |= {"resource": {"terraform_data": resources}} if resources else {}
            (inner / "cdk.tf.json").write_text(json.dumps(body))
        return Synthesised(folder, tuple(Stack(f"dev-{stack}", folder / f"dev-{stack}") for stack in stacks))

    def applier_of(self, stacks, base, name="main"):
        made = self.synthesised(stacks, f"{name}-head")
        before = self.synthesised(base, f"{name}-base")
        variables = {**os.environ, "TF_CLI_CONFIG_FILE": os.devnull, "GATE": str(self.gate)}
        return Applier("dev", variables, lambda _: list(made.stacks), base=lambda: before, tell=self.say)

    said = ()

    def say(self, text):
        self.said = (*self.said, text)

    def apply_all(self):
        applier = self.applier_of(self.states, self.states, "first")
        applier.apply(Review(environment="dev", hash=applier.preview()[1].hash))

    def review(self, head, base, gone=()):
        """What our step records of a pull request: its plan against the state of now."""
        made = self.synthesised(head, "pull-head")
        before = self.synthesised(base, "pull-base")
        variables = {**os.environ, "TF_CLI_CONFIG_FILE": os.devnull}
        stacks = (*emptied(before, [stack.name for stack in made.stacks], "dev", self.root / "gone"), *made.stacks)
        plans = plan_environment("dev", stacks, variables).plans
        configurations = {stack.name: read_configuration(stack.folder) for stack in before.stacks}
        return Review.of(record("dev", plans, head="a" * 40, base="b" * 40, before=configurations), 7)


@pytest.fixture
def merges(world):
    return Merges(world.root)


@pytest.mark.prove(every=0)
def test_three_quick_merges_queue_and_end_right(merges):
    """All three were previewed on one base. Each apply finds base and state moved on, and does what was reviewed."""
    base = merges.states
    heads = [
        merges.config(data={**base["data"], "a": {"input": "1"}}),
        merges.config(data={**base["data"], "b": {"input": "2"}}),
        merges.config(runtime={"cluster": {"input": "y"}}),
    ]
    reviews = [merges.review(head, base) for head in heads]
    main = [base]
    for head in heads:
        main.append({stack: {**main[-1][stack], **head[stack]} for stack in base})
    main[3]["runtime"] = heads[2]["runtime"]
    for number, review in enumerate(reviews):
        done = merges.applier_of(main[number + 1], main[number]).apply(review)
        assert sum(done.counts().values()) == 1
    assert len(merges.said) == 2
    assert all("has moved on since the review of aaaaaaaaa: the plan does the same" in line for line in merges.said)
    kept = json.loads(Journal("dev").read("done"))
    assert kept["reviewed"]["states"]["dev-data"][0] < kept["applied"]["dev-data"][0]


@pytest.mark.prove(every=3)
@pytest.mark.parametrize(
    "also",
    [
        {"runtime": {"cluster": {"input": "x"}, "hook": {"input": "h"}}},
        {
            "data": {
                "bucket": {"input": "one"},
                "a": {"input": "1", "provisioner": [{"local-exec": {"command": "true"}}]},
            }
        },
        {"data": {"bucket": {"input": "one", "lifecycle": {"ignore_changes": "all"}}, "a": {"input": "1"}}},
    ],
    ids=["a resource more", "a program beside it", "what is ignored"],
)
def test_a_merge_that_does_more_than_its_review_is_refused_without_a_hash(merges, also):
    head = merges.config(data={"bucket": {"input": "one"}, "a": {"input": "1"}})
    review = merges.review(head, merges.states)
    with pytest.raises(ConflictError, match="not what was reviewed") as caught:
        merges.applier_of({**head, **also}, merges.states).apply(review)
    assert not re.search(r"p-[0-9a-f]{20}", str(caught.value))
    assert [each["name"] for each in merges.state("data")] == ["bucket"]


@pytest.mark.prove(every=0)
def test_a_program_that_main_brought_beside_a_reviewed_change_is_refused(merges):
    """Reviewed apart, a provisioner on main and a replacement of its resource do together what nobody has seen."""
    program = {"provisioner": [{"local-exec": {"command": "true"}}]}
    head = merges.config(data={"bucket": {"input": "one", "triggers_replace": "now"}})
    review = merges.review(head, merges.states)
    main = merges.config(data={"bucket": {"input": "one", **program}})
    after = merges.config(data={"bucket": {"input": "one", "triggers_replace": "now", **program}})
    with pytest.raises(ConflictError):
        merges.applier_of(after, main).apply(review)


def test_without_a_review_nothing_is_applied_and_nothing_to_do_is_fine(merges):
    none = Review(environment="dev", missing="pull request #7 has no recorded preview of dev")
    assert merges.applier_of(merges.states, merges.states).apply(none).empty
    with pytest.raises(RefusedError, match="#7 has no recorded preview"):
        merges.applier_of(merges.config(data={}), merges.states).apply(none)


def test_a_stack_that_is_removed_is_destroyed_as_it_was_reviewed(merges):
    head = {"runtime": merges.states["runtime"]}
    review = merges.review(head, merges.states)
    done = merges.applier_of(head, merges.states).apply(review)
    assert done.counts() == {Action.DESTROY: 1}
    assert merges.state("data") == []
    assert merges.applier_of(head, head).apply(review).empty


def test_what_terraform_says_of_a_failed_apply_is_masked(world):
    """The CI log had: postgres://u:hunter2hunter2@db --password=swordfish99."""
    said = "echo 'cannot reach postgres://u:hunter2hunter2@db --password=swordfish99' >&2; exit 1"
    world.write("runtime", {"hook": {"provisioner": [{"local-exec": {"command": said}}]}})
    with pytest.raises(StepFailedError) as caught:
        world.applier.apply(world.reviewed())
    assert "local-exec" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert "swordfish99" not in str(caught.value)


def test_by_hand_a_stateful_loss_has_to_be_named(world):
    review = world.reviewed()
    with pytest.raises(RefusedError, match="would be lost"):
        refuse_losses(preview(BUCKET).losses, ())
    assert world.applier.apply(review, ()).counts() == {Action.CREATE: 2}
