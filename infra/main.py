"""The app: each environment's stacks, in order, with the workloads it is given (`ci.synth` gives the repository's).

All environments are synthesised, or only those that `FONDERIE_ENV` names (`FONDERIE_ENV=dev,staging`; or `--env dev`).
`FONDERIE_BACKEND=local` keeps Terraform's state on this machine whatever the environment says: the bootstrap uses it
before the bucket of the state exists, the sandbox always.
"""

from __future__ import annotations

import gc
import os
import re
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

from fonderie.core.errors import BadInputError, ExitCode, FonderieError, StepFailedError
from infra.bindings import ROOT, App, require_bindings
from infra.settings import Backend, Environment, environment_names, load_environment, notes
from infra.workloads import Workloads

SYSTEM_ERROR = re.compile(r"(Error: )?E[A-Z]{3,}: .*")  # as Node says it: ENOSPC: no space left on device
WorkloadsOf = Callable[[Environment], Workloads]


def chosen_environments(arguments: Sequence[str]) -> list[Environment]:
    """The environments that the command line or `FONDERIE_ENV` names; without either, all."""
    match list(arguments):
        case []:
            wanted = os.environ.get("FONDERIE_ENV", "")
        case ["--env", wanted]:
            pass
        case _:
            raise BadInputError(f"unknown arguments: {' '.join(arguments)}", hint="python -m ci.synth [--env NAME,...]")
    return [load_environment(name) for name in filter(None, wanted.split(","))] or [
        load_environment(name) for name in environment_names()
    ]


def chosen_backend(env: Environment) -> Backend:
    """Where the state of `env` is kept, by `FONDERIE_BACKEND` or by its settings."""
    if not (wanted := os.environ.get("FONDERIE_BACKEND")):
        return env.backend
    try:
        return Backend(wanted)
    except ValueError as error:
        raise BadInputError(f"unknown backend {wanted!r}", where="FONDERIE_BACKEND", hint="local or gcs") from error


def chosen_outdir() -> Path:
    """Where the stacks go: `CDKTF_OUTDIR`, which the cdktf command sets, or `cdktf.out` beside `cdktf.json`."""
    return Path(os.environ.get("CDKTF_OUTDIR") or ROOT / "cdktf.out")


def synthesise(
    environments: Sequence[Environment],
    outdir: Path,
    workloads_of: WorkloadsOf,
    *,
    backend: Backend | None = None,
) -> None:
    """Write `outdir/stacks/<environment>-<stack>/cdk.tf.json` for every stack of `environments`, and the manifest.

    `workloads_of` says what runs on an environment's platform. The state is where the settings or `FONDERIE_BACKEND`
    say, unless `backend` does.
    """
    require_bindings()
    from infra.stacks import STACKS  # after the check: without bindings this import fails

    workloads = [workloads_of(env) for env in environments]
    backends = [backend or chosen_backend(env) for env in environments]
    try:
        outdir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInputError(f"cannot be written: {error.strerror}", where=outdir) from error
    app = App(outdir=str(outdir), stack_traces=False)
    for env, kept, running in zip(environments, backends, workloads, strict=True):
        stacks = [kind(app, env, backend=kept, workloads=running) for kind in STACKS]
        for earlier, later in pairwise(stacks):
            later.add_dependency(earlier)
    try:
        app.synth()
    except RuntimeError as error:
        if not (problem := SYSTEM_ERROR.match(str(error))):
            raise  # a mistake of ours: its trace is wanted
        raise StepFailedError(f"the stacks cannot be written: {problem[0]}", where=outdir) from error


def main(workloads_of: WorkloadsOf) -> int:
    """Synthesise what the command line names into `CDKTF_OUTDIR` or `cdktf.out`; a mistake is a message and a code."""
    sys.dont_write_bytecode = False  # compiled bindings are most of the speed of a second run
    gc.disable()  # a short life: looking for garbage among the bindings' classes costs a third of it
    try:
        environments = chosen_environments(sys.argv[1:])
        synthesise(environments, chosen_outdir(), workloads_of)
        for env in environments:
            for note in notes(env):
                print(f"{env.name}: {note}", file=sys.stderr)
    except FonderieError as error:
        print(f"error: {error}", file=sys.stderr)
        return int(error.exit_code)
    return int(ExitCode.OK)
