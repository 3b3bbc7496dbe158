"""Who refers to whom, as a plan's configuration and state tell it: address -> attribute -> addresses, without keys.

Source: "JSON Output Format" of Terraform's documentation, "Expression representation".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Expressions = Mapping[str, Mapping[str, frozenset[str]]]
ORDER = ""  # stands for `depends_on`, where other references have their attribute
_KEY = re.compile(r'\[(?:\d+|"(?:[^"\\]|\\.)*")\]')
_DEEPEST = 60


def without_keys(address: str) -> str:
    """`module.gke["a"].google_container_cluster.main[0]` -> `module.gke.google_container_cluster.main`."""
    return _KEY.sub("", address) if "[" in address else address


def keys_of(address: str) -> tuple[str, ...]:
    """The keys of the instances that an address names, outermost first."""
    return tuple(_KEY.findall(address)) if "[" in address else ()


def all_expressions(configuration: Mapping[str, Any], prior_state: Mapping[str, Any]) -> Expressions:
    """Of the configuration and, for what is not in it any more, of the state."""
    found: dict[str, Mapping[str, frozenset[str]]] = {}
    for address, depends_on in _remembered(part(prior_state, "values", "root_module"), 0):
        found[without_keys(address)] = {ORDER: depends_on}
    found.update(_configured(part(configuration, "root_module"), "", 0))
    return found


def all_arguments(configuration: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Address without keys -> what the configuration sets there, as expressions."""
    return dict(_arguments(part(configuration, "root_module"), "", 0))


def gives_zero(expression: Any, path: Sequence[str | int], *, constant: bool = False) -> bool:
    """Whether the configuration gives null's counterpart (0, false, "", an empty list) at `path`, or may do so.

    An index says nothing: the blocks of a set have no order. What is not a constant may be anything.
    """
    path = [step for step in path if isinstance(step, str)]
    if not constant and isinstance(expression, dict):
        if isinstance(expression.get("references"), list):
            return True
        if "constant_value" in expression:
            return gives_zero(expression["constant_value"], path, constant=True)
    if not path:
        return constant and is_zero(expression)
    if isinstance(expression, list):
        return any(gives_zero(item, path, constant=constant) for item in expression)
    if not isinstance(expression, dict) or path[0] not in expression:
        return False
    return gives_zero(expression[path[0]], path[1:], constant=constant)


def is_zero(value: Any) -> bool:
    """Whether a value is the zero value of its type: 0, false, "", an empty list or object."""
    return value == 0 or value in ("", [], {})


def resources_in(state: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(type, values) of every resource of a state, down the modules."""
    for resource in _resources(state):
        yield str(resource.get("type")), part(resource, "values")


def referred(expressions: Expressions, address: str) -> frozenset[str]:
    """Everything that a resource refers to."""
    return frozenset().union(*expressions.get(without_keys(address), {}).values())


def part(value: Any, *keys: str) -> dict[str, Any]:
    """The object at a path of keys; an empty one when there is none."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def texts(value: Any, depth: int = 0) -> Iterator[str]:
    """Every text in a value, numbers as they are written; no booleans, and nothing nested beyond reason."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)
    elif isinstance(value, dict | list) and depth < _DEEPEST:
        for item in value.values() if isinstance(value, dict) else value:
            yield from texts(item, depth + 1)


def masked(state: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    """Values of a state, each with its mask: outputs, and resources down the modules."""
    for output in part(state, "outputs").values():
        if isinstance(output, dict):
            yield output.get("value"), output.get("sensitive")
    for resource in _resources(state):
        yield resource.get("values"), resource.get("sensitive_values")


def _resources(state: dict[str, Any]) -> Iterator[dict[str, Any]]:
    modules = [part(state, "root_module")]
    while modules:
        module = modules.pop()
        modules += [child for child in _listed(module.get("child_modules")) if isinstance(child, dict)]
        yield from (resource for resource in _listed(module.get("resources")) if isinstance(resource, dict))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _texts(value: Any) -> list[str]:
    return [item for item in _listed(value) if isinstance(item, str)]


def _remembered(module: dict[str, Any], depth: int) -> Iterator[tuple[str, frozenset[str]]]:
    for resource in _listed(module.get("resources")):
        if isinstance(resource, dict):
            yield str(resource.get("address")), frozenset(_texts(resource.get("depends_on")))
    for child in _listed(module.get("child_modules")) if depth < _DEEPEST else ():
        if isinstance(child, dict):
            yield from _remembered(child, depth + 1)


def _configured(module: dict[str, Any], prefix: str, depth: int) -> Iterator[tuple[str, dict[str, frozenset[str]]]]:
    """Address -> attribute -> addresses its expressions name, down the modules."""
    for resource in _listed(module.get("resources")):
        if isinstance(resource, dict):
            named = {key: set(_named(value, 0)) for key, value in part(resource, "expressions").items()}
            named[ORDER] = {_base(name) for name in _texts(resource.get("depends_on"))}
            yield (
                f"{prefix}{resource.get('address')}",
                {key: frozenset(f"{prefix}{name}" for name in names) for key, names in named.items()},
            )
    for name, call in part(module, "module_calls").items() if depth < _DEEPEST else ():
        yield from _configured(part(call, "module"), f"{prefix}module.{name}.", depth + 1)


def _arguments(module: dict[str, Any], prefix: str, depth: int) -> Iterator[tuple[str, dict[str, Any]]]:
    for resource in _listed(module.get("resources")):
        if isinstance(resource, dict):
            yield f"{prefix}{resource.get('address')}", part(resource, "expressions")
    for name, call in part(module, "module_calls").items() if depth < _DEEPEST else ():
        yield from _arguments(part(call, "module"), f"{prefix}module.{name}.", depth + 1)


def _named(expression: Any, depth: int) -> Iterator[str]:
    if isinstance(expression, dict) and depth < _DEEPEST:
        yield from (_base(name) for name in _texts(expression.get("references")))
        for key, value in expression.items():
            if key != "references":
                yield from _named(value, depth + 1)
    elif isinstance(expression, list) and depth < _DEEPEST:
        for value in expression:
            yield from _named(value, depth + 1)


def _base(name: str) -> str:
    """`google_storage_bucket.raw["x"].id` -> `google_storage_bucket.raw`."""
    return ".".join(without_keys(name).split(".")[:2])
