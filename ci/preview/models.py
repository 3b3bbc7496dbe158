"""What changes about the models, in words: from their TOML files and from the compiled pipelines, base against head."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from ci.preview.facts import fact_changes, flat
from ci.preview.pipelines import image_changes, pipeline_changes, schedule_changes
from ci.preview.plan import StackPlan
from ci.preview.printable import printable
from ci.preview.report import ModelChange
from ci.preview.secrets import Masker
from ci.preview.values import Reader, shown

# The first key of a model file that fits gives the words; `{}` is the rest of the path.
_WORDS = (
    ("training.hyperparameters.", "hyper-parameter {}"),
    ("training.hyperparameters", "hyper-parameters"),
    ("features.", "{} features"),
    ("gate.min_gain", "gate: smallest gain to promote"),
    ("gate.slice_tolerance.", "gate: how much worse a slice of {} may be"),
    ("gate.floor", "gate: no worse than"),
    ("gate.ceiling", "gate: too good to be true from"),
    ("gate.metric", "gate: the metric that decides"),
    ("gate.", "gate: {}"),
    ("drift.cooldown_days", "days without a retraining after one"),
    ("drift.feature_js", "drift threshold of a feature"),
    ("drift.category_linf", "drift threshold of a category"),
    ("drift.prediction_js", "drift threshold of the predictions"),
    ("drift.", "drift: {}"),
    ("monitoring.", "monitoring: {}"),
    ("schedules.", "schedule: {}"),
    ("schedule", "schedule{}"),
    ("compute.", "machine of {}"),
    ("serving.", "serving: {}"),
    ("target.", "target: {}"),
    ("training.", "training: {}"),
    ("data.", "data: {}"),
)


def model_changes(
    base: Mapping[str, str], head: Mapping[str, str], plans: list[StackPlan], masker: Masker
) -> tuple[list[ModelChange], list[str]]:
    """What changes between two sets of model files (name -> TOML) and in the pipelines the plans carry.

    The second list says which files could not be read.
    """
    changes: list[ModelChange] = []
    problems: list[str] = []
    for name in sorted(base.keys() | head.keys()):
        try:
            old = tomllib.loads(base[name]) if name in base else None
            new = tomllib.loads(head[name]) if name in head else None
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            problems.append(masker.message(printable(f"model file {name}.toml: {error}")))
            continue
        changes += _file_changes(name, old, new, Reader(masker))
    changes += pipeline_changes(plans, masker) + image_changes(plans) + schedule_changes(plans, masker)
    return list(dict.fromkeys(changes)), problems


def _file_changes(
    name: str, old: dict[str, Any] | None, new: dict[str, Any] | None, reader: Reader
) -> Iterator[ModelChange]:
    name = printable(name)
    if old is None or new is None:
        what = "the model" if new is None else "new model"
        described = new if old is None else old
        task = shown(reader.tree((described or {}).get("task", "")))
        yield ModelChange(
            model=name, what=what, before="—" if old is None else task, after="removed" if new is None else task
        )
        return
    for path, change in fact_changes(name, flat(old), flat(new), reader):
        yield change.model_copy(update={"what": printable(words(path))})


def words(path: str) -> str:
    """A path of a model file as a person would say it."""
    for start, phrase in _WORDS:
        if path.startswith(start):
            return phrase.format(path.removeprefix(start).replace("_", " ").replace(".", " ")).strip()
    return path.replace("_", " ").replace(".", ": ", 1)
