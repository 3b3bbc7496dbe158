"""Every Terraform address of every stack with a digest of what is configured there; reviewed, never regenerated blind.

A change of the code alone leaves both as they are: an address that moves is a destroy and a create for its users.
Compiled pipelines are left out of the digests, for they hold the code's own module paths.

python -m tests.unit.infra.test_addresses    # writes the snapshots; look at their diff
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ci.synth import synthesise
from infra.settings import environment_names, load_environment
from tests.unit.conftest import Synthesised, stacks_of

SNAPSHOTS = Path(__file__).parents[2] / "snapshot" / "addresses"
CONTENT_HASH = re.compile(r"-[0-9a-f]{16}(?=\.json)")


def addresses(stacks: Synthesised, environment: str) -> list[str]:
    """`stack address digest` of each block of an environment's stacks, sorted."""
    return sorted(
        f"{name} {address} {digest(block)}"
        for name, stack in stacks.items()
        if name.startswith(f"{environment}-")
        for address, block in blocks(stack)
    )


def blocks(stack: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for section, content in stack.items():
        if section in {"resource", "data"}:
            for kind, instances in content.items():
                for name, arguments in instances.items():
                    yield f"{'data.' if section == 'data' else ''}{kind}.{name}", arguments
        elif section != "//":
            yield section, content


def digest(block: Any) -> str:
    return hashlib.sha256(json.dumps(without_specs(block), sort_keys=True).encode()).hexdigest()[:12]


def without_specs(value: Any) -> Any:
    """A value without compiled pipelines: an object's content, a scheduled request's body, a file's hash."""
    if isinstance(value, dict):
        return {key: without_specs(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [without_specs(inner) for inner in value]
    if not isinstance(value, str):
        return value
    text = CONTENT_HASH.sub("-HASH", value)
    if text.startswith('{\n "components"'):
        return "SPEC"
    if text.startswith("eyJ"):
        return without_specs(json.loads(base64.b64decode(text)) | {"pipelineSpec": "SPEC"})
    return text


@pytest.mark.parametrize("environment", environment_names())
def test_no_address_moves_and_nothing_deployed_changes(stacks: Synthesised, environment: str) -> None:
    assert addresses(stacks, environment) == (SNAPSHOTS / f"{environment}.txt").read_text().splitlines()


def test_an_argument_that_changes_is_seen() -> None:
    bucket = {"name": "a", "versioning": [{"enabled": True}]}
    assert digest(bucket) != digest(bucket | {"versioning": [{"enabled": False}]})
    assert digest({"body": encoded({"a": 1})}) != digest({"body": encoded({"a": 2})})


def encoded(body: dict[str, Any]) -> str:
    return base64.b64encode(json.dumps(body).encode()).decode()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        synthesise([load_environment(name) for name in environment_names()], Path(scratch))
        SNAPSHOTS.mkdir(exist_ok=True)
        for each in environment_names():
            lines = addresses(stacks_of(Path(scratch)), each)
            (SNAPSHOTS / f"{each}.txt").write_text("\n".join(lines) + "\n")
