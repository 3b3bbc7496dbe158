"""The provider's schema, from the JSON layout of `terraform providers schema -json`; types are parsed when used."""

from __future__ import annotations

import builtins
import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

from fonderie.core.errors import BadInputError
from fonderie.sandbox.lifecycle.interface import State

CtyType = Any
"""Terraform's type as JSON: "string", "number", "bool", "dynamic", ["list", T], ["set", T], ["map", T],
["object", {name: T}], ["tuple", [T, ...]]."""


class Nesting(StrEnum):
    """How a block repeats."""

    SINGLE = "single"
    GROUP = "group"
    LIST = "list"
    SET = "set"
    MAP = "map"


@dataclass(frozen=True)
class Attribute:
    """One attribute of a block."""

    name: str
    type: CtyType
    required: bool = False
    optional: bool = False
    computed: bool = False
    sensitive: bool = False
    write_only: bool = False
    deprecated: bool = False


@dataclass(frozen=True)
class NestedBlock:
    """A block within a block; `max_items` 0 means any number."""

    name: str
    nesting: Nesting
    block: Block
    min_items: int = 0
    max_items: int = 0


@dataclass(frozen=True)
class Block:
    """Attributes and nested blocks by their names."""

    attributes: Mapping[str, Attribute]
    blocks: Mapping[str, NestedBlock]
    deprecated: bool = False

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Block:
        """A block from its JSON."""
        flags = ("required", "optional", "computed", "sensitive", "write_only", "deprecated")
        attributes = {
            name: Attribute(name, _type(one), **{flag: one[flag] for flag in flags if flag in one})
            for name, one in raw.get("attributes", {}).items()
        }
        blocks = {
            name: NestedBlock(
                name,
                Nesting(one["nesting_mode"]),
                cls.of(one.get("block", {})),
                one.get("min_items", 0),
                one.get("max_items", 0),
            )
            for name, one in raw.get("block_types", {}).items()
        }
        return cls(attributes, blocks, bool(raw.get("deprecated")))

    @cached_property
    def type(self) -> CtyType:
        """The object type of the block's values."""
        kinds = {name: attribute.type for name, attribute in self.attributes.items()}
        for name, nested in self.blocks.items():
            single = nested.nesting in (Nesting.SINGLE, Nesting.GROUP)
            kinds[name] = nested.block.type if single else [nested.nesting.value, nested.block.type]
        return ["object", kinds]

    def empty(self) -> State:
        """A state of this block with nothing in it: null attributes, no blocks."""
        nothing: State = dict.fromkeys(self.attributes)
        for name, nested in self.blocks.items():
            nothing[name] = [] if nested.nesting in (Nesting.LIST, Nesting.SET) else None
        return nothing


@dataclass(frozen=True)
class ResourceSchema:
    """A resource type or a data source."""

    name: str
    version: int
    block: Block


@dataclass
class ProviderSchema:
    """A whole provider: its own block, resource types, data sources."""

    source: str
    raw: Mapping[str, Any]
    _parsed: dict[tuple[str, str], ResourceSchema] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> ProviderSchema:
        """Read a schema file (`.gz` too). Raises BadInputError when it is not one."""
        try:
            text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            (raw,) = json.loads(text)["provider_schemas"].values()
        except OSError as problem:
            raise BadInputError(f"the schema cannot be read: {problem.strerror or problem}", where=path) from problem
        except (ValueError, KeyError, TypeError, AttributeError) as problem:
            raise BadInputError(
                "this is not a provider's schema",
                where=path,
                hint="give the output of `terraform providers schema -json` for one provider",
            ) from problem
        return cls(str(path), raw)

    @property
    def types(self) -> list[str]:
        """Resource types, sorted."""
        return sorted(self.raw.get("resource_schemas", {}))

    @property
    def data_sources(self) -> list[str]:
        """Data sources, sorted."""
        return sorted(self.raw.get("data_source_schemas", {}))

    @property
    def provider(self) -> ResourceSchema:
        """The provider block."""
        return self._of("provider", "provider", {"provider": self.raw.get("provider", {"block": {}})})

    def resource(self, type: str) -> ResourceSchema:
        """A resource type. Raises BadInputError for one the schema has not."""
        return self._of("resource type", type, self.raw.get("resource_schemas", {}))

    def data_source(self, type: str) -> ResourceSchema:
        """A data source. Raises BadInputError for one the schema has not."""
        return self._of("data source", type, self.raw.get("data_source_schemas", {}))

    def paths(self, type: str) -> list[str]:
        """The paths of all attributes and blocks of a resource type, without parsing it. Raises BadInputError when it
        is malformed."""
        try:
            return list(_paths(self.raw["resource_schemas"][type].get("block", {})))
        except (KeyError, TypeError, AttributeError) as problem:
            raise self._malformed("resource type", type, problem) from problem

    def _malformed(self, what: str, name: str, problem: Exception) -> BadInputError:
        return BadInputError(
            f"the schema of {what} {name} is malformed: {builtins.type(problem).__name__} {problem}",
            where=self.source,
            hint="give the output of `terraform providers schema -json`",
        )

    def _of(self, what: str, name: str, among: Mapping[str, Any]) -> ResourceSchema:
        if (what, name) not in self._parsed:
            if name not in among:
                raise BadInputError(
                    f"the schema has no {what} {name}", where=self.source, hint="is the name spelt as in Terraform?"
                )
            try:
                block = Block.of(among[name].get("block", {}))
                self._parsed[what, name] = ResourceSchema(name, among[name].get("version", 0), block)
            except (KeyError, ValueError, TypeError, AttributeError) as problem:
                raise self._malformed(what, name, problem) from problem
        return self._parsed[what, name]


def _type(raw: Mapping[str, Any]) -> CtyType:
    """An attribute's type; attributes nested in one (protocol 6) make an object type of it."""
    if "nested_type" not in raw:
        return raw["type"]
    inner: CtyType = ["object", {name: _type(one) for name, one in raw["nested_type"]["attributes"].items()}]
    nesting = raw["nested_type"].get("nesting_mode", "single")
    return inner if nesting == "single" else [nesting, inner]


def _paths(block: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Every attribute and block of a schema's JSON with its path (`a.b.c`, no indexes), as the facts name them."""
    for name in block.get("attributes", {}):
        yield f"{prefix}{name}"
    for name, nested in block.get("block_types", {}).items():
        yield f"{prefix}{name}"
        yield from _paths(nested.get("block", {}), f"{prefix}{name}.")
