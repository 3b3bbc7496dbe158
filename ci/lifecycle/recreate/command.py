"""From the name of an environment to its recreate: synthesis, Terraform, and Google or the sandbox."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ci.lifecycle.deploy import Deployer, Stack, synthesise
from ci.lifecycle.recreate.operator_actions import hands_for
from ci.lifecycle.recreate.run import Recreate
from fonderie.core.errors import BadInputError
from fonderie.sandbox.runner import Options, default_cloud, standing_in
from infra.settings import load_environment

ROOT = Path(__file__).parents[3]


@contextmanager
def open_recreate(name: str, *, sandbox: bool, cloud: Path | None, tell: Callable[[str], None]) -> Iterator[Recreate]:
    """A recreate of the environment, ready to run. In a command of the sandbox it is in the sandbox already."""
    load_environment(name)  # what is wrong with its settings is said before anything starts
    if not sandbox:
        with _opened(name, os.environ, tell) as recreate:
            yield recreate
        return
    with (
        standing_in(Options((cloud or default_cloud()).absolute())) as up,
        _opened(name, up.environment, tell) as recreate,
    ):
        yield recreate


@contextmanager
def _opened(name: str, environment: Mapping[str, str], tell: Callable[[str], None]) -> Iterator[Recreate]:
    env = load_environment(name)
    tell(f"synthesising {name}")
    stacks = [one for one in synthesise([name], ROOT / "cdktf.out", variables=environment) if _belongs(one, name)]
    if not stacks:
        raise BadInputError(f"the synthesis produced no stack for {name}", where=ROOT / "cdktf.out")
    with tempfile.TemporaryDirectory(prefix="fonderie-recreate-") as work:
        hands = hands_for(environment, env.project_id)
        yield Recreate(name, env.project_id, stacks, Deployer(environment), hands, Path(work), tell)


def _belongs(stack: Stack, environment: str) -> bool:
    return stack.name.startswith(f"{environment}-")
