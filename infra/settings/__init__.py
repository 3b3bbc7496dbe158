"""`infra/environments/*.toml` as one frozen `Environment`: everything in which two environments differ.

`sections` says what a file may hold, `kinds` what one value may be, `rules` what several must be together.
"""

from infra.settings.environment import Backend, Environment
from infra.settings.loading import ENVIRONMENTS, environment_names, load_environment
from infra.settings.sections import Budget

__all__ = ["ENVIRONMENTS", "Backend", "Budget", "Environment", "environment_names", "load_environment"]
