"""The process of the stand-in: `python -m fonderie.sandbox.process OPTIONS`. It prints one line of JSON when it is up
(what a command needs in its environment) or what is wrong, and ends when its standard input does: with its parent.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from fonderie.core.errors import BadInputError, FonderieError
from fonderie.sandbox.cloud.clock import Clock
from fonderie.sandbox.cloud.cloud import Cloud
from fonderie.sandbox.iam import caller
from fonderie.sandbox.iam.access import CallLog
from fonderie.sandbox.lifecycle import permissions
from fonderie.sandbox.lifecycle.faults import FaultSettings
from fonderie.sandbox.lifecycle.interface import ProviderConfig
from fonderie.sandbox.lifecycle.lifecycle import GoogleLifecycle
from fonderie.sandbox.lifecycle.world import World
from fonderie.sandbox.planning.planner import Planner
from fonderie.sandbox.protocol.server import serve_provider
from fonderie.sandbox.protocol.servicer import CallerOf, nobody_asked
from fonderie.sandbox.provider.facts import BEHAVIOURS_FILE, FACTS_FILE, ID_TEMPLATES_FILE, Facts, check
from fonderie.sandbox.provider.schema import ProviderSchema
from fonderie.sandbox.rest.server import serve_rest
from fonderie.sandbox.rules.quotas import QUOTAS, note

# Who plans and who applies where nobody is named, and the owner, who bootstraps; the second one's is the command's own.
USUAL = ("plan", "apply", "person")


def main(arguments: list[str] | None = None) -> int:
    """Serve until standard input ends or SIGTERM comes."""
    options = _options().parse_args(arguments)
    stop = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the command, which ends in an orderly way
    signal.signal(signal.SIGTERM, lambda _signal, _frame: stop.set())
    try:
        world = open_world(options)
        planner, lifecycle = Planner(world.schema, world.facts), GoogleLifecycle(world)
        with world.cloud, ExitStack() as listeners:
            environments = {
                name: listeners.enter_context(serve_provider(world.schema, planner, lifecycle, caller_of)).environment
                for name, caller_of in callers(world, options.identity).items()
            }
            anybody = world.established and options.identity is None
            rest = listeners.enter_context(serve_rest(world, None if anybody else world.access))
            environments = {
                name: {**environment, **rest.environment(name, chosen=options.identity is not None)}
                for name, environment in environments.items()
            }
            own = environments.get("apply") or next(iter(environments.values()))
            _say({"environment": own, "environments": environments, "pid": os.getpid()})
            threading.Thread(target=_wait_for_the_parent, args=(stop,), daemon=True).start()
            stop.wait()
    except FonderieError as error:
        _say(error.as_dict())
        return int(error.exit_code)
    finally:
        if options.tools is not None:
            shutil.rmtree(options.tools, ignore_errors=True)
    return 0


def callers(world: World, chosen: str | None) -> Mapping[str, CallerOf]:
    """Whose listeners there are. Raises BadInputError for an unknown identity."""
    if chosen is not None:
        caller.check_name(chosen)
        return {chosen: partial(_caller_of, world, chosen, chosen=True)}
    if world.established:  # there are no policies to judge by
        return {caller.ANYONE.member: nobody_asked}
    return {name: partial(_caller_of, world, name, chosen=False) for name in USUAL}


def _caller_of(world: World, name: str, provider: ProviderConfig, *, chosen: bool) -> caller.Caller:
    return permissions.caller_of(world, name, provider, chosen=chosen)


def open_world(options: argparse.Namespace) -> World:
    """What the options name. Raises FonderieError for whatever is wrong with it."""
    schema, facts = ProviderSchema.load(options.schema), load_facts(options.facts)
    check(schema, facts)
    cloud = Cloud(options.cloud)
    cloud.history_s = options.propagation
    ours = [(known.project, known.number) for known in caller.environments() if known.number is not None]
    for project, number in [*ours, *map(_project, options.project)]:
        if project not in cloud.projects() and cloud.project_of(number) is None:
            cloud.set_number(project, number)
    for written in options.quota:
        name, _, limit = written.partition("=")
        if name not in {one.name for one in QUOTAS} or not limit.isdigit():
            known = ", ".join(one.name for one in QUOTAS)
            raise BadInputError(
                f"invalid quota {written!r}", where="--quota", hint=f"write NAME=NUMBER; names: {known}"
            )
        cloud.set_note(note(name), limit)
    settings = FaultSettings.read(cloud)
    return World(
        cloud,
        schema,
        facts,
        clock=Clock(settings.time_scale),
        established=options.established,
        propagation_s=options.propagation,
        calls=CallLog(options.calls) if options.calls else None,
    )


def load_facts(file: Path) -> Facts:
    """The facts, with the behaviours and id templates that lie beside or above them, else those of our provider."""

    def beside(name: str, otherwise: Path) -> Path:
        found = (folder / name for folder in (file.resolve().parent, file.resolve().parent.parent))
        return next((one for one in found if one.is_file()), otherwise)

    return Facts.load(
        file, beside(BEHAVIOURS_FILE.name, BEHAVIOURS_FILE), beside(ID_TEMPLATES_FILE.name, ID_TEMPLATES_FILE)
    )


def _project(written: str) -> tuple[str, int]:
    name, _, number = written.partition("=")
    if not name or not number.isdigit():
        raise BadInputError(f"invalid project {written!r}", where="--project", hint="write ID=NUMBER")
    return name, int(number)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fonderie.sandbox.process")
    parser.add_argument("--cloud", type=Path, required=True)
    parser.add_argument("--schema", type=Path, default=default_schema())
    parser.add_argument("--facts", type=Path, default=FACTS_FILE)
    parser.add_argument("--established", action="store_true")
    parser.add_argument("--project", action="append", default=[])
    parser.add_argument("--quota", action="append", default=[])
    parser.add_argument("--as", dest="identity")
    parser.add_argument("--propagation", type=float, default=0.0)
    parser.add_argument("--calls", type=Path)
    parser.add_argument("--tools", type=Path, help="a folder that goes when the stand-in does")
    return parser


def default_schema() -> Path:
    """The cut schema of the types in use."""
    return FACTS_FILE.with_name(FACTS_FILE.name.replace("facts@", "google@"))


def _say(answer: object) -> None:
    print(json.dumps(answer), flush=True)


def _wait_for_the_parent(stop: threading.Event) -> None:
    sys.stdin.buffer.read()
    stop.set()


if __name__ == "__main__":
    raise SystemExit(main())
