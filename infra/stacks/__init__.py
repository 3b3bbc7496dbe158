"""The stacks of an environment, longest life first."""

from infra.stacks.data import DataStack

STACKS = (DataStack,)
