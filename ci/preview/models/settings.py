"""What changes in a model's settings, told once: by its file, and by what its pipelines are compiled with.

The two mostly say the same, so a row names the pipelines that carry it. They differ where a default changed in the
code, where a stack could not be planned, or where a pipeline was not compiled again: then each says its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from ci.preview.masking.values import same
from ci.preview.models.facts import ABSENT, different, flat
from ml.models import ModelConfig

Place = tuple[str, str]  # environment, pipeline


@dataclass
class Setting:
    """One setting that differs, and the compiled pipelines in which it does. `defaults`: sides the file leaves out."""

    path: str
    before: object
    after: object
    defaults: tuple[bool, bool] = (False, False)
    places: set[Place] = field(default_factory=set)

    @property
    def where(self) -> str:
        """`dev: monitoring, training`, environments with the same pipelines together."""
        carried: dict[str, list[str]] = {}
        for environment in dict.fromkeys(environment for environment, _ in sorted(self.places)):
            pipelines = ", ".join(sorted(pipeline for name, pipeline in self.places if name == environment))
            carried.setdefault(pipelines, []).append(environment)
        return "; ".join(f"{', '.join(environments)}: {pipelines}" for pipelines, environments in carried.items())

    def agrees(self, other: Setting) -> bool:
        """Whether compiled values are the file's; what the file leaves out has its default, whatever that was."""
        sides = zip(self.defaults, (self.before, self.after), (other.before, other.after), strict=True)
        return self.path == other.path and all(default or same(mine, theirs) for default, mine, theirs in sides)

    def take_defaults(self, other: Setting) -> None:
        """Fill what the file leaves out with what is compiled."""
        before, after = self.defaults
        self.before = other.before if before else self.before
        self.after = other.after if after else self.after


def in_file(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Setting]:
    """What differs between two versions of a model's file, with today's defaults for what they leave out.

    Two files of which one is not valid are compared by what they state.
    """
    stated = flat(old), flat(new)
    resolved = _resolved(old), _resolved(new)
    before, after = (flat(side) for side in resolved if side is not None) if None not in resolved else stated
    return [
        Setting(path, was, becomes, (path not in stated[0], path not in stated[1]))
        for path, was, becomes in different(before, after)
    ]


def _resolved(file: Mapping[str, Any]) -> dict[str, Any] | None:
    """The model with every default, as its pipelines are compiled with it; None when the file is not valid."""
    try:
        return ModelConfig.model_validate_json(json.dumps(file, default=str)).model_dump(mode="json")
    except (ValidationError, RecursionError):
        return None


def in_pipelines(compiled: Iterable[tuple[Place, Mapping[str, Any], Mapping[str, Any]]]) -> list[Setting]:
    """What differs between the configurations that one model's pipelines are compiled with, base against head."""
    found: dict[str, Setting] = {}
    for place, old, new in compiled:
        for path, before, after in different(flat(old), flat(new)):
            key = json.dumps([path, _text(before), _text(after)])
            found.setdefault(key, Setting(path, before, after)).places.add(place)
    return list(found.values())


def _text(value: object) -> str:
    return "" if value is ABSENT else json.dumps(value, sort_keys=True)


def told_once(file: list[Setting], carried: list[Setting]) -> list[Setting]:
    """The settings of both, by path; what the pipelines carry as the file says it is one row."""
    left = list(carried)
    for setting in file:
        for other in carried:
            if setting.agrees(other):
                setting.places |= other.places
                left = [one for one in left if one is not other]
                setting.take_defaults(other)
    return sorted([*file, *left], key=lambda setting: setting.path)
