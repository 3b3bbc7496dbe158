"""The stand-in against what was recorded of the real provider after the plan (`provider/behaviours.json`)."""

import copy
import json
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fonderie.sandbox.cloud.cloud import ObjectStatus
from fonderie.sandbox.lifecycle.interface import ApiError, State
from fonderie.sandbox.lifecycle.refresh import ONLY_TERRAFORM
from fonderie.sandbox.provider.facts import Facts
from fonderie.sandbox.provider.schema import ProviderSchema
from fonderie.sandbox.runner import Options, stand_in
from tests.unit.fonderie.sandbox.google import Google

pytestmark = pytest.mark.e2e
GOOGLE = Path("tests/data/google")
FACTS = Facts.load()
SCHEMA = ProviderSchema.load(GOOGLE / "schema@7.45.0.json.gz")
RECORDED = FACTS.behaviours
BASE = json.loads((GOOGLE / "base.tf.json").read_text())
ADDRESS = re.compile(r"\d{15,}|[0-9a-f]{8}-[0-9a-f]{4}-|notificationConfigs/\d+")


@dataclass(frozen=True)
class Applied:
    """The recorded base, applied: its cloud, the environment of commands, the states by address."""

    cloud: Path
    environment: dict[str, str]
    states: dict[str, State]

    def google(self, folder: Path) -> Google:
        """A copy of the cloud to play with."""
        with closing(sqlite3.connect(self.cloud)) as here, closing(sqlite3.connect(folder / "copy.sqlite")) as there:
            here.backup(there)
        return Google.at(folder / "copy.sqlite", SCHEMA, FACTS, established=True)


def terraform(environment: dict[str, str], folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["terraform", *arguments, "-no-color"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Applied]:
    folder = tmp_path_factory.mktemp("base")
    (folder / "main.tf.json").write_text(json.dumps(BASE))
    options = Options(folder / "cloud.sqlite", GOOGLE / "schema@7.45.0.json.gz", established=True)
    with stand_in(options) as up:
        terraform(up.environment, folder, "init")
        terraform(up.environment, folder, "apply", "-auto-approve")
        terraform(up.environment, folder, "plan", "-detailed-exitcode")
        written = json.loads((folder / "terraform.tfstate").read_text())["resources"]
        states = {f"{one['type']}.{one['name']}": one["instances"][0]["attributes"] for one in written}
        yield Applied(options.cloud, up.environment, states)


def test_every_recorded_import_plans_what_was_recorded(applied: Applied, tmp_path: Path) -> None:
    chosen = {f"{type}.a": one for type, one in RECORDED.items() if one.get("import_plan")}
    imports = [{"to": address, "id": _form(one, applied.states[address])} for address, one in chosen.items()]
    resources: dict[str, Any] = {}
    for address in chosen:
        type = address.split(".")[0]
        body = copy.deepcopy(BASE["resource"][type]["a"])
        body.pop("depends_on", None)
        resources[type] = {"a": body}
    (tmp_path / "main.tf.json").write_text(json.dumps({**BASE, "resource": resources, "import": imports}))
    terraform(applied.environment, tmp_path, "init")
    terraform(applied.environment, tmp_path, "plan", "-out=plan")
    planned = json.loads(terraform(applied.environment, tmp_path, "show", "-json", "plan"))["resource_changes"]
    words = {"no-op": "noop", "update": "update", "delete": "replace", "create": "create"}
    got = {change["address"]: words[change["change"]["actions"][0]] for change in planned}
    assert got == {address: one["import_plan"] for address, one in chosen.items()}
    paths = {change["address"]: change["change"].get("replace_paths") for change in planned}
    for address, one in chosen.items():
        if one.get("import_replace_paths"):
            assert paths[address] == [[path] for path in one["import_replace_paths"]]


def _form(recorded: Any, state: State) -> str:
    form = next(one["id"] for one in recorded["import"] if one["ok"])
    return str(state["id"]) if ADDRESS.search(form) else str(form)


@pytest.mark.parametrize("type", [type for type, one in RECORDED.items() if isinstance(one["import"], list)])
def test_every_recorded_import_form_is_taken_or_refused_as_recorded(
    applied: Applied, tmp_path: Path, type: str
) -> None:
    google, state = applied.google(tmp_path), applied.states[f"{type}.a"]
    for one in RECORDED[type]["import"]:
        form = _with_our_names(one["id"], state)
        assert _import(google, type, form) == ("ok" if one["ok"] else one["kind"]), form


def _with_our_names(form: str, state: State) -> str:
    """A recorded form with the names that the server gave here."""
    ours = ADDRESS.findall(str(state["id"]))
    whole = re.compile(r"\d{15,}|[0-9a-f]{8}-[0-9a-f-]{27}|(?<=notificationConfigs/)\d+")
    found = whole.search(str(state["id"]))
    return whole.sub(found[0], form) if ours and found else form


def _import(google: Google, type: str, form: str) -> str:
    try:
        return "ok" if google.bring(type, form) is not None else "import_not_found"
    except ApiError as refused:
        return "import_unsupported" if "support import" in str(refused) else "import_format"


@pytest.mark.parametrize("type", list(RECORDED))
def test_what_was_deleted_outside_is_seen_or_not_as_recorded(applied: Applied, tmp_path: Path, type: str) -> None:
    google, state = applied.google(tmp_path), applied.states[f"{type}.a"]
    if RECORDED[type].get("object_deleted") is None or type.endswith(("_iam_member", "_storage_bucket_object")):
        return
    path = next(one.path for one in google.world.cloud.things(type) if one.attributes["id"] == state["id"])
    google.world.cloud.mark(type, path, ObjectStatus.GONE)
    assert google.read(type, state) is None


@pytest.mark.parametrize("type", list(RECORDED))
def test_creating_over_what_exists_ends_as_recorded(applied: Applied, tmp_path: Path, type: str) -> None:
    google, state = applied.google(tmp_path), applied.states[f"{type}.a"]
    planned = google.planned(type, **{name: value for name, value in state.items() if _is_written(type, name, value)})
    shutil.copytree(applied.cloud.with_suffix(".buckets"), tmp_path / "copy.buckets")
    match RECORDED[type]["create_over_existing"]["outcome"]:
        case "exists_409":
            with pytest.raises(ApiError, match="Error 409"):
                google.life.create(type, planned, google.provider)
        case "exists_found_by_read":
            with pytest.raises(ApiError, match="already exists"):
                google.life.create(type, planned, google.provider)
        case "second_object":
            second = google.life.create(type, planned, google.provider).state
            assert second is not None
            assert second["id"] != state["id"]
        case _:
            adopted = google.life.create(type, planned, google.provider).state
            assert adopted is not None
            assert adopted["id"] == state["id"]


def _is_written(type: str, name: str, value: Any) -> bool:
    fact = FACTS.type(type).attributes.get(name)
    return value is not None and fact is not None and (fact.required or fact.optional)


@pytest.mark.parametrize("type", [type for type, one in RECORDED.items() if one.get("deletion_policy")])
def test_deletion_policy_is_read_from_the_state_at_the_apply(applied: Applied, tmp_path: Path, type: str) -> None:
    google, state = applied.google(tmp_path), applied.states[f"{type}.a"]
    with pytest.raises(ApiError, match="PREVENT"):
        google.life.delete(type, {**state, "deletion_policy": "PREVENT"}, google.provider)
    google.delete(type, {**state, "deletion_policy": "ABANDON"})
    if not type.endswith("_storage_bucket_object"):
        assert google.read(type, state) is not None
    if type != "google_storage_bucket":  # it holds objects here
        google.delete(type, {**state, "deletion_policy": "prevent"})


@pytest.mark.parametrize("type", [type for type, one in RECORDED.items() if one.get("deletion_protection")])
def test_deletion_protection_is_read_from_the_state_and_abandon_wins(
    applied: Applied, tmp_path: Path, type: str
) -> None:
    google, state, recorded = (
        applied.google(tmp_path),
        applied.states[f"{type}.a"],
        RECORDED[type]["deletion_protection"],
    )
    with pytest.raises(ApiError, match="deletion_protection"):
        google.life.delete(type, {**state, "deletion_protection": True}, google.provider)
    google.delete(type, {**state, "deletion_protection": True, "deletion_policy": "ABANDON"})
    unset = {**state, "deletion_protection": None}
    if recorded["null_in_state"] == "refused":
        with pytest.raises(ApiError, match="deletion_protection"):
            google.life.delete(type, unset, google.provider)
    else:
        google.delete(type, unset)


@pytest.mark.parametrize("type", [type for type, one in RECORDED.items() if one["destroy"].get("delete_404")])
def test_deleting_what_is_gone_ends_as_recorded(applied: Applied, tmp_path: Path, type: str) -> None:
    google, state = applied.google(tmp_path), applied.states[f"{type}.a"]
    for thing in google.world.cloud.things(type):
        google.world.cloud.mark(type, thing.path, ObjectStatus.GONE)
    if RECORDED[type]["destroy"]["delete_404"] == "error":
        with pytest.raises(ApiError, match="Error 404"):
            google.life.delete(type, state, google.provider)
    else:
        google.delete(type, state)


@pytest.mark.parametrize("type", [type for type, one in RECORDED.items() if one.get("failed_update_leaves_in_state")])
def test_a_failed_update_leaves_old_or_new_values(applied: Applied, tmp_path: Path, type: str) -> None:
    google, state = applied.google(tmp_path), applied.states[f"{type}.a"]
    google.world.faults.settings = google.world.faults.settings.model_copy(update={"rates": {403: 1.0}})
    name, value = _changeable(type, state)
    done = google.life.update(type, state, {**state, name: value}, google.provider)
    assert done.diagnostics
    assert done.state is not None
    left = "new values" if done.state[name] == value else "old values"
    assert left == RECORDED[type]["failed_update_leaves_in_state"]


def _is_object(type: str) -> bool:
    """Not a part of a policy, and something that Google is told of."""
    return "_iam_" not in type and type != "google_project_service"


def _changeable(type: str, state: State) -> tuple[str, Any]:
    """An attribute that can change in place, and another value for it."""
    others: dict[str, Any] = {
        "string": "other",
        "bool": None,
        "int": 7,
        "map<string>": {"other": "x"},
        "list<block>": [],
    }
    kept = ONLY_TERRAFORM | {"labels", "project", "name", "location", "region"}
    for name, fact in FACTS.type(type).attributes.items():
        changes = (fact.optional or fact.required) and not fact.force_new and "." not in name and name not in kept
        other = not state.get(name) if fact.kind == "bool" else others.get(fact.kind)
        if changes and fact.kind in others and state.get(name) != other:
            return name, other
    return "effective_labels", {"other": "x"}


@pytest.mark.parametrize("type", [type for type, one in RECORDED.items() if one.get("update") and _is_object(type)])
def test_times_and_etags_change_with_an_update_as_recorded(applied: Applied, tmp_path: Path, type: str) -> None:
    google, state = applied.google(tmp_path), applied.states[f"{type}.a"]
    name, value = _changeable(type, state)
    done = google.life.update(type, state, {**state, name: value}, google.provider).state
    assert done is not None
    changed = {one for one in done if done[one] != state[one] and one != name}
    recorded = set(RECORDED[type]["update"]["computed_change_unplanned"])
    assert changed & {"update_time", "etag", "label_fingerprint"} == recorded & {
        "update_time",
        "etag",
        "label_fingerprint",
    }
