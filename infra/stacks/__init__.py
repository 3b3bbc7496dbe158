"""The stacks of an environment, longest life first: each may name what those before it create."""

import infra.bindings  # noqa: F401  -- puts the generated `imports` on the path
from infra.stacks.bootstrap import BootstrapStack
from infra.stacks.data import DataStack
from infra.stacks.delivery import DeliveryStack
from infra.stacks.foundation import FoundationStack
from infra.stacks.runtime import RuntimeStack

STACKS = (BootstrapStack, FoundationStack, DataStack, RuntimeStack, DeliveryStack)
