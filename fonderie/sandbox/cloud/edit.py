"""Changes outside Terraform: edit an object of a cloud, as a person at a console would."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Sequence
from typing import Any

from fonderie.core.errors import BadInputError
from fonderie.sandbox.cloud.cloud import Cloud, Thing
from fonderie.sandbox.protocol.wire import misfit
from fonderie.sandbox.provider.schema import Schema

_LABELS = ("labels", "resource_labels", "user_labels", "terraform_labels")


def edit(cloud: Cloud, thing: Thing, changes: Sequence[str], schema: Schema) -> None:
    """Set attributes: `display_name=x`, `labels.env=prod`, `versioning.0.enabled=false`; `null` removes.

    Names may be those of Google's API (`displayName`). Raises BadInputError for what is not there, and for a value
    that the attribute cannot hold (of types that the schema has).
    """
    attributes = copy.deepcopy(thing.attributes)
    kinds = schema.resource(thing.type).block.type[1] if thing.type in schema.types else {}
    for change in changes:
        path, equals, value = change.partition("=")
        if not equals:
            raise BadInputError(f"{change!r} has no value", hint="write ATTRIBUTE=VALUE")
        first, *inner = _parts(attributes, path)
        _set(attributes, [first, *inner], _value(value), path)
        if problem := misfit(attributes[first], kinds.get(first, "dynamic"), first):
            raise BadInputError(problem, where=thing.path, hint="`fonderie sandbox show` has its attributes")
    with cloud.transaction():
        cloud.change(thing.type, thing.path, attributes)


def _parts(attributes: dict[str, Any], path: str) -> list[str]:
    words = path.split(".")
    first = words[0] if words[0] in attributes else _snake(words[0])
    if first in _LABELS and "effective_labels" in attributes:
        return ["effective_labels", *words[1:]]
    return [first, *words[1:]]


def _set(value: Any, parts: list[str], new: Any, path: str) -> None:
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if isinstance(value, list):
            if not part.isdigit() or int(part) >= len(value):
                if len(value) != 1 or part.isdigit():
                    raise BadInputError(f"no element {part!r} in a list of {len(value)}", where=path)
                value = value[0]
            else:
                if last:
                    value[int(part)] = new
                    return
                value = value[int(part)]
                continue
        name = part if index and part in value else next((one for one in (part, _snake(part)) if one in value), part)
        if last:
            if index == 0 and name not in value:
                raise BadInputError(f"the object has no attribute {name}", where=path)
            if new is None and index:
                value.pop(name, None)
            else:
                value[name] = new
            return
        if not isinstance(value.get(name), dict | list):
            raise BadInputError(f"{name} has no nested attributes", where=path)
        value = value[name]


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda match: "_" + match[1].lower(), name)


def _value(written: str) -> Any:
    try:
        return json.loads(written)
    except ValueError:
        return written
