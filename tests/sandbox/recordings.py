"""Recorded plans of the real provider, run against the sandbox: how near it comes.

The base is applied once; then every change is made on a copy of its resource in the state, all of them in one plan.
What is refused is taken out and the rest is planned again.
"""

from __future__ import annotations

import copy
import gzip
import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fonderie.core.errors import StepFailedError

_COPY = re.compile(r"copy_(\d+)\b")
_OUTCOMES = {
    ("no-op",): "noop",
    ("update",): "update",
    ("delete", "create"): "replace",
    ("create", "delete"): "replace",
}


@dataclass(frozen=True)
class Recording:
    """One recorded plan: a change of a base resource, and what came of it."""

    type: str
    resource: str
    base: Mapping[str, Any]
    raw: Mapping[str, Any]

    @property
    def outcome(self) -> str:
        """`update`, `replace`, `noop` or `rejected`."""
        return str(self.raw["outcome"])

    def changed_config(self) -> dict[str, Any]:
        """The base with the change made; blocks on the way that are not there are made, single ones need no index."""
        config = copy.deepcopy(dict(self.base))
        config.pop("depends_on", None)
        *parents, last = [int(part) if part.isdigit() else part for part in self.raw["path"].split(".")]
        at: Any = config
        for part in parents:
            at = _single(at, part)
            at = at.setdefault(part, {}) if isinstance(at, dict) else at[part]
        at = _single(at, last)
        if self.raw.get("new_absent"):
            del at[last]
        else:
            at[last] = self.raw["new"]
        return config

    def __str__(self) -> str:
        old, new = (
            "absent" if self.raw.get(f"{side}_absent") else json.dumps(self.raw[side])[:90] for side in ("old", "new")
        )
        return f"{self.type}.{self.resource} {self.raw['path']}: {old} -> {new}"


@dataclass
class Outcome:
    """What the sandbox did with a recording."""

    outcome: str = "missing"
    actions: list[str] = field(default_factory=list)
    replace_paths: list[list[Any]] = field(default_factory=list)
    after_unknown: Any = None
    errors: list[str] = field(default_factory=list)


def recordings(file: Path) -> list[Recording]:
    """All recorded plans of a file: type -> {base, vectors}; `.gz` or not."""
    text = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    return [
        Recording(type_name, one["resource"], recorded["base"][one["resource"]], one)
        for type_name, recorded in json.loads(text).items()
        for one in recorded["vectors"]
    ]


def agrees(recording: Recording, got: Outcome) -> bool:
    """Outcome, actions and replace paths are those recorded."""
    if recording.outcome == "rejected" or got.outcome == "rejected":
        return recording.outcome == got.outcome
    paths = sorted(map(json.dumps, got.replace_paths))
    recorded = sorted(map(json.dumps, recording.raw.get("replace_paths", [])))
    return got.outcome == recording.outcome and got.actions == recording.raw["actions"] and paths == recorded


def same_unknown(recording: Recording, got: Outcome) -> bool:
    """As many attributes become unknown as recorded; the same ones where they were written down."""
    unknown = sorted(_flagged(got.after_unknown))
    if "unknown" in recording.raw:
        return unknown == sorted(recording.raw["unknown"])
    return len(unknown) == int(recording.raw["unknown_n"])


def apply_base(base: Path, folder: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """Apply the base in `folder`; its state."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "main.tf.json").write_text(base.read_text(encoding="utf-8"), encoding="utf-8")
    for arguments in (["init"], ["apply", "-auto-approve", "-no-color"]):
        done = _terraform(folder, environment, *arguments)
        if done.returncode:
            raise StepFailedError("the base cannot be applied", where=base, hint=done.stderr[-2000:])
    state: dict[str, Any] = json.loads((folder / "terraform.tfstate").read_text(encoding="utf-8"))
    return state


def compare(
    chosen: Sequence[Recording], base: Path, folder: Path, environment: Mapping[str, str]
) -> list[tuple[Recording, Outcome]]:
    """Apply the base and plan each recording's change on its own copy; needs Terraform and a provider that is up."""
    state = apply_base(base, folder / "base", environment)
    copies = folder / "copies"
    copies.mkdir()
    described = json.loads(base.read_text(encoding="utf-8"))
    (copies / "provider.tf.json").write_text(json.dumps({key: described[key] for key in ("provider", "terraform")}))
    for number, one in enumerate(chosen):
        # a file each, so that a diagnostic's file names it
        config = {"resource": {one.type: {f"copy_{number}": one.changed_config()}}}
        (copies / f"copy_{number}.tf.json").write_text(json.dumps(config))
    outcomes = [Outcome() for _ in chosen]
    _write_state(copies, state, chosen, outcomes)
    _terraform(copies, environment, "init")
    while refused := _plan(copies, environment, outcomes):
        for number in refused:
            (copies / f"copy_{number}.tf.json").unlink()
        _write_state(copies, state, chosen, outcomes)
    return list(zip(chosen, outcomes, strict=True))


def _write_state(folder: Path, state: Mapping[str, Any], chosen: Sequence[Recording], outcomes: list[Outcome]) -> None:
    """The state with a copy of the base's resource for each recording that was not refused."""
    made = {(one["type"], one["name"]): one for one in state["resources"]}
    copies = []
    for number, one in enumerate(chosen):
        if outcomes[number].outcome != "rejected":
            instance = copy.deepcopy(made[one.type, one.resource])
            instance["name"] = f"copy_{number}"
            instance["instances"][0].pop("dependencies", None)
            copies.append(instance)
    (folder / "terraform.tfstate").write_text(json.dumps({**state, "resources": copies}))


def _plan(folder: Path, environment: Mapping[str, str], outcomes: list[Outcome]) -> set[int]:
    """Plan what is in `folder`; the numbers of the refused copies. Without any the outcomes are complete."""
    done = _terraform(folder, environment, "plan", "-refresh=false", "-json", "-out=plan")
    refused: set[int] = set()
    for line in done.stdout.splitlines():
        diagnostic = json.loads(line).get("diagnostic", {})
        if diagnostic.get("severity") != "error":
            continue
        found = _COPY.search(f"{diagnostic.get('range', {}).get('filename', '')} {diagnostic.get('address', '')}")
        if found is None:
            raise StepFailedError("the recorded plans cannot be run", hint=f"{diagnostic}")
        refused.add(int(found[1]))
        outcomes[int(found[1])].outcome = "rejected"
        outcomes[int(found[1])].errors.append(f"{diagnostic['summary']}: {diagnostic.get('detail', '')}")
    if not refused:
        if done.returncode:
            raise StepFailedError("the recorded plans cannot be run", hint=done.stderr[-2000:])
        for one in json.loads(_terraform(folder, environment, "show", "-json", "plan").stdout)["resource_changes"]:
            _read(one["change"], outcomes[int(one["name"].removeprefix("copy_"))])
    return refused


def _read(change: Mapping[str, Any], into: Outcome) -> None:
    into.actions = change["actions"]
    into.outcome = _OUTCOMES.get(tuple(change["actions"]), "/".join(change["actions"]))
    into.replace_paths = change.get("replace_paths", [])
    into.after_unknown = change["after_unknown"]


def _terraform(folder: Path, environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [environment.get("TERRAFORM_BINARY_NAME", "terraform"), *arguments],
        cwd=folder,
        env={**os.environ, **environment, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def _single(at: Any, part: str | int) -> Any:
    return at[0] if isinstance(at, list) and not isinstance(part, int) else at


def _flagged(value: Any, at: str = "") -> Iterator[str]:
    """The paths of what is true in a tree of flags."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flagged(inner, f"{at}{key}.")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _flagged(inner, f"{at}{index}.")
    elif value:
        yield at.rstrip(".")
