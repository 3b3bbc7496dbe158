"""How a resource that holds something is kept from being destroyed by mistake."""

from __future__ import annotations

from infra.bindings import TerraformResourceLifecycle
from infra.settings import Environment


def deletion_policy(env: Environment) -> str:
    """The provider refuses, at apply and by what the state says, to delete a resource whose policy is PREVENT.

    A plan is still made, so a preview can show what a change would have destroyed.
    """
    return "PREVENT" if env.protected else "DELETE"


def never_destroyed() -> TerraformResourceLifecycle:
    """For what is never destroyed, in no environment: Terraform refuses to plan it."""
    return TerraformResourceLifecycle(prevent_destroy=True)
