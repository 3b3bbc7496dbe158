"""How Google names things: a resource's Terraform `id`, its canonical path in the cloud, its API.

Templates come from the recorded id templates, from the import formats among the facts, and, where neither says it,
from `fonderie/sandbox/provider/names.json`. Paths have project ids, never numbers, and no host.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any
from urllib.parse import quote, unquote

from fonderie.sandbox.lifecycle.interface import UNKNOWN, ProviderConfig, State
from fonderie.sandbox.provider.facts import PROVIDER, Facts

NAMES_FILE = PROVIDER / "names.json"
_PLACEHOLDER = re.compile(r"\{(\w+)(\|url)?\}")
_GROUP = re.compile(r"\(\?P<(\w+)>[^()]*\)")
_HOST = re.compile(r"^(?:https?:)?//(?:[\w.-]+\.)?googleapis\.com/(?:compute/)?(?:v\d\w*/)?")
_GLOBAL = ("google_storage_", "google_billing_")


@cache
def written_names() -> dict[str, Any]:
    """What `names.json` holds."""
    names: dict[str, Any] = json.loads(NAMES_FILE.read_bytes())
    return names


def api_of(type: str) -> tuple[str, str]:
    """The service (`pubsub.googleapis.com`) and title of the API that a type belongs to: the longest prefix counts."""
    apis = written_names()["apis"]
    words = type.split("_")
    for length in range(len(words), 1, -1):
        if (prefix := "_".join(words[:length])) in apis:
            service, title = apis[prefix]
            return f"{service}.googleapis.com", title
    service = words[1] if len(words) > 1 else type
    return f"{service}.googleapis.com", f"{service.capitalize()} API"


def prefix_and_noun(type: str) -> tuple[str, str]:
    """`google_pubsub` and `topic` for `google_pubsub_topic`: the part that names the API, and what is left."""
    apis = written_names()["apis"]
    words = type.split("_")
    for length in range(len(words) - 1, 1, -1):
        if (prefix := "_".join(words[:length])) in apis and prefix not in ("google_service", "google_project"):
            return prefix, "_".join(words[length:])
    return "google", type.removeprefix("google_")


def iam_parent(type: str) -> str | None:
    """`google_pubsub_topic` for `google_pubsub_topic_iam_member`; None for a type that is not part of a policy."""
    for ending in ("_iam_member", "_iam_binding", "_iam_policy", "_iam_audit_config"):
        if type.endswith(ending):
            return type.removesuffix(ending)
    return None


@dataclass
class Names:
    """The templates of one provider's types."""

    facts: Facts
    number_of: Callable[[str], int]
    project_of: Callable[[int], str | None]
    _paths: dict[str, str] = field(default_factory=dict)

    def id_template(self, type: str) -> str:
        """How `id` is made."""
        written = self.facts.id_template(type) or written_names()["ids"].get(type)
        if written:
            return str(written)
        formats = [form for form in self.facts.type(type).import_formats if "(?P<" in form]
        if formats:
            return _GROUP.sub(r"{\1}", formats[0].removeprefix("^").removesuffix("$"))
        return f"projects/{{project}}/{type.removeprefix('google_')}/{{name}}"

    def path_template(self, type: str) -> str:
        """How the canonical path is made; nearly always as `id` is."""
        if type not in self._paths:
            self._paths[type] = written_names()["paths"].get(type) or self.id_template(type)
        return self._paths[type]

    def canonical(self, path: str) -> str:
        """`path` without a host, with the project's id in the place of its number."""
        path = _HOST.sub("", path)
        if match := re.match(r"projects/(\d+)(/.*)?$", path):
            project = self.project_of(int(match[1]))
            return f"projects/{project}{match[2] or ''}" if project else path
        return path

    def values(self, type: str, state: Mapping[str, Any], provider: ProviderConfig) -> dict[str, str]:
        """What templates are filled with: the attributes that are known, and what the provider block adds."""
        values = {key: _text(value) for key, value in state.items() if isinstance(value, str | int | bool)}
        project = values.get("project") or provider.project or ""
        project = project.removeprefix("projects/")
        values["project"] = self.canonical(f"projects/{project}").removeprefix("projects/")
        if values["project"]:
            values["project_number"] = str(self.number_of(values["project"]))
        zone = values.get("zone") or provider.zone or ""
        region = values.get("region") or provider.region or zone.rpartition("-")[0]
        values.setdefault("region", region)
        location = self.facts.type(type).attributes.get("location") if type in self.facts.raw["types"] else None
        if location and (location.default or location.computed):
            values.setdefault("location", location.default or region or zone)
        return {key: value for key, value in values.items() if value}

    def project(self, type: str, values: Mapping[str, str]) -> str:
        """The project an object belongs to; none for what has a global name."""
        return "" if type.startswith(_GLOBAL) else values.get("project", "")

    def missing(self, type: str, values: Mapping[str, str]) -> list[str]:
        """Placeholders of a type's path that `values` cannot fill."""
        wanted = (match[1] for match in _PLACEHOLDER.finditer(self.path_template(type)))
        return [name for name in wanted if name not in values]

    def id(self, type: str, values: Mapping[str, str]) -> str:
        """The Terraform `id`."""
        return self._render(self.id_template(type), type, values, short=False)

    def path(self, type: str, values: Mapping[str, str]) -> str:
        """The canonical path."""
        return self.canonical(self._render(self.path_template(type), type, values, short=True))

    def parse(self, type: str, id: str) -> dict[str, str]:
        """What an `id` says, by the placeholders of its template; empty for an id of another form."""
        pattern, last = "", 0
        template, seen = self.id_template(type), set[str]()
        holes = list(_PLACEHOLDER.finditer(template))
        for match in holes:
            pattern += re.escape(template[last : match.start()])
            one = "[^/]+" if match.start() or "/" not in template[match.end() :] else ".+"
            greedy = ".+" if match is holes[-1] else one
            pattern += f"(?:{greedy})" if match[1] in seen else f"(?P<{match[1]}>{greedy})"
            seen.add(match[1])
            last = match.end()
        found = re.fullmatch(pattern + re.escape(template[last:]), id)
        return {name: unquote(value) for name, value in found.groupdict().items()} if found else {}

    def refer(self, type: str, name: str, values: Mapping[str, str]) -> str:
        """The canonical path of the object of `type` that is called `name` by something with `values`."""
        name = _HOST.sub("", name)
        if name.startswith(("projects/", "b/", "billingAccounts/")):
            return self.canonical(name)
        template, parts = self.expanded(type), name.split("/")
        holes = list(_PLACEHOLDER.finditer(template))
        whole = _PLACEHOLDER.match(self.path_template(type))
        if whole and whole[1] in values and len(parts) == 1:  # its parent is named in full beside it
            return self.path(type, {**values, holes[-1][1]: name})
        filled, last = "", 0
        for index, hole in enumerate(holes):
            given = index - len(holes) + len(parts)
            filled += template[last : hole.start()] + (parts[given] if given >= 0 else values.get(hole[1], ""))
            last = hole.end()
        return self.canonical(filled + template[last:])

    def parents(self, path: str) -> list[tuple[str, str]]:
        """Path and one type of each object that `path` lies within, the nearest first."""
        if path.startswith("b/") and "/o/" in path:  # slashes in an object's name are no folders
            return [(path.partition("/o/")[0], "google_storage_bucket")]
        found = []
        parts = path.split("/")
        for length in range(len(parts) - 1, 1, -1):
            above = "/".join(parts[:length])
            if types := self.types_of(above):
                found.append((above, types[0]))
        return found

    def types_of(self, path: str) -> Sequence[str]:
        """The types whose objects have paths of that form; none for anything else."""
        return self._by_signature.get(_signature(path), ())

    @cached_property
    def _by_signature(self) -> dict[tuple[str, ...], list[str]]:
        table: dict[tuple[str, ...], list[str]] = {}
        for type in self.facts.types:
            template = self.path_template(type)
            if iam_parent(type) or not template.startswith(("projects/{", "b/{", "{")):
                continue
            if signature := _signature(self.expanded(type)):
                table.setdefault(signature, []).append(type)
        table.pop(("projects",), None)
        return table

    def expanded(self, type: str) -> str:
        """The path template in full: `{key_ring}/cryptoKeys/{name}` with that of a key ring for `{key_ring}`."""
        template = self.path_template(type)
        match = _PLACEHOLDER.match(template)
        above = self.reference(type, match[1]) if match else None
        if match and above and above != type:
            return self.expanded(above) + template[match.end() :]
        return template

    def reference(self, type: str, attribute: str) -> str | None:
        """The type that an attribute of `type` names, by its own name: `network`, `feature_group`, `cluster`."""
        if (written := written_names()["references"].get(attribute)) in self.facts.raw["types"]:
            return str(written)
        return self._siblings(type).get(attribute)

    def _siblings(self, type: str) -> dict[str, str]:
        """Types of the same API by what an attribute that names one of them is called."""
        service = api_of(type)[0]
        return {name: one for name, one in self._nouns.get(service, {}).items() if one != type}

    @cached_property
    def _nouns(self) -> dict[str, dict[str, str]]:
        table: dict[str, dict[str, str]] = {}
        for type in self.facts.types:
            if not iam_parent(type):
                noun = prefix_and_noun(type)[1]
                nouns = table.setdefault(api_of(type)[0], {})
                for name in (noun, f"{noun}_id", f"parent_{noun}", noun.replace("_", "")):
                    nouns.setdefault(name, type)
        return table

    def _render(self, template: str, type: str, values: Mapping[str, str], *, short: bool) -> str:
        def fill(match: re.Match[str]) -> str:
            value = values.get(match[1], "")
            if match.start() == 0 and "/" in template[match.end() :]:
                above = None if template.startswith("{bucket}") else self.reference(type, match[1])
                value = self.refer(above, value, values) if above and value else _HOST.sub("", value)
            elif short and "/" in value and not template.startswith("b/"):
                value = value.rsplit("/", 1)[1]
            return quote(value, safe="") if match[2] else value

        return _PLACEHOLDER.sub(fill, template)


def placeholders(template: str) -> list[str]:
    """The names a template asks for."""
    return [match[1] for match in _PLACEHOLDER.finditer(template)]


def fill(template: str, values: Mapping[str, str]) -> str:
    """A template with its values put in as they are; those that are missing are left empty."""

    def value(match: re.Match[str]) -> str:
        text = values.get(match[1], "")
        return quote(text, safe="") if match[2] else text

    return _PLACEHOLDER.sub(value, template)


def known(state: State) -> dict[str, Any]:
    """The attributes of a state that have a value."""
    return {name: value for name, value in state.items() if value is not None and value is not UNKNOWN}


def _text(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _signature(path: str) -> tuple[str, ...]:
    parts = path.split("/")
    if len(parts) > 3 and parts[0] == "projects" and parts[2] == "global":
        del parts[2]
    return tuple(parts[::2]) if len(parts) % 2 == 0 else ()
