"""The pattern of all names: `<environment>-<what>`."""

from __future__ import annotations

from infra.names.vocabulary import Stack
from infra.settings import Environment


def stack(env: Environment, name: Stack) -> str:
    """Id of a stack, for example `dev-data`."""
    return f"{env.name}-{name}"


def resource(env: Environment, what: str) -> str:
    """Name of anything whose name needs to be unique in its project only."""
    return f"{env.name}-{what}"
