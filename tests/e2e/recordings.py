"""Recorded plans of the real provider, run against the sandbox: the base applied once, then every change on a copy of
its resource, all of them in one plan. The refused ones are taken out and the rest is planned again."""

from __future__ import annotations

import copy
import gzip
import json
import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

GOOGLE = Path("tests/data/google")
PROVIDER = 'provider["registry.terraform.io/hashicorp/google"]'
COPY = re.compile(r"copy_(\d+)\b")


@dataclass(frozen=True)
class Recording:
    """One recorded plan: a change of a base resource, and what came of it."""

    type: str
    resource: str
    base: Mapping[str, Any]
    raw: Mapping[str, Any]

    @property
    def outcome(self) -> str:
        return str(self.raw["outcome"])

    def changed_config(self) -> dict[str, Any]:
        """The base with the change made."""
        config = copy.deepcopy(dict(self.base))
        config.pop("depends_on", None)
        *parents, last = [int(part) if part.isdigit() else part for part in self.raw["path"].split(".")]
        at: Any = config
        for part in parents:
            if isinstance(at, list) and not isinstance(part, int):
                at = at[0]
            if isinstance(at, dict) and part not in at:
                at[part] = {}
            at = at[part]
        if isinstance(at, list) and not isinstance(last, int):
            at = at[0]
        if self.raw.get("new_absent"):
            del at[last]
        else:
            at[last] = self.raw["new"]
        return config

    def __str__(self) -> str:
        new = "absent" if self.raw.get("new_absent") else json.dumps(self.raw["new"])[:90]
        old = "absent" if self.raw.get("old_absent") else json.dumps(self.raw["old"])[:90]
        return f"{self.type}.{self.resource} {self.raw['path']}: {old} -> {new}"


@dataclass
class Outcome:
    """What the sandbox did with a recording."""

    outcome: str = "missing"
    actions: list[str] = field(default_factory=list)
    replace_paths: list[list[Any]] = field(default_factory=list)
    before: Any = None
    after: Any = None
    after_unknown: Any = None
    errors: list[str] = field(default_factory=list)


def recordings(path: Path = GOOGLE / "vectors.json.gz") -> list[Recording]:
    """All recorded plans."""
    return [
        Recording(type_name, one["resource"], recorded["base"][one["resource"]], one)
        for type_name, recorded in json.loads(gzip.decompress(path.read_bytes())).items()
        for one in recorded["vectors"]
    ]


def agrees(recording: Recording, got: Outcome) -> bool:
    """Outcome, actions and replace paths are those recorded."""
    if recording.outcome == "rejected" or got.outcome == "rejected":
        return recording.outcome == got.outcome
    paths = sorted(map(json.dumps, got.replace_paths))
    recorded = sorted(map(json.dumps, recording.raw.get("replace_paths", [])))
    return got.outcome == recording.outcome and got.actions == recording.raw["actions"] and paths == recorded


def terraform(folder: Path, environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Terraform without colours, telemetry or questions."""
    return subprocess.run(
        ["terraform", *arguments],
        cwd=folder,
        env={**os.environ, **environment, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def apply_base(folder: Path, environment: Mapping[str, str], base: Path = GOOGLE / "base.tf.json") -> dict[str, Any]:
    """Apply the base; its state."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "main.tf.json").write_text(base.read_text())
    terraform(folder, environment, "init")
    done = terraform(folder, environment, "apply", "-auto-approve", "-no-color")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    state: dict[str, Any] = json.loads((folder / "terraform.tfstate").read_text())
    return state


def run(
    chosen: Iterable[Recording],
    state: Mapping[str, Any],
    folder: Path,
    environment: Mapping[str, str],
    base: Path = GOOGLE / "base.tf.json",
) -> list[Outcome]:
    """Plan each recording's change on its own copy of the base resource in `state`."""
    chosen = list(chosen)
    outcomes = [Outcome() for _ in chosen]
    folder.mkdir(parents=True, exist_ok=True)
    described = json.loads(base.read_text())
    (folder / "provider.tf.json").write_text(json.dumps({key: described[key] for key in ("provider", "terraform")}))
    instances = {(one["type"], one["name"]): one for one in state["resources"]}
    copies = []
    for number, one in enumerate(chosen):
        write_config(folder, number, one.type, one.changed_config())
        instance = copy.deepcopy(instances[one.type, one.resource])
        instance["name"] = f"copy_{number}"
        instance["instances"][0].pop("dependencies", None)
        copies.append(instance)
    (folder / "terraform.tfstate").write_text(json.dumps({**state, "resources": copies}))
    terraform(folder, environment, "init")
    for _ in range(6):
        refused = plan(folder, environment, outcomes)
        if not refused:
            break
        for number in refused:
            (folder / f"copy_{number}.tf.json").unlink()
        left = [one for one in copies if int(one["name"].removeprefix("copy_")) not in rejected(outcomes)]
        (folder / "terraform.tfstate").write_text(json.dumps({**state, "resources": left}))
    return outcomes


def rejected(outcomes: list[Outcome]) -> set[int]:
    return {number for number, one in enumerate(outcomes) if one.outcome == "rejected"}


def write_config(folder: Path, number: int, type_name: str, config: Mapping[str, Any]) -> None:
    """One file a copy, so that a diagnostic's file names it."""
    (folder / f"copy_{number}.tf.json").write_text(json.dumps({"resource": {type_name: {f"copy_{number}": config}}}))


def plan(folder: Path, environment: Mapping[str, str], outcomes: list[Outcome]) -> set[int]:
    """Plan what is in `folder`; the numbers of the refused copies."""
    done = terraform(folder, environment, "plan", "-refresh=false", "-json", "-out=plan", "-parallelism=2")
    refused: set[int] = set()
    for line in done.stdout.splitlines():
        message = json.loads(line)
        diagnostic = message.get("diagnostic")
        if diagnostic is None or diagnostic["severity"] != "error":
            continue
        place = f"{diagnostic.get('range', {}).get('filename', '')} {diagnostic.get('address', '')}"
        found = COPY.search(place)
        assert found, f"{diagnostic}"
        number = int(found.group(1))
        refused.add(number)
        outcomes[number].outcome = "rejected"
        outcomes[number].errors.append(f"{diagnostic['summary']}: {diagnostic.get('detail', '')}")
    if refused:
        return refused
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    shown = json.loads(terraform(folder, environment, "show", "-json", "plan").stdout)
    for one in shown["resource_changes"]:
        found = COPY.search(one["address"])
        assert found
        read(one["change"], outcomes[int(found.group(1))])
    return refused


def read(change: Mapping[str, Any], into: Outcome) -> None:
    """A change of a plan's JSON."""
    names = {
        ("no-op",): "noop",
        ("update",): "update",
        ("delete", "create"): "replace",
        ("create", "delete"): "replace",
    }
    into.actions = change["actions"]
    into.outcome = names.get(tuple(change["actions"]), "/".join(change["actions"]))
    into.replace_paths = change.get("replace_paths", [])
    into.before, into.after, into.after_unknown = change["before"], change["after"], change["after_unknown"]
