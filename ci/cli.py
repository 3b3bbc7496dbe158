"""`fonderie`: thin. A command group is imported when it is called, so that `--help` answers at once."""

from __future__ import annotations

import errno
import importlib
import json
import sys
from collections.abc import Sequence
from typing import NoReturn

import typer
from rich.console import Console

from fonderie.errors import ExitCode, FonderieError, StepFailedError

# name -> (module under ci.commands, its line in `fonderie --help`). The module holds `app`, a typer.Typer, for a group
# of commands, or `command`, a function, for a single one.
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("demo", "The main job, end to end, on this machine; ends with a report."),
    "serve": ("serve", "Answer predictions over HTTP with the champions."),
    "canary": ("canary", "Put a challenger beside the champion, step by step."),
    "predict": ("predict", "Predict a month of flights into files, all by one version."),
    "load": ("load", "Ask a running server as fast as it answers, and report."),
    "recreate": ("recreate", "Destroy an environment and deploy it again, with an empty plan at the end."),
    "sandbox": ("sandbox", "An offline stand-in for Google: run Terraform and cdktf without an account."),
    "bootstrap": ("bootstrap", "Make what an environment stands on: state bucket, keys, identities, service agents."),
    "run": ("run", "Run a pipeline: train a challenger and let the gate decide."),
    "runs": ("runs", "Look at runs: tasks, logs, decisions."),
    "models": ("models", "Look at models and their versions; promote, roll back."),
    "report": ("report", "Write the runs of a model as one HTML file."),
    "check": ("check", "Check every configuration offline: environments, models, and their pipelines' parameters."),
    "doctor": ("doctor", "Look at an environment's project: what is wrong, and the command that mends it."),
    "infra": ("infra", "Look at an environment: its stacks and resources, and who may do what."),
    "experiment": ("experiment", "Hyper-parameters side by side; the best one may go before the gate."),
    "simulate": ("simulate", "Replay months: monitor, decide, train, gate; against two baselines."),
    "preview": ("preview", "What a change would do, as one comment: destroys first, no secrets."),
    "apply": ("apply", "Apply what was reviewed: the plan's hash is compared first."),
    "drift": ("drift", "What changed in the cloud behind Terraform's back."),
    "promote": ("promote", "The pull request that moves images and pipelines to the next environment."),
    "policy": ("policy", "Check the synthesised stacks: checkov, our own checks, waivers that expire."),
}


DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def build(arguments: Sequence[str]) -> typer.Typer:
    """The command line for these arguments; only the command they name is imported."""
    app = typer.Typer(
        name="fonderie", no_args_is_help=True, rich_markup_mode="markdown", pretty_exceptions_enable=False
    )

    @app.callback()
    def fonderie() -> None:
        """An ML platform on Google Cloud and its models: deploy, preview and recreate them together."""

    chosen = next((argument for argument in arguments if not argument.startswith("-")), None)
    for name, (module_name, line) in COMMANDS.items():
        if name != chosen:
            app.command(name, help=line)(lambda: None)
            continue
        module = importlib.import_module(f"ci.commands.{module_name}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=name, help=line, no_args_is_help=True)
        else:
            app.command(name, **getattr(module, "SETTINGS", {}))(module.command)
    return app


def fail(error: FonderieError) -> NoReturn:
    """Print `error` for a person (stderr) or a machine (`--json`: stdout) and leave with its code."""
    if "--json" in sys.argv:
        print(json.dumps(error.as_dict()))
    else:
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        place = f"{error.where}: " if error.where else ""
        console.print("[bold red]error:[/] ", end="")
        console.print(f"{place}{error.what}", markup=False)
        if error.hint:
            console.print("[bold]hint:[/] ", end="")
            console.print(error.hint, markup=False)
    raise SystemExit(int(error.exit_code))


def main() -> None:
    """Run the command line; a `FonderieError` becomes its message and its exit code."""
    try:
        build(sys.argv[1:])()
    except FonderieError as error:
        fail(error)
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        fail(StepFailedError("the disk is full", where=error.filename, hint="free some space; nothing is half-written"))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(int(ExitCode.INTERRUPTED)) from None


if __name__ == "__main__":
    main()
