"""Run commands with the stand-in in the place of Google.

The stand-in is a process of its own that lives as long as we hold its standard input: when we end, however we end, it
ends. It leaves no socket (loopback TCP), no lock and no daemon.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from fonderie.core import errors
from fonderie.core.errors import FonderieError, MissingToolError, StepFailedError
from fonderie.core.home import home
from fonderie.sandbox.tools import write_tools

ROOT = Path(__file__).parents[2]
_DYING_S = 1.0
PARALLELISM = 100  # a fresh project refuses what starts too early only if it starts: Terraform's usual ten hide that
_WITHOUT_LOCK = frozenset({"deploy", "apply", "diff", "plan", "destroy"})
_STARTED_IN_S = 20
_PATIENCE = 2  # signals that a command may ignore
# Before Terraform: a plan is made by who plans, and an apply that lacks a dependency does not start.
_SCRIPT = """#!/bin/sh
for word in "$@"; do
  case $word in
    -*) ;;
    apply) {check} "$@" || exit $?; break ;;
    plan) {plan} break ;;
    *) break ;;
  esac
done
exec {binary} "$@"
"""
# In a shell, or a script: what `_completed` does for a command that is run by itself.
_CDKTF = """#!/bin/sh
case "$1 $*" in
*--skip-provider-lock*) ;;
{verbs}) set -- "$@" --skip-provider-lock ;;
esac
exec {binary} "$@"
"""


def default_cloud() -> Path:
    """The cloud file when none is named."""
    return home() / "cloud" / "google.sqlite"


@dataclass(frozen=True)
class Options:
    """Of one stand-in; None: as usual."""

    cloud: Path = field(default_factory=default_cloud)
    schema: Path | None = None
    facts: Path | None = None
    established: bool = False
    projects: Sequence[str] = ()
    quotas: Sequence[str] = ()
    identity: str | None = None  # who makes every call; None: `plan` plans and `apply` does the rest
    propagation_s: float = 0.0
    calls: Path | None = None  # a file that is told what each call needs of whom
    remote_state: bool = False  # the state is where the settings say, in a bucket of the sandbox

    @property
    def facts_file(self) -> Path:
        """The facts in use."""
        from fonderie.sandbox.provider.facts import FACTS_FILE

        return (self.facts or FACTS_FILE).absolute()

    def arguments(self) -> list[str]:
        """For the stand-in's own command line."""
        named = [
            ("--cloud", str(self.cloud)),
            ("--schema", self.schema),
            ("--facts", self.facts),
            ("--calls", self.calls),
        ]
        found = [part for name, value in named if value is not None for part in (name, str(value))]
        found += [part for one in self.projects for part in ("--project", one)]
        found += [part for one in self.quotas for part in ("--quota", one)]
        found += ["--as", self.identity] if self.identity is not None else []
        found += ["--propagation", str(self.propagation_s)] if self.propagation_s else []
        return [*found, "--established"] if self.established else found


@dataclass
class StandIn:
    """A stand-in that is up."""

    process: subprocess.Popen[str]
    environment: dict[str, str]
    identities: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # what differs by who calls

    def as_(self, name: str) -> dict[str, str]:
        """The environment in which everything is done by one identity: `person`, where `Options` names none."""
        return {**self.environment, **self.identities[name], "FONDERIE_SANDBOX_AS": name}

    @property
    def died(self) -> bool:
        """Whether it ended without being stopped."""
        return self.process.poll() is not None

    def dying(self) -> bool:
        """Whether it has died, when a command failed: its connections end a moment before it can be waited for."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=_DYING_S)
        return self.died


@contextmanager
def stand_in(options: Options) -> Iterator[StandIn]:
    """A stand-in, with the environment that commands need. Raises FonderieError when it cannot start."""
    tools = tempfile.mkdtemp(prefix="fonderie-sandbox-")
    process = subprocess.Popen(
        [sys.executable, "-m", "fonderie.sandbox.process", *options.arguments(), "--tools", tools],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for the command; the stand-in answers it until it has ended
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))},
    )
    try:
        identities = _answer(process)
        environment = command_environment(options, identities.get("apply") or next(iter(identities.values())))
        write_tools(Path(tools), environment["PATH"])
        if not options.established:
            environment |= _write_guards(
                Path(tools), environment, options.cloud.absolute(), options.facts_file, identities.get("plan", {})
            )
        environment["PATH"] = os.pathsep.join([tools, environment["PATH"]])
        yield StandIn(process, environment, identities)
    finally:
        _stop(process)
        shutil.rmtree(tools, ignore_errors=True)


def command_environment(options: Options, reattach: Mapping[str, str]) -> dict[str, str]:
    """The environment of a command: tools of this repository first, state on this machine, no calls to HashiCorp."""
    paths = [*_tool_folders(), os.environ.get("PATH", "")]
    found = {
        **os.environ,
        **reattach,
        "PATH": os.pathsep.join(filter(None, paths)),
        "FONDERIE_SANDBOX": str(options.cloud.absolute()),
        "CHECKPOINT_DISABLE": "1",
        "DISABLE_VERSION_CHECK": "1",
        "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20",
        "TF_IN_AUTOMATION": "1",
    }
    found |= _working_folder()
    if options.remote_state:
        found.pop("FONDERIE_BACKEND", None)
        if options.identity is None:  # who plans may not write the lock: as the CI's preview does
            found["TF_CLI_ARGS_plan"] = f"-lock=false {found.get('TF_CLI_ARGS_plan', '')}".strip()
    else:
        found["FONDERIE_BACKEND"] = "local"
    for name in ("TF_CLI_ARGS_apply", "TF_CLI_ARGS_destroy", "TF_CLI_ARGS_plan"):
        found[name] = f"-parallelism={PARALLELISM} {found.get(name, '')}".strip()
    config = found.get("TF_CLI_CONFIG_FILE")
    if (config and not Path(config).is_file()) or (not config and not Path("~/.terraformrc").expanduser().is_file()):
        found["TF_CLI_CONFIG_FILE"] = os.devnull
    return found


def _working_folder() -> dict[str, str]:
    """Stacks, and with them Terraform's folders and the local states, apart from those of real deployments.

    In one folder Terraform would see that the backend changed and offer to migrate the sandbox's state, over the real
    one. The app reads CDKTF_OUTDIR, the `cdktf` command CDKTF_OUTPUT (its `--output`); where they are set, for real
    deployments, the sandbox's folder lies beside.
    """
    chosen = os.environ.get("CDKTF_OUTDIR") or os.environ.get("CDKTF_OUTPUT")
    if chosen and "FONDERIE_SANDBOX" not in os.environ:
        chosen = f"{chosen.rstrip('/')}-sandbox/cdktf.out"
    folder = Path(chosen or home() / "sandbox" / "cdktf.out").absolute()
    return {"CDKTF_OUTDIR": str(folder), "CDKTF_OUTPUT": str(folder)}


def _write_guards(
    folder: Path, environment: Mapping[str, str], cloud: Path, facts: Path, planning: Mapping[str, str]
) -> dict[str, str]:
    """Write scripts for the Terraforms of an environment into `folder`; what changes in that environment.

    `planning` is what a plan has in its environment instead.
    """
    exports = " ".join(f"{name}={shlex.quote(value)}" for name, value in planning.items())
    plan = f'[ -n "$FONDERIE_SANDBOX_AS" ] || export {exports};' if exports else ""
    chosen = environment.get("TERRAFORM_BINARY_NAME", "terraform")
    for name in ("terraform", "tofu", chosen):
        if (binary := shutil.which(name, path=environment.get("PATH", ""))) is None:
            continue
        binary = str(Path(binary).absolute())
        words = [sys.executable, "-P", "-m", "fonderie.sandbox.guard", str(cloud), str(facts), binary]
        check = f"PYTHONPATH={shlex.quote(str(ROOT))} {shlex.join(words)}"
        script = folder / Path(name).name
        script.write_text(_SCRIPT.format(check=check, plan=plan, binary=shlex.quote(binary)), encoding="utf-8")
        script.chmod(0o755)
    if binary := shutil.which("cdktf", path=environment.get("PATH", "")):
        verbs = "|".join(f"{verb}\\ *" for verb in sorted(_WITHOUT_LOCK))
        script = folder / "cdktf"
        script.write_text(
            _CDKTF.format(verbs=verbs, binary=shlex.quote(str(Path(binary).absolute()))), encoding="utf-8"
        )
        script.chmod(0o755)
    return {"TERRAFORM_BINARY_NAME": Path(chosen).name} if Path(chosen).is_absolute() else {}


def run(command: Sequence[str], options: Options) -> int:
    """Run a command, with the stand-in; signals reach it. The code it ended with.

    Raises MissingToolError for a command that is not there, StepFailedError when the stand-in died in the middle.
    """
    with stand_in(options) as up:
        arguments = _completed(command)
        try:
            child = subprocess.Popen(arguments, env=up.environment)
        except FileNotFoundError as error:
            raise MissingToolError(f"command not found: {arguments[0]}", hint="`make setup` installs ours") from error
        except PermissionError as error:
            raise MissingToolError(f"{arguments[0]} is not executable") from error
        with _forwarding(child):
            code = child.wait()
        if up.died or (code and up.dying()):
            raise StepFailedError(
                f"the stand-in died while `{' '.join(command)}` ran",
                where=options.cloud,
                hint="what it created is in the cloud file: run the command again, and import or "
                "`fonderie sandbox delete NAME` what already exists (409) but is not in the state",
            )
    return code if code >= 0 else 128 - code


def _completed(command: Sequence[str]) -> list[str]:
    """`cdktf deploy` asks the registry for a lock file unless it is told not to."""
    words = list(command)
    name = Path(words[0]).name
    at = words.index("cdktf") if name in ("npx", "exec") and "cdktf" in words else 0
    if Path(words[at]).name in ("cdktf", "cdktn") and len(words) > at + 1 and words[at + 1] in _WITHOUT_LOCK:
        words.append("--skip-provider-lock")
    return words


def _tool_folders() -> list[str]:
    folders = []
    for root in dict.fromkeys([Path.cwd(), ROOT]):
        folders += [root / "node_modules" / ".bin", root / ".venv" / "bin"]
    return [str(folder) for folder in folders if folder.is_dir()]


def _answer(process: subprocess.Popen[str]) -> dict[str, dict[str, str]]:
    assert process.stdout is not None
    line = process.stdout.readline()
    try:
        answer: dict[str, Any] = json.loads(line)
    except ValueError as error:
        code = process.wait(timeout=_STARTED_IN_S)
        raise StepFailedError(f"the stand-in did not start: it exited with code {code}") from error
    if "environments" in answer:
        return dict(answer["environments"])
    kind = getattr(errors, str(answer.get("error")), FonderieError)
    raise kind(answer["what"], where=answer.get("where"), hint=answer.get("hint"))


def _stop(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    with suppress(BrokenPipeError):
        process.stdin.close()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


@contextmanager
def _forwarding(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Signals that reach us reach the command; the third one kills it. Ctrl-C at a terminal reaches it by itself."""
    signalled = 0

    def forward(number: int, _frame: FrameType | None) -> None:
        nonlocal signalled
        signalled += 1
        if signalled > _PATIENCE:
            child.kill()
        elif number != signal.SIGINT or not sys.stdin.isatty():
            with suppress(ProcessLookupError):
                child.send_signal(number)

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, forward) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
