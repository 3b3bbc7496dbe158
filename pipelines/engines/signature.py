"""What a spec must be before it is submitted anywhere: its images fixed, its parameters its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fonderie.core.errors import BadInputError


def check_images(document: dict[str, Any], where: Path) -> None:
    """Refuse a spec whose images can change under it. Raises BadInputError."""
    executors = document.get("deploymentSpec", {}).get("executors", {})
    for name, executor in sorted(executors.items()):
        image = executor.get("container", {}).get("image", "")
        if "@sha256:" not in image:
            raise BadInputError(
                f"the image {image or 'of nothing'} of {name} is not pinned by digest",
                where=where,
                hint="set images.pipelines in the environment's file to REGISTRY/pipelines@sha256:...",
            )


def check_parameters(
    document: dict[str, Any], parameters: Mapping[str, str | int | float | bool], *, where: str
) -> None:
    """Hold parameters to the pipeline's own signature, before anything is submitted. Raises BadInputError."""
    known = document.get("root", {}).get("inputDefinitions", {}).get("parameters", {})
    if unknown := sorted(set(parameters) - set(known)):
        raise BadInputError(
            f"the pipeline has no {', '.join(unknown)}", where=where, hint=f"it has {', '.join(sorted(known))}"
        )
    required = {name for name, one in known.items() if "defaultValue" not in one and not one.get("isOptional")}
    if missing := sorted(required - set(parameters)):
        raise BadInputError(f"the pipeline needs {', '.join(missing)}", where=where)
