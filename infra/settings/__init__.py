"""`infra/environments/*.toml` as one frozen `Environment`: everything in which two environments differ.

`sections` says what a file may hold, `value_types` what one value may be, `rules` what several must be together.
"""

from infra.settings.environment import ENVIRONMENTS, Backend, Environment, environment_names, load_environment, notes
from infra.settings.sections import BudgetSettings, GitSettings, Neighbour

__all__ = [
    "ENVIRONMENTS",
    "Backend",
    "BudgetSettings",
    "Environment",
    "GitSettings",
    "Neighbour",
    "environment_names",
    "load_environment",
    "notes",
]
