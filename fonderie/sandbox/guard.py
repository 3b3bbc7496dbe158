"""`python -m fonderie.sandbox.guard CLOUD FACTS BINARY ARGUMENTS`: may this apply start, or does it lack a dependency?

In the sandbox a script of this name stands before Terraform (`running.py`) and asks. Not covered: HCL, and a Terraform
that is called by its full path. There `settling` is what is left.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from fonderie.sandbox.cloud.cloud import Cloud
from fonderie.sandbox.dependencies import MissingDependency, missing
from fonderie.sandbox.lifecycle.resource_paths import Names
from fonderie.sandbox.provider.facts import Facts

# What an apply and a plan both understand, and what decides what is made.
_PLANNING = ("-destroy", "-refresh", "-replace", "-target", "-exclude", "-var", "-state=", "-parallelism=")
_TIMEOUT_S = 1800
_PAIRED = ("-var", "-var-file", "-target", "-replace", "-exclude")  # as a word of its own the value is the next one


def main(arguments: Sequence[str]) -> int:
    """1, with what is missing in words (as Terraform tells it, with `-json`); 0: let Terraform go on."""
    cloud, facts, binary, *words = arguments
    lacking = _missing(Path(cloud), Facts.load(Path(facts)), binary, words)
    for one in lacking:
        if "-json" in words:
            diagnostic = {"severity": "error", "summary": "Missing dependency", "detail": str(one)}
            print(json.dumps({"@level": "error", "type": "diagnostic", "diagnostic": diagnostic}), flush=True)
        else:
            print(f"Error: Missing dependency: {one}", file=sys.stderr)
    return 1 if lacking else 0


def _missing(cloud: Path, facts: Facts, binary: str, words: Sequence[str]) -> list[MissingDependency]:
    folder = next((Path(word.partition("=")[2]) for word in words if word.startswith("-chdir=")), Path())
    try:
        documents = [json.loads(file.read_bytes()) for file in sorted(folder.glob("*.tf.json"))]
    except ValueError:
        return []  # Terraform says it, and where
    with Cloud(cloud) as opened:
        names = Names(facts, opened.number_of, opened.project_of)
        if not missing(documents, names):
            return []
        creates = _creates(binary, words)
        return [] if creates is None else missing(documents, names, creates=creates)


def _creates(binary: str, words: Sequence[str]) -> set[str] | None:
    """What this apply makes, by a plan of its own; None when that fails: Terraform will say why."""
    at = words.index("apply")
    named = [word for before, word in zip(words[at:], words[at + 1 :], strict=False)
             if not word.startswith("-") and before not in _PAIRED]  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="fonderie-plan-") as scratch:
        file = named[0] if named else f"{scratch}/plan"
        if not named:
            flags = [word for before, word in zip(words[at:], words[at + 1 :], strict=False)
                     if word.startswith(_PLANNING) or before in _PAIRED]  # fmt: skip
            plan = [binary, *words[:at], "plan", "-input=false", "-lock=false", f"-out={file}", *flags]
            if _run(plan) is None:
                return None
        show = [binary, *words[:at], "show", "-json", file]
        shown = _run(show)
    if shown is None:
        return None
    made = {"create", "read"}  # a data source that is read at the apply may bring an agent
    changes = json.loads(shown).get("resource_changes", [])
    return {one["address"].partition("[")[0] for one in changes if made & set(one["change"]["actions"])}


def _run(command: Sequence[str]) -> str | None:
    """What a command of Terraform printed; None when it fails or takes too long: the apply itself will say why.

    Not by `fonderie.terraform`, which the sandbox does not know: it imitates Google for any Terraform.
    """
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        return None
    return None if done.returncode else done.stdout


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
