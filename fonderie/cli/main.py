"""`fonderie`: thin. A command group is imported when it is called, so that `--help` answers at once."""

from __future__ import annotations

import errno
import importlib
import itertools
import json
import sys
from collections.abc import Sequence
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from typer.exceptions import TyperException

from fonderie.cli.options import Command
from fonderie.core.errors import BadInputError, ExitCode, FonderieError, StepFailedError
from fonderie.google.schemes import register

PLATFORM = "Platform: deploy, recreate, inspect"
CHANGES = "Changes: review and apply"
MODELS = "Models: train, decide, monitor"
SERVING = "Serving"
CHECKS = "Checks"

# name -> (panel and line in `fonderie --help`). The module of the same name under fonderie.cli.commands holds `app`, a
# typer.Typer, for a group of commands, or `command`, a function, for a single one.
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("", "The main job, end to end, on this machine; ends with a report."),
    "bootstrap": (PLATFORM, "Create what an environment needs first: state bucket, keys, identities, service agents."),
    "deploy": (PLATFORM, "Deploy an environment with the real cdktf, waiting where Google is not ready."),
    "diff": (PLATFORM, "Show what a deploy would do, with the real cdktf."),
    "infra": (PLATFORM, "Show an environment: its stacks and resources, and who may do what."),
    "recreate": (PLATFORM, "Destroy an environment and deploy it again, with an empty plan at the end."),
    "sandbox": (PLATFORM, "An offline stand-in for Google: run Terraform and cdktf without an account."),
    "manifests": (PLATFORM, "Render what the clusters run, and push it to the registry for Config Sync."),
    "preview": (CHANGES, "Show what a change would do, as one comment: destroys first, no secrets."),
    "apply": (CHANGES, "Apply what was reviewed: the plan's hash is compared first."),
    "drift": (CHANGES, "Show what changed in the cloud outside Terraform."),
    "promote": (CHANGES, "Create the pull request that moves images and pipelines to the next environment."),
    "data": (MODELS, "Months of flights, on this machine and in BigQuery: list, load, estimate queries."),
    "run": (MODELS, "Run a pipeline: train a challenger and let the gate decide."),
    "runs": (MODELS, "Show runs: tasks, logs, decisions."),
    "models": (MODELS, "Show models and their versions; promote, roll back."),
    "experiment": (MODELS, "Compare hyper-parameters side by side; submit the best to the gate."),
    "simulate": (MODELS, "Replay months: monitor, decide, train, gate; against two baselines."),
    "report": (MODELS, "Write a report of a model's runs as one HTML file."),
    "serve": (SERVING, "Answer predictions over HTTP with the champions."),
    "canary": (SERVING, "Give a challenger traffic step by step, and abort if it is worse."),
    "predict": (SERVING, "Predict a month of flights into files, all by one version."),
    "load": (SERVING, "Load-test a running server and report rates and latencies."),
    "check": (CHECKS, "Check every configuration offline: environments, models, and their pipelines' parameters."),
    "policy": (CHECKS, "Check the synthesised stacks: checkov, our own checks, waivers that expire."),
    "doctor": (CHECKS, "Check an environment's project: what is wrong, and the command that fixes it."),
}


# What a machine says no with; an OSError of another kind is a bug of ours.
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NOT_OURS = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EIO)


def build(arguments: Sequence[str]) -> typer.Typer:
    """The command line for these arguments; only the command they name is imported."""
    app = typer.Typer(
        name="fonderie", no_args_is_help=True, rich_markup_mode="markdown", pretty_exceptions_enable=False
    )

    @app.callback()
    def fonderie(
        version: Annotated[
            bool, typer.Option("--version", help="Show the version.", callback=_say_version, is_eager=True)
        ] = False,
    ) -> None:
        """An ML platform on Google Cloud and its models: deploy, preview and recreate them together."""

    register()
    chosen = next((argument for argument in arguments if not argument.startswith("-")), None)
    for name, (panel, line) in COMMANDS.items():
        placed: dict[str, Any] = {"rich_help_panel": panel} if panel else {}
        if name != chosen:
            app.command(name, help=line, **placed)(lambda: None)
            continue
        module = importlib.import_module(f"fonderie.cli.commands.{name}")
        if hasattr(module, "app"):
            for command in module.app.registered_commands:
                command.cls = Command
            app.add_typer(module.app, name=name, help=line, no_args_is_help=True, **placed)
        else:
            app.command(name, cls=Command, **placed)(module.command)
    return app


def _say_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print("fonderie", version("fonderie"))
        raise typer.Exit


def fail(error: FonderieError) -> NoReturn:
    """Print `error` for a person (stderr) or a machine (`--json`: stdout) and exit with its code."""
    if "--json" in itertools.takewhile(lambda word: word != "--", sys.argv):  # what follows is another command's
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


def _wrong_usage(error: TyperException) -> FonderieError:
    """What the parser says, as an error of ours: 2 is its code for it, and means "there are changes" here."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "fonderie"
    if not (what := error.format_message()):  # no arguments: the help is printed already
        raise SystemExit(int(ExitCode.BAD_INPUT))
    return BadInputError(what, hint=f"{path} --help")


def _refusal(error: OSError) -> FonderieError | None:
    """What the machine refuses, as an error of ours."""
    if error.errno in DISK_FULL:
        return StepFailedError(
            "the disk is full", where=error.filename, hint="free some space; nothing is half-written"
        )
    if error.errno in NOT_OURS:
        hint = "set FONDERIE_HOME to another folder"
        return StepFailedError(f"{(error.strerror or str(error)).lower()}", where=error.filename, hint=hint)
    return None


def main() -> None:
    """Run the command line; a `FonderieError` becomes its message and its exit code."""
    try:
        code = build(sys.argv[1:])(standalone_mode=False)
    except FonderieError as error:
        fail(error)
    except TyperException as error:
        fail(_wrong_usage(error))
    except typer.Abort:
        print("nothing was done", file=sys.stderr)
        raise SystemExit(int(ExitCode.ERROR)) from None
    except OSError as error:
        if (refusal := _refusal(error)) is None:
            raise
        fail(refusal)
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    if code == ExitCode.INTERRUPTED:
        print("interrupted", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
