"""Stacks that other code synthesised: data, until they are known to run nothing of their own when they are planned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ci.lifecycle.deploy import stacks_in
from ci.preview.build.synthesis import Synthesised
from fonderie.core.errors import BadInputError, RefusedError
from fonderie.terraform.configuration import read_configuration
from fonderie.terraform.references import part

_GOOGLE = frozenset({"hashicorp/google", "hashicorp/google-beta"})
_BUILT_IN = "terraform"
_TYPED = ("resource", "data", "ephemeral", "action")


def read_synthesised(folder: Path, base: Synthesised | None) -> Synthesised:
    """The stacks in a folder that a step without any rights has synthesised.

    Raises RefusedError for one that would bring a program to the plan which base does not have: another provider, a
    module. Who may, plans that by hand.
    """
    stacks = tuple(stacks_in(folder))
    known = {stack.name: read_configuration(stack.folder) for stack in base.stacks} if base else {}
    allowed = _GOOGLE | {source for each in known.values() for source in _sources(each).values()}
    for stack in stacks:
        if not stack.folder.is_relative_to(folder.resolve()):
            raise BadInputError("lies outside the folder", where=stack.name)
        configuration = read_configuration(stack.folder)
        for what in _programs(configuration, known.get(stack.name, {}), allowed):
            raise RefusedError(
                f"{what} would run before it was reviewed", where=stack.name, hint="base has none: plan it by hand"
            )
    return Synthesised(folder, stacks)


def _sources(configuration: Mapping[str, Any]) -> dict[str, str]:
    """Local name -> source of each provider that a configuration declares."""
    declared = part(configuration, "terraform", "required_providers")
    named = {
        name: str((row if isinstance(row, dict) else {}).get("source") or f"hashicorp/{name}")
        for name, row in declared.items()
    }
    return {name: source.removeprefix("registry.terraform.io/") for name, source in named.items()}


def _programs(configuration: Mapping[str, Any], base: Mapping[str, Any], allowed: frozenset[str]) -> Iterator[str]:
    sources = _sources(configuration)
    yield from (f"the provider {source!r}" for source in sources.values() if source not in allowed)
    for name in _providers(configuration):
        if name not in sources and name != _BUILT_IN and f"hashicorp/{name}" not in allowed:
            yield f"the provider 'hashicorp/{name}'"
    if (module := configuration.get("module")) and module != base.get("module"):
        yield f"the module {', '.join(map(str, module))}"


def _providers(configuration: Mapping[str, Any]) -> Iterator[str]:
    """The local names of the providers that blocks ask for: by their type, by `provider`, by their configuration."""
    yield from part(configuration, "provider")
    for block in _TYPED:
        for kind, named in part(configuration, block).items():
            yield kind.partition("_")[0]
            for body in named.values() if isinstance(named, dict) else ():
                for each in body if isinstance(body, list) else [body]:
                    if isinstance(each, dict) and isinstance(each.get("provider"), str):
                        yield each["provider"].partition(".")[0]
