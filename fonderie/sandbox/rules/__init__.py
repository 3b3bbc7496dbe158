"""What no fact can say, one file a service: how its types plan (`PLANS`), and what its API does afterwards."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from types import ModuleType


@cache
def service_modules() -> tuple[ModuleType, ...]:
    """The modules of this package, by name, imported: importing one registers its rules."""
    return tuple(importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__))
