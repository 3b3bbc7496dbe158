"""Where runs, the registry, data and caches live."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """`.fonderie` in the working directory, or the folder FONDERIE_HOME names; whoever writes makes it."""
    return Path(os.environ.get("FONDERIE_HOME") or ".fonderie").absolute()
