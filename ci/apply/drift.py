"""What changed outside Terraform: the state refreshed, and compared with what it said."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ci.lifecycle.deploy import Deployer, Stack
from ci.preview.assemble import clean
from ci.preview.build.plans import private_folder
from ci.preview.infrastructure.outside import changed_outside
from ci.preview.masking.secrets import Masker
from ci.preview.masking.values import Reader
from ci.preview.report import StackPreview
from fonderie.core.errors import FonderieError
from fonderie.terraform.plan import read_plan

_AT_ONCE = 6


def drift_of(environment: str, stacks: Sequence[Stack], variables: Mapping[str, str]) -> list[StackPreview]:
    """Per stack, what is not as it was left: attributes before (as it was left) and after (as it is now)."""
    deployer = Deployer(variables, reads_only=True)
    with private_folder() as folder, ThreadPoolExecutor(_AT_ONCE) as threads:
        return list(threads.map(lambda stack: _drift(environment, stack, deployer, Path(folder)), stacks))


def _drift(environment: str, stack: Stack, deployer: Deployer, folder: Path) -> StackPreview:
    file = folder / f"{stack.name}.tfplan"
    try:
        terraform = deployer.terraform(stack)
        terraform.plan(file, "-refresh-only")
        plan = read_plan(json.dumps(terraform.show(file)), environment=environment, stack=stack.name)
    except FonderieError as error:
        return StackPreview(environment=environment, name=stack.name, failure=clean(str(error), Masker()))
    return StackPreview(
        environment=environment, name=stack.name, changes=tuple(changed_outside(plan, Reader(Masker([plan]))))
    )
