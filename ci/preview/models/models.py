"""What changes about the models, in words: from their TOML files and from the compiled pipelines, base against head."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

from ci.preview.masking.printable import printable
from ci.preview.masking.secrets import Masker
from ci.preview.masking.values import Reader, shown
from ci.preview.models.facts import ABSENT, fact_change
from ci.preview.models.pipelines import Pair, configurations, image_changes, pipeline_changes
from ci.preview.models.schedules import schedule_changes
from ci.preview.models.settings import Setting, in_file, in_pipelines, told_once
from ci.preview.report import ModelChange
from fonderie.terraform.plan import StackPlan
from ml.monitoring.measures import MEASURES

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
    *((f"drift.{measure.key}", measure.words) for measure in MEASURES),
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
    base: Mapping[str, str], head: Mapping[str, str], plans: list[StackPlan], compiled: list[Pair], masker: Masker
) -> tuple[list[ModelChange], list[str]]:
    """What changes between two sets of model files (name -> TOML) and in the pipelines the plans carry.

    The second list says which files could not be read.
    """
    changes: list[ModelChange] = []
    problems: list[str] = []
    reader = Reader(masker)
    configured = configurations(compiled)
    for name in sorted(base.keys() | head.keys() | configured.keys()):
        carried = in_pipelines(configured.get(name, ()))
        try:
            old = tomllib.loads(base[name]) if name in base else None
            new = tomllib.loads(head[name]) if name in head else None
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            problems.append(masker.text(printable(f"model file {name}.toml: {error}")))
            old = new = {}
        if (old is None) != (new is None):
            changes.append(_come_or_gone(name, old, new, reader))
        else:
            changes += [_row(name, one, reader) for one in told_once(in_file(old or {}, new or {}), carried)]
    changes += pipeline_changes(compiled, masker) + image_changes(plans) + schedule_changes(plans, masker)
    return list(dict.fromkeys(changes)), problems


def _come_or_gone(name: str, old: dict[str, Any] | None, new: dict[str, Any] | None, reader: Reader) -> ModelChange:
    what = "the model" if new is None else "new model"
    task = shown(reader.tree((new or old or {}).get("task", "")))
    before, after = ("—", task) if old is None else (task, "removed")
    return ModelChange(model=printable(name), what=what, before=before, after=after)


def _looser(path: str, before: object, after: object) -> str:
    """An alarm when a limit lets more through: a gate that is easier to pass, a drift that is heard later or never.

    `min_gain` and `floor`: less is looser for the gain; which way a metric points is not known here, so that any change
    of a floor or a ceiling counts.
    """
    if path.startswith("gate.") and before is not ABSENT:
        if path in ("gate.metric", "gate.floor", "gate.ceiling"):
            return "another judgement of what is good"
        down = path == "gate.min_gain"
    elif path.startswith("drift.") and before is not ABSENT:
        down = False
    else:
        return ""
    if after in (ABSENT, None):
        return "" if before is None else "the limit goes"
    numbers = [value for value in (before, after) if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) < 2 or numbers[0] == numbers[1] or (numbers[1] < numbers[0]) != down:
        return ""
    return "LOOSENS the gate" if path.startswith("gate.") else "drift is noticed LATER or never"


def _row(name: str, setting: Setting, reader: Reader) -> ModelChange:
    row = fact_change(printable(name), setting.path, setting.before, setting.after, reader, setting.where)
    before, after = (
        f"{text} (default)" if default and value is not ABSENT else text
        for text, default, value in zip(
            (row.before, row.after), setting.defaults, (setting.before, setting.after), strict=True
        )
    )
    alarm = _looser(setting.path, setting.before, setting.after)
    told = {"what": printable(words(setting.path)), "before": before, "after": after, "alarm": alarm}
    return row.model_copy(update=told)


def words(path: str) -> str:
    """A path of a model file as a person would say it."""
    for start, phrase in _WORDS:
        if path.startswith(start):
            return phrase.format(path.removeprefix(start).replace("_", " ").replace(".", ": ")).strip()
    return path.replace("_", " ").replace(".", ": ", 1)
