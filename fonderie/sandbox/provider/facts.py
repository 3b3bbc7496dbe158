"""What is known of a provider beyond its schema: facts of attributes, id templates and behaviours after the plan.

The keys of the files are explained in docs/sandbox.md; this folder holds those of hashicorp/google 7.45.0.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from fonderie.core.errors import BadInputError
from fonderie.sandbox.provider.schema import ProviderSchema

PROVIDER = Path(__file__).parent
VERSION = "7.45.0"
FACTS_FILE = PROVIDER / f"facts@{VERSION}.json"
BEHAVIOURS_FILE = PROVIDER / "behaviours.json"
ID_TEMPLATES_FILE = PROVIDER / "id_templates.json"


@dataclass(frozen=True)
class Values:
    """What probing showed of a validator. `None` and empty mean that nothing was seen of that kind."""

    enum: Sequence[Any] | None = None
    ignore_case: bool = False
    pattern: str | None = None
    range: tuple[float, float] | None = None
    min: float | None = None
    length: tuple[int, int] | None = None  # -1: no upper end
    accepted: Sequence[str] = ()
    rejected: Sequence[str] = ()

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Values:
        """From the key `vp` or `evp`."""
        return cls(
            enum=raw.get("enum_ci", raw.get("enum")),
            ignore_case="enum_ci" in raw,
            pattern=raw.get("re"),
            range=tuple(raw["range"]) if "range" in raw else None,
            min=raw.get("min"),
            length=tuple(raw["len"]) if "len" in raw else None,
            accepted=raw.get("acc") or (),
            rejected=raw.get("rej") or (),
        )


@dataclass(frozen=True)
class Fact:
    """An attribute or block of a resource type, by its path (`a.b.c`)."""

    kind: str  # "string", "list<block>", "set<string>", "map<string>", ...
    required: bool = False
    optional: bool = False
    computed: bool = False
    force_new: bool = False
    default: Any = None
    max_items: int = 0
    min_items: int = 0
    conflicts_with: Sequence[str] = ()
    exactly_one_of: Sequence[str] = ()
    at_least_one_of: Sequence[str] = ()
    required_with: Sequence[str] = ()
    suppresses: bool = False
    suppressed: Sequence[str] = ()  # names of the probe pairs that were called equal
    elements_suppress: bool = False
    elements_suppressed: Sequence[str] = ()
    validates: bool = False
    values: Values = field(default_factory=Values)
    elements_validate: bool = False
    element_values: Values = field(default_factory=Values)
    normalises: bool = False
    normalised: Mapping[str, str] = field(default_factory=dict)  # probe -> what state kept of it
    elements_normalise: bool = False
    elements_normalised: Mapping[str, str] = field(default_factory=dict)
    own_hash: bool = False
    sensitive: bool = False
    write_only: bool = False
    deprecated: bool = False
    modifiers: Sequence[str] = ()  # of a framework resource

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Fact:
        """From its JSON."""
        return cls(
            kind=raw.get("t", "string"),
            required=bool(raw.get("r")),
            optional=bool(raw.get("o")),
            computed=bool(raw.get("c")),
            force_new=bool(raw.get("fn")),
            default=raw.get("d"),
            max_items=raw.get("max", 0),
            min_items=raw.get("min", 0),
            conflicts_with=raw.get("cw", ()),
            exactly_one_of=raw.get("xo", ()),
            at_least_one_of=raw.get("ao", ()),
            required_with=raw.get("rw", ()),
            suppresses=bool(raw.get("supp")),
            suppressed=raw.get("suppp", ()),
            elements_suppress=bool(raw.get("esupp")),
            elements_suppressed=raw.get("esuppp", ()),
            validates=bool(raw.get("v")),
            values=Values.of(raw.get("vp", {})),
            elements_validate=bool(raw.get("ev")),
            element_values=Values.of(raw.get("evp", {})),
            normalises=bool(raw.get("statef")),
            normalised=raw.get("statefp", {}),
            elements_normalise=bool(raw.get("estatef")),
            elements_normalised=raw.get("estatefp", {}),
            own_hash=bool(raw.get("setf")),
            sensitive=bool(raw.get("sens")),
            write_only=bool(raw.get("wo")),
            deprecated=bool(raw.get("dep")),
            modifiers=raw.get("pm", ()),
        )


@dataclass(frozen=True)
class TypeFacts:
    """A resource type: its attributes by path, and whether it updates, deletes, imports."""

    name: str
    attributes: Mapping[str, Fact]
    meta: Mapping[str, Any]
    framework: bool = False

    @property
    def updates(self) -> bool:
        """Whether the type can change in place."""
        return bool(self.meta.get("update"))

    @property
    def imports(self) -> bool:
        """Whether the type can be imported."""
        return bool(self.meta.get("import"))

    @cached_property
    def import_formats(self) -> Sequence[str]:
        """Id forms, such as `projects/{{project}}/topics/{{name}}`."""
        formats: Sequence[str] = self.meta.get("import_formats", ())
        return formats


@dataclass
class Facts:
    """A provider's facts; a type is parsed when first asked for."""

    source: str
    raw: Mapping[str, Any]
    behaviours: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    id_templates: Mapping[str, str] = field(default_factory=dict)
    _parsed: dict[str, TypeFacts] = field(default_factory=dict)

    @classmethod
    def load(
        cls, facts: Path = FACTS_FILE, behaviours: Path = BEHAVIOURS_FILE, id_templates: Path = ID_TEMPLATES_FILE
    ) -> Facts:
        """Read the three files. Raises BadInputError for a file that is not there or not of their form."""
        raw = _read(facts)
        if not isinstance(raw.get("types"), dict):
            raise BadInputError("this is not a facts file: it has no `types`", where=facts)
        return cls(str(facts), raw, _read(behaviours), _read(id_templates))

    @property
    def types(self) -> list[str]:
        """Resource types, sorted."""
        return sorted(self.raw["types"])

    def type(self, name: str) -> TypeFacts:
        """The facts of a resource type. Raises BadInputError for one that is not in the file."""
        if name not in self._parsed:
            if name not in self.raw["types"]:
                raise BadInputError(
                    f"the facts have no resource type {name}",
                    where=self.source,
                    hint="schema and facts must be of the same provider version",
                )
            try:
                one = self.raw["types"][name]
                attributes = {path: Fact.of(raw) for path, raw in one.get("attrs", {}).items()}
                meta = one.get("meta", {})
                self._parsed[name] = TypeFacts(name, attributes, meta, bool(meta.get("framework")))
            except (ValueError, TypeError, AttributeError) as problem:
                raise BadInputError(
                    f"the facts of {name} are malformed: {problem}",
                    where=self.source,
                    hint="docs/sandbox.md explains their keys",
                ) from problem
        return self._parsed[name]

    def paths(self, name: str) -> Collection[str]:
        """The paths that the facts know of a resource type, without parsing it. Raises BadInputError as `type` does."""
        raw = self.raw["types"].get(name)
        attributes = raw.get("attrs") if isinstance(raw, dict) else None
        return attributes.keys() if isinstance(attributes, dict) else self.type(name).attributes.keys()

    def provider(self) -> TypeFacts:
        """The facts of the provider block."""
        blocks = self.raw.get("provider_block") or {}
        attributes = {path: Fact.of(one) for raw in blocks.values() for path, one in raw.items()}
        return TypeFacts("provider", attributes, {})

    def data_source(self, name: str) -> TypeFacts:
        """The facts of a data source; without any when it is not in the file, as most are."""
        raw = (self.raw.get("data_sources") or {}).get(name, {})
        return TypeFacts(name, {path: Fact.of(one) for path, one in raw.items()}, {})

    def behaviour(self, name: str) -> Mapping[str, Any]:
        """What is known of a type after the plan; empty when nothing was recorded."""
        return self.behaviours.get(name, {})

    def id_template(self, name: str) -> str | None:
        """How a type's `id` is made of its attributes; None when that was not recorded."""
        return self.id_templates.get(name)


def check(schema: ProviderSchema, facts: Facts) -> None:
    """Hold schema against facts. Raises BadInputError where the schema has a type or attribute the facts know not."""
    for name in schema.types:
        known = facts.paths(name)
        unknown = [
            path
            for path in schema.paths(name)
            if path not in known and path != "id" and path.split(".")[0] != "timeouts"
        ]
        if unknown:
            raise BadInputError(
                f"the schema's {name} has {unknown[0]}, which the facts do not describe",
                where=facts.source,
                hint="schema and facts must be of the same provider version",
            )


def _read(path: Path) -> dict[str, Any]:
    try:
        raw = json.loads(path.read_bytes())
    except OSError as problem:
        raise BadInputError(f"the file cannot be read: {problem.strerror or problem}", where=path) from problem
    except ValueError as problem:
        raise BadInputError(f"the file is not JSON: {problem}", where=path) from problem
    if not isinstance(raw, dict):
        raise BadInputError("not a JSON object", where=path)
    return raw
