"""The arguments and options that commands share, and the spellings of before that they still take.

A name is an argument everywhere or an option everywhere; docs/commands.md has the rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperOption

Model = Annotated[str, typer.Argument(help="A model, by the name of its file in ml/models.")]
OnlyModel = Annotated[str, typer.Argument(help="Only this model.", show_default=False)]
RunId = Annotated[str, typer.Argument(help="A run, by its id.")]

Env = Annotated[str, typer.Option("--env", help="The environment, by the name of its file in infra/environments.")]
OnlyEnvs = Annotated[list[str] | None, typer.Option("--env", help="Only this environment; repeatable.")]
Engine = Annotated[str, typer.Option("--engine", help="Where pipelines run: local, vertex or kubeflow.")]
EngineEnv = Annotated[str, typer.Option("--env", help="The environment whose Vertex AI or Kubeflow to use.")]
Host = Annotated[str, typer.Option("--host", help="Address of Kubeflow Pipelines; default: http://127.0.0.1:8080.")]
Registry = Annotated[str, typer.Option("--registry", help="Folder of the registry; default: the one under .fonderie.")]
History = Annotated[
    str, typer.Option("--history", help="Folder of verdicts and decisions; default: the one under .fonderie.")
]
Month = Annotated[str, typer.Option("--month", help="The month, such as 2013-04.")]
Version = Annotated[str, typer.Option("--version", help="A version, by number or alias.")]
Reason = Annotated[str, typer.Option("--reason", help="Reason, kept in the record.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]
CloudFile = Annotated[
    Path | None, typer.Option("--cloud", help="The sandbox's cloud file; default: `.fonderie/cloud/google.sqlite`.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")]

# What was an argument before 2026-11-28, by command, and the option that it is now. `--model` was an option of some.
FORMER_ARGUMENTS = {"apply": ["--env"], "promote": ["--from", "--to"], "models promote": ["--version"]}


class Command(TyperCommand):
    """A command that still takes the former spellings: scripts and alerts that are out there keep working."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse today's spelling of `args`."""
        former = FORMER_ARGUMENTS.get(_path(ctx), [])
        takes_model = any(param.name == "model" for param in self._arguments())
        return super().parse_args(ctx, self._respelled(args, former) if former or takes_model else args)

    def _arguments(self) -> list[TyperArgument]:
        return [param for param in self.params if isinstance(param, TyperArgument)]

    def _respelled(self, args: Sequence[str], former: Sequence[str]) -> list[str]:
        """`--model NAME` as the first argument; arguments beyond today's as the options `former`."""
        valued = {
            name for param in self.params if isinstance(param, TyperOption) and not param.is_flag for name in param.opts
        }
        model: list[str] = []
        arguments: list[str] = []
        options: list[str] = []
        verbatim: list[str] = []
        words = iter(args)
        for word in words:
            if word == "--model" or word.startswith("--model="):
                model += [word.partition("=")[2]] if "=" in word else list(islice(words, 1))
            elif word == "--":
                verbatim = [word, *words]
            elif word.startswith("-"):
                options += [word, *islice(words, int(word in valued))]
            else:
                arguments.append(word)
        arguments = [*model, *arguments]
        count = len(self._arguments())
        given = {option.partition("=")[0] for option in options}
        for name in [name for name in former if name not in given]:
            if arguments[count:]:
                options += [name, arguments.pop(count)]
        return [*arguments, *options, *verbatim]


def _path(ctx: Any) -> str:
    """The words that call a command, without the program's name, which may be several words itself."""
    return "" if ctx.parent is None else f"{_path(ctx.parent)} {ctx.info_name}".strip()
