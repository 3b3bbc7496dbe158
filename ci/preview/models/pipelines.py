"""What changes in the compiled pipelines and images that the plans carry, in words."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ci.preview.masking.patterns import is_pipeline_spec
from ci.preview.masking.printable import folded, printable
from ci.preview.masking.secrets import Masker
from ci.preview.masking.values import Reader, decoded
from ci.preview.models.facts import fact_changes, flat
from ci.preview.models.settings import Place
from ci.preview.report import ModelChange
from fonderie.terraform.plan import StackPlan

_IMAGE = re.compile(r"(?P<name>[a-z0-9][a-z0-9._-]{0,120})(?::[\w.-]{1,128})?@(?P<digest>sha256:[0-9a-f]{64})")
_DEEPEST = 30
CONFIGURATION = "config"  # the parameter that holds the model's settings as JSON (pipelines/training/pipeline.py)


@dataclass(frozen=True)
class Pair:
    """A pipeline of an environment, as base and as head compile it; None on the side where it is not."""

    environment: str
    name: str
    old: dict[str, Any] | None
    new: dict[str, Any] | None


def pairs(plans: list[StackPlan]) -> list[Pair]:
    """The compiled pipelines that the plans upload as bucket objects.

    An object is named by its content's hash, so a changed pipeline is one object gone and one new: they are paired by
    environment and by the pipeline's own name.
    """
    found = []
    for environment in sorted({plan.environment for plan in plans}):
        of_it = [plan for plan in plans if plan.environment == environment]
        before, after = _specs(of_it, new=False), _specs(of_it, new=True)
        found += [
            Pair(environment, key, before.get(key), after.get(key)) for key in sorted(before.keys() | after.keys())
        ]
    return found


def renewed(plans: list[StackPlan], found: list[Pair]) -> dict[int, str]:
    """The uploads that a new version of the same pipeline takes the place of, by the identity of the change."""
    new = {(pair.environment, pair.name) for pair in found if pair.new is not None}
    return {
        id(change): f"pipeline {printable(name)}"
        for plan in plans
        for change in plan.changes
        if change.action.loses
        for name, _ in _spec_of(change.before)
        if (plan.environment, name) in new
    }


def pipeline_changes(found: list[Pair], masker: Masker) -> list[ModelChange]:
    """What changes in the pipelines themselves: components, images, code, parameters, machines."""
    reader = Reader(masker)
    return [change for pair in found for change in _spec_changes(pair, reader)]


def configurations(found: list[Pair]) -> dict[str, list[tuple[Place, dict[str, Any], dict[str, Any]]]]:
    """By model: the configurations that its pipelines were and will be compiled with."""
    models: dict[str, list[tuple[Place, dict[str, Any], dict[str, Any]]]] = {}
    for pair in found:
        if pair.old is not None and pair.new is not None:
            old, new = _configuration(pair.old), _configuration(pair.new)
            if old and new:
                model = str(new.get("name"))
                place = (pair.environment, pair.name.removesuffix(f"-{model.replace('_', '-')}"))
                models.setdefault(model, []).append((place, old, new))
    return models


def _specs(plans: list[StackPlan], *, new: bool) -> dict[str, dict[str, Any]]:
    return {
        name: spec
        for plan in plans
        for change in plan.changes
        if change.changes
        for name, spec in _spec_of(change.after if new else change.before)
    }


def _spec_of(value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """The compiled pipeline that a bucket object or a workflow carries, with its name."""
    for text in (value.get("content"), value.get("source_contents")) if isinstance(value, dict) else ():
        # a second document holds what is only for Kubernetes
        spec = decoded(text.split("\n---\n")[0]) if isinstance(text, str) else None
        if isinstance(spec, dict) and is_pipeline_spec(spec) and isinstance(spec["pipelineInfo"], dict):
            yield str(spec["pipelineInfo"].get("name")), spec


def _spec_changes(pair: Pair, reader: Reader) -> Iterator[ModelChange]:
    name = printable(pair.name)
    if pair.old is None or pair.new is None:
        yield ModelChange(
            model=name,
            what="pipeline",
            before="—" if pair.old is None else "compiled",
            after="new" if pair.old is None else "removed",
            where=pair.environment,
        )
        return
    changes = fact_changes(name, described(pair.old), described(pair.new), reader, pair.environment)
    yield from (change for _, change in changes)


def described(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A compiled pipeline as facts a reviewer knows: components, images, code, parameters, machines.

    Source: the pipeline spec of Kubeflow Pipelines, `api/v2alpha1/pipeline_spec.proto`.
    """
    facts: dict[str, Any] = {}
    executors = _dict(_dict(spec.get("deploymentSpec")).get("executors"))
    for label, executor in executors.items():
        container = _dict(_dict(executor).get("container"))
        component = label.removeprefix("exec-")
        facts[f"image of {component}"] = container.get("image")
        facts[f"code of {component}"] = _code(container)
        for key, value in flat(_dict(container.get("resources"))).items():
            facts[f"machine of {component}: {key}"] = value
    root = _dict(spec.get("root"))
    settings = _configuration(spec)
    for name, value in _defaults(spec).items():
        if not (settings and name == CONFIGURATION):
            facts.update(_opened(f"parameter {name}", value))
    for name, task in _dict(_dict(root.get("dag")).get("tasks")).items():
        facts[f"task {name} waits for"] = sorted(_list(_dict(task).get("dependentTasks")))
        facts[f"task {name} is cached"] = _dict(_dict(task).get("cachingOptions")).get("enableCache", False)
        for key, value in flat(_dict(_dict(_dict(task).get("inputs")).get("parameters"))).items():
            if key.endswith(("runtimeValue.constant", "runtimeValue.constantValue")):
                facts.update(_opened(f"{name}: {key.split('.')[0]}", value))
    return {key: value for key, value in facts.items() if value is not None}


def _opened(name: str, value: object) -> dict[str, Any]:
    """A parameter; one that holds a JSON object by its keys, so that only those that differ are told."""
    document = decoded(value) if isinstance(value, str) and value.lstrip()[:1] == "{" else value
    return flat(document, f"{name}: ") if isinstance(document, dict) and document else {name: value}


def _defaults(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A pipeline's parameters and their defaults."""
    parameters = _dict(_dict(_dict(spec.get("root")).get("inputDefinitions")).get("parameters"))
    return {name: _dict(parameter).get("defaultValue") for name, parameter in parameters.items()}


def _configuration(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The model's settings that a pipeline is compiled with; nothing for a pipeline that has none."""
    value = _defaults(spec).get(CONFIGURATION)
    found = decoded(value) if isinstance(value, str) else None
    return found if isinstance(found, dict) and "name" in found else {}


def _code(container: Mapping[str, Any]) -> str:
    """A short name for the code a component runs; which lines changed is in the stack's details."""
    text = repr((container.get("command"), container.get("args")))
    return folded(f"{len(text):,} characters, {_fingerprint(text)}")


def _fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:10]


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def image_changes(plans: list[StackPlan]) -> list[ModelChange]:
    """Container images whose digest moves, by the image's name, wherever in the changed resources they stand."""
    found = []
    for environment in sorted({plan.environment for plan in plans}):
        before, after = (_images(plans, environment, new=new) for new in (False, True))
        for name in sorted(before.keys() & after.keys()):
            gone, come = before[name] - after[name], after[name] - before[name]
            if gone and come:
                old, new = (", ".join(f"{digest[:19]}…" for digest in sorted(digests)) for digests in (gone, come))
                found.append(ModelChange(model=name, what="container image", before=old, after=new, where=environment))
    return found


def _images(plans: list[StackPlan], environment: str, *, new: bool) -> dict[str, set[str]]:
    images: dict[str, set[str]] = {}
    for plan in plans:
        for change in plan.changes:
            if plan.environment == environment and change.changes:
                for text in _texts(change.after if new else change.before, 0):
                    for match in _IMAGE.finditer(text) if "@sha256:" in text else ():
                        images.setdefault(match["name"], set()).add(match["digest"])
    return images


def _texts(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list) and depth < _DEEPEST:
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item, depth + 1)
