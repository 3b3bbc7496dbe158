"""The synthesised stacks as policy, access and the map read them: resources with their construct paths."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fonderie.core.errors import BadInputError

STACK_FILE = "cdk.tf.json"


@dataclass(frozen=True)
class Resource:
    """One resource of a stack. `path` is its construct path, `STACK/...`, which waivers name."""

    type: str
    name: str
    path: str
    values: dict[str, Any] = field(hash=False, compare=False)

    @property
    def address(self) -> str:
        """As Terraform names it: `google_storage_bucket.models`."""
        return f"{self.type}.{self.name}"


@dataclass(frozen=True)
class SynthesisedStack:
    """One synthesised stack and the environment it belongs to."""

    name: str
    folder: Path
    resources: tuple[Resource, ...]
    default_labels: dict[str, str] = field(hash=False, compare=False)
    project: str = ""
    others: dict[str, Any] = field(default_factory=dict, hash=False, compare=False)  # data sources, providers, ...

    @property
    def document(self) -> dict[str, Any]:
        """The stack as Terraform reads it, with the resources as they are here."""
        by_type: dict[str, dict[str, Any]] = {}
        for resource in self.resources:
            by_type.setdefault(resource.type, {})[resource.name] = resource.values
        return {**self.others, "resource": by_type}

    @property
    def environment(self) -> str:
        """The environment's name: `prod` of the stack `prod-data`."""
        return self.name.partition("-")[0]


def _resources(document: dict[str, Any], stack: str) -> tuple[Resource, ...]:
    found = []
    for kind, instances in sorted(document.get("resource", {}).items()):
        for name, values in sorted(instances.items()):
            path = values.get("//", {}).get("metadata", {}).get("path", f"{stack}/{name}")
            arguments = {key: value for key, value in values.items() if key != "//"}
            found.append(Resource(kind, name, path.removesuffix("/Default"), arguments))
    return tuple(found)


def read_stack(folder: Path) -> SynthesisedStack:
    """The stack synthesised into `folder`.

    Raises:
        BadInputError: there is no stack in the folder, or its file is not JSON.
    """
    file = folder / STACK_FILE
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadInputError("no synthesised stack here", where=folder, hint="run `cdktf synth` first") from error
    except ValueError as error:
        raise BadInputError(f"is not JSON: {error}", where=file, hint="run `cdktf synth` again") from error
    provider = document.get("provider", {}).get("google", [{}])[0]
    return SynthesisedStack(
        folder.name,
        folder,
        _resources(document, folder.name),
        provider.get("default_labels", {}),
        provider.get("project", ""),
        {section: content for section, content in document.items() if section != "resource"},
    )


def read_stacks(outdir: Path) -> list[SynthesisedStack]:
    """Every stack below `outdir/stacks`, by name.

    Raises:
        BadInputError: there is none: nothing to scan is never a pass.
    """
    folders = sorted(folder for folder in (outdir / "stacks").glob("*") if folder.is_dir())
    if not folders:
        raise BadInputError("there is no stack to scan", where=outdir, hint="run `cdktf synth` first")
    return [read_stack(folder) for folder in folders]
