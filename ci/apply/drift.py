"""What changed outside Terraform: the state refreshed, compared with what it said, and who did it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ci.lifecycle.deploy import Deployer, Stack
from ci.preview.assemble import clean
from ci.preview.build.plans import private_folder
from ci.preview.infrastructure.outside import changed_outside
from ci.preview.masking.printable import folded, printable
from ci.preview.masking.secrets import Masker
from ci.preview.masking.values import Reader
from ci.preview.report import StackPreview
from fonderie.core.errors import FonderieError
from fonderie.terraform.plan import read_plan

_AT_ONCE = 6
Callers = Callable[[Iterable[str]], Mapping[str, str]]
"""Who changed resources last, by the last part of their names."""


def drift_of(
    environment: str, stacks: Sequence[Stack], variables: Mapping[str, str], callers: Callers | None = None
) -> list[StackPreview]:
    """Per stack, what is not as it was left: attributes before (as it was left) and after (as it is now).

    What opens something or loses data comes first, with the preview's alarms. `callers` is asked who did it;
    drift is told without it as well.
    """
    deployer = Deployer(variables, reads_only=True)
    with private_folder() as folder, ThreadPoolExecutor(_AT_ONCE) as threads:
        return list(threads.map(lambda stack: _drift(environment, stack, deployer, Path(folder), callers), stacks))


def _drift(environment: str, stack: Stack, deployer: Deployer, folder: Path, callers: Callers | None) -> StackPreview:
    file = folder / f"{stack.name}.tfplan"
    try:
        terraform = deployer.terraform(stack)
        terraform.plan(file, "-refresh-only")
        plan = read_plan(json.dumps(terraform.show(file)), environment=environment, stack=stack.name)
    except FonderieError as error:
        return StackPreview(environment=environment, name=stack.name, failure=clean(str(error), Masker()))
    reader = Reader(Masker([plan]))
    found = changed_outside(plan, reader)
    if callers and found:
        names = {reader.address(change.address): _name(change.before) for change in plan.drifted}
        by = _asked(callers, [names.get(change.address, "") for change in found])
        found = [
            change.model_copy(update={"by": folded(printable(by.get(names.get(change.address, ""), "")))})
            for change in found
        ]
    return StackPreview(environment=environment, name=stack.name, changes=tuple(found))


def _asked(callers: Callers, names: Iterable[str]) -> Mapping[str, str]:
    """Who it was, as far as the log may be read: drift is reported without it, too."""
    try:
        return callers([name for name in names if name])
    except FonderieError:
        return {}


def _name(values: Any) -> str:
    """The last part of what names a resource in an audit log."""
    known = values if isinstance(values, dict) else {}
    found = next((known[key] for key in ("name", "id") if isinstance(known.get(key), str) and known[key]), "")
    return found.rstrip("/").rpartition("/")[2]
