"""Every stack of an environment planned at once; one that fails does not hide the others."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ci.lifecycle.deploy import Deployer, Stack
from ci.preview.assemble import Failed
from fonderie.core.errors import FonderieError, StepFailedError
from fonderie.terraform import runner
from fonderie.terraform.configuration import read_configuration, tools
from fonderie.terraform.plan import StackPlan, read_plan
from fonderie.terraform.runner import Terraform, side_by_side


@dataclass(frozen=True)
class Plans:
    """What came of planning an environment's stacks. `files`: stack -> saved plan, when they were kept."""

    plans: tuple[StackPlan, ...]
    failed: tuple[Failed, ...] = ()
    files: tuple[tuple[str, Path], ...] = ()


def plan_environment(
    environment: str,
    stacks: Sequence[Stack],
    variables: Mapping[str, str],
    *,
    keep_in: Path | None = None,
    refresh: bool = True,
    reads_only: bool = False,
) -> Plans:
    """Plan the stacks, all at once. `keep_in` is a private folder for the plan files, which hold secrets.

    `reads_only`: as somebody who may not write the state, so without a lock.
    """
    deployer = Deployer(variables, reads_only=reads_only)

    def plan(stack: Stack) -> StackPlan | Failed:
        try:
            (planned,) = deployer.plan_all([stack], keep_in=keep_in, refresh=refresh)
            serial, lineage = state_of(stack, variables)
            run = deployer.terraform(stack)
            return read_plan(
                json.dumps(planned.plan),
                environment=environment,
                stack=stack.name,
                serial=serial,
                salt=lineage,
                configuration=read_configuration(stack.folder),
                tools=tools(run.binary, run.folder),
            )
        except FonderieError as error:
            return Failed(environment, stack.name, str(error))

    found = side_by_side(plan, stacks)
    return Plans(
        tuple(one for one in found if isinstance(one, StackPlan)),
        tuple(one for one in found if isinstance(one, Failed)),
        tuple((stack.name, keep_in / f"{stack.name}.tfplan") for stack in stacks) if keep_in else (),
    )


def state_of(stack: Stack, variables: Mapping[str, str]) -> tuple[int | None, str]:
    """Serial and lineage of a stack's state; of a state that is not there, or holds nothing, no lineage.

    Whoever may write makes an empty state at `init`: its lineage must not change the hash of what would be created.
    """
    try:
        state = Terraform(runner.find(variables), stack.folder, stack.name, variables).pull()
    except StepFailedError:
        return None, ""
    if not state.get("resources") and not state.get("outputs"):
        return state.get("serial"), ""
    return state.get("serial"), str(state.get("lineage", ""))


def private_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder only we can read (0700), removed with everything in it: a plan file is a secret."""
    os.umask(0o077)
    return tempfile.TemporaryDirectory(prefix="fonderie-plans-")
