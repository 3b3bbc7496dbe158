"""States on the wire: msgpack as Terraform writes it (unknown values are extension type 0), and JSON of old states."""

from __future__ import annotations

import json
from typing import Any

import msgpack

from fonderie.sandbox.lifecycle.interface import UNKNOWN, State
from fonderie.sandbox.provider.schema import Block, CtyType

_UNKNOWN_CODES = (0, 12)  # 12 carries refinements ("not null", a prefix), which the sandbox has no use for
_UNKNOWN = msgpack.ExtType(0, b"\0")


def _extension(code: int, data: bytes) -> Any:
    return UNKNOWN if code in _UNKNOWN_CODES else msgpack.ExtType(code, data)


def _number(value: Any) -> Any:
    if isinstance(value, str):
        value = float(value) if any(mark in value for mark in ".eE") else int(value)
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


def conform(value: Any, type: CtyType) -> Any:
    """`value` in the shape of `type`: numbers as int or float, every attribute of an object there, others dropped."""
    if value is None or value is UNKNOWN:
        return value
    if isinstance(type, str):
        return _number(value) if type == "number" else value
    match type:
        case ["list" | "set", inner]:
            return [conform(one, inner) for one in value]
        case ["map", inner]:
            return {key: conform(one, inner) for key, one in value.items()}
        case ["object", inner]:
            return {key: conform(value.get(key), kind) for key, kind in inner.items()}
        case ["tuple", inner]:
            return [conform(one, kind) for one, kind in zip(value, inner, strict=True)]
    return value


_SCALARS: dict[str, tuple[Any, ...]] = {"bool": (bool,), "number": (int, float), "string": (str,)}


def misfit(value: Any, type: CtyType, at: str) -> str:
    """Why `value` cannot be of `type`, with the path of what is wrong; empty if it can."""
    if value is None or type == "dynamic":
        return ""
    if isinstance(type, str):
        fits = isinstance(value, _SCALARS[type]) and (type == "bool" or not isinstance(value, bool))
        return "" if fits else f"{at} is a {type}, which {json.dumps(value)} is not"
    match type:
        case ["list" | "set", inner]:
            if not isinstance(value, list):
                return f"{at} is a list, which {json.dumps(value)} is not"
            inside = ((one, inner, f"{at}.{number}") for number, one in enumerate(value))
        case ["map", inner]:
            if not isinstance(value, dict):
                return f"{at} is a map, which {json.dumps(value)} is not"
            inside = ((one, inner, f"{at}.{key}") for key, one in value.items())
        case _:
            if not isinstance(value, dict):
                return f"{at} is a block, which {json.dumps(value)} is not"
            inside = ((value.get(key), kind, f"{at}.{key}") for key, kind in type[1].items())
    return next(filter(None, (misfit(*one) for one in inside)), "")


def decode(data: bytes, block: Block) -> State | None:
    """A state from msgpack; None for null."""
    raw = msgpack.unpackb(data, raw=False, ext_hook=_extension, strict_map_key=False) if data else None
    state: State | None = conform(raw, block.type)
    return state


def encode(state: State | None, block: Block) -> bytes:
    """A state as msgpack; attributes it lacks are null."""
    packed: bytes = msgpack.packb(conform(state, block.type), use_bin_type=True, default=_pack_unknown)
    return packed


def decode_json(data: bytes, block: Block) -> State | None:
    """A state as Terraform stores it: JSON. What the schema no longer has is dropped."""
    state: State | None = conform(json.loads(data), block.type)
    return state


def _pack_unknown(value: object) -> msgpack.ExtType:
    if value is UNKNOWN:
        return _UNKNOWN
    raise TypeError(f"{type(value).__name__} has no place in a state")
