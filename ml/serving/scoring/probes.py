"""Instances a registered version can be asked: its probes, the same that every server start asks it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from fonderie.core.errors import BadDataError
from ml.serving.scoring.compiled_version import PROBES, Probes


def probe_instances(folder: Path) -> list[dict[str, Any]]:
    """Of the version in `folder`. Raises BadDataError when it has none."""
    try:
        return msgspec.json.decode((folder / PROBES).read_bytes(), type=Probes).instances
    except (OSError, msgspec.MsgspecError) as error:
        raise BadDataError(f"no probes: {error}", where=folder / PROBES, hint="register the version again") from None
