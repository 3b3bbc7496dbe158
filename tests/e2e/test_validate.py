"""`terraform validate` of every stack as it is deployed for real, by the real Terraform and the stand-in's schema.

It goes as far as that schema: types, required and unknown arguments, references, what a provider validates by itself.
What only Google refuses is for the plan and the apply.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ci.synth import synthesise
from fonderie.sandbox.runner import Options, stand_in
from infra.settings import environment_names, load_environment

pytestmark = pytest.mark.e2e
Variables = dict[str, str]


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Variables]:
    with stand_in(Options(cloud=tmp_path_factory.mktemp("cloud") / "google.sqlite")) as up:
        yield up.environment


@pytest.fixture(scope="module")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Every stack of every environment, with the state where that environment really keeps it."""
    out = tmp_path_factory.mktemp("real")
    with pytest.MonkeyPatch.context() as patched:
        patched.delenv("FONDERIE_BACKEND", raising=False)
        synthesise([load_environment(name) for name in environment_names()], out)
    return sorted(path.parent for path in out.glob("stacks/*/cdk.tf.json"))


def validate(folder: Path, variables: Variables) -> dict[str, Any]:
    """What Terraform says of a stack; the backend is not asked."""
    for command in (("init", "-backend=false", "-input=false"), ("validate", "-json")):
        done = subprocess.run(
            ["terraform", *command], cwd=folder, env=variables, capture_output=True, text=True, check=False
        )
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def test_every_stack_of_every_environment_is_valid_and_uses_nothing_deprecated(
    stacks: list[Path], variables: Variables
) -> None:
    with ThreadPoolExecutor(2) as threads:
        said = dict(zip((one.name for one in stacks), threads.map(lambda one: validate(one, variables), stacks),
                        strict=True))  # fmt: skip

    assert len(said) == 5 * len(environment_names())
    assert {name: found["diagnostics"] for name, found in said.items() if found["diagnostics"]} == {}
    assert all(found["valid"] for found in said.values())
    backends = {name: set(json.loads((folder / "cdk.tf.json").read_text())["terraform"]["backend"])
                for name, folder in zip(said, stacks, strict=True)}  # fmt: skip
    assert {kind for name, kinds in backends.items() if not name.startswith("local-") for kind in kinds} == {"gcs"}


BROKEN = {
    "an argument that is not there": ({"location": "EU", "name": "b", "colour": "red"}, "colour"),
    "one that is missing": ({"name": "b"}, "location"),
    "a wrong type": ({"location": "EU", "name": "b", "labels": "red"}, "labels"),
    "a reference to nothing": ({"location": "EU", "name": "${google_kms_key_ring.none.name}"}, "none"),
    "what the provider validates": ({"location": "EU", "name": "b", "ip_filter": [{"mode": "Maybe"}]}, "mode"),
}


@pytest.mark.parametrize(("bucket", "said"), BROKEN.values(), ids=BROKEN)
def test_a_stack_that_is_wrong_is_not_valid(
    bucket: dict[str, Any], said: str, variables: Variables, tmp_path: Path
) -> None:
    body = {
        "terraform": {"required_providers": {"google": {"source": "hashicorp/google"}}},
        "resource": {"google_storage_bucket": {"b": bucket}},
    }
    (tmp_path / "cdk.tf.json").write_text(json.dumps(body))
    found = validate(tmp_path, variables)
    assert not found["valid"]
    assert said in json.dumps(found["diagnostics"])
