"""Dependencies that a configuration lacks, found before an apply: no clock, no cloud, the same answer every time.

Whatever a resource needs and the same configuration makes must be reachable from the resource over references and
`depends_on`; otherwise Terraform may start both at once. Needed are the API, the service agent, account or identity
pool of a member, the parent, and what is referred to by name. A configuration is Terraform's JSON syntax (`*.tf.json`,
`cdk.tf.json`) of one root module: what is inside of a called module is not looked at, nor is HCL.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fonderie.sandbox.lifecycle import members, policies
from fonderie.sandbox.lifecycle.interface import ProviderConfig, State
from fonderie.sandbox.lifecycle.members import MemberKind
from fonderie.sandbox.lifecycle.object_requests import Referrer, references_of
from fonderie.sandbox.lifecycle.resource_paths import Names, api_of, iam_parent
from fonderie.sandbox.rules.agents import AGENTS
from fonderie.sandbox.rules.serviceusage import ALWAYS_ON

Document = Mapping[str, Any]
_SERVICE = "google_project_service"
_ACCOUNT = "google_service_account"
_STORAGE_AGENT = "google_storage_project_service_account"  # a data source that makes the agent it asks for
_SERVICE_NAME = re.compile(r"[a-z0-9.-]+\.googleapis\.com")
_EMAIL = re.compile(r"[^@]+@([a-z0-9-]+)\.iam\.gserviceaccount\.com")
_NAME = re.compile(r"(?<![\w.])(?:data\.\w+|[A-Za-z]\w*)\.[\w-]+")  # type.name, data.type.name, local.name
_REFERENCE = re.compile(r"(?<!\$)\$\{(?:((?:data\.)?google_\w+\.[\w-]+)\.(\w+)|(local\.[\w-]+))\}")
_PROJECT = re.compile(r"(?:data\.)?google_project\.")
_TOKEN = re.compile(r'\$\$\{|%%\{|[$%]\{|\\[\\"]|["{}]')  # of a template
_UNKNOWN = "?"  # in a path, for what only an apply will tell: no other path has it
_META = frozenset({"//", "count", "for_each", "depends_on", "lifecycle", "provider", "provisioner", "connection"})


@dataclass(frozen=True)
class MissingDependency:
    """`address` may start before what it needs: any of `makers`, by address, would bring it. `what` names it."""

    address: str
    what: str
    makers: tuple[str, ...]

    @property
    def fix(self) -> str:
        """What to write into the resource."""
        return f"depends_on = {json.dumps([self.makers[0]])}"

    def __str__(self) -> str:
        return f"{self.address} needs {self.what} and does not wait for {' or '.join(self.makers)}: {self.fix}"


def missing(
    documents: Sequence[Document], names: Names, *, creates: Collection[str] | None = None
) -> list[MissingDependency]:
    """The dependencies that a configuration lacks, by address.

    Args:
        documents: the configuration's files, parsed.
        names: how the provider names things, and the numbers of projects, which service agents have in their names.
        creates: addresses, without instance keys, of what will be made; None: everything, as on a fresh project.
    """
    configuration = _Configuration(documents, names)
    lacking = {found for node in configuration.resources for found in configuration.lacking(node)}
    if creates is not None:
        lacking = {found for found in lacking if {found.address, *found.makers} <= set(creates)}
    return sorted(lacking, key=lambda found: (found.address, found.makers))


@dataclass(frozen=True)
class _Node:
    """A resource, data source, local value or module call. `type` is empty for all but a managed resource."""

    address: str
    body: Any
    type: str = ""


class _Configuration:
    def __init__(self, documents: Sequence[Document], names: Names) -> None:
        self._documents = documents
        self._names = names
        self._nodes = {node.address: node for node in self._read()}
        self.resources = [node for node in self._nodes.values() if node.type]
        self._reached: dict[str, frozenset[str]] = {}

    # -- what there is

    def _read(self) -> Iterator[_Node]:
        for document in self._documents:
            for section, prefix in (("resource", ""), ("data", "data.")):
                for type, instances in _entries(document.get(section)):
                    for name, body in _entries(instances):
                        yield _Node(f"{prefix}{type}.{name}", dict(_entries(body)), "" if prefix else type)
            for section, prefix in (("locals", "local"), ("module", "module")):
                yield from (_Node(f"{prefix}.{name}", body) for name, body in _entries(document.get(section)))

    @cached_property
    def _providers(self) -> dict[str, ProviderConfig]:
        """The provider blocks, by `google` or `google.ALIAS`."""
        blocks: dict[str, ProviderConfig] = {}
        for document in self._documents:
            for name, given in _entries(document.get("provider")):
                for block in _blocks(given):
                    alias = f".{block['alias']}" if "alias" in block else ""
                    project, region, zone = (self._resolved(block.get(key)) for key in ("project", "region", "zone"))
                    blocks[name + alias] = ProviderConfig(project=project, region=region, zone=zone)
        return blocks

    @cached_property
    def _by_path(self) -> dict[str, list[str]]:
        """The addresses of what will be at a path, where the configuration tells it."""
        addresses: dict[str, list[str]] = {}
        for node in self.resources:
            subject = None if iam_parent(node.type) else self._subject(node)
            if subject is not None and _UNKNOWN not in subject.path:
                addresses.setdefault(subject.path, []).append(node.address)
        return addresses

    # -- the graph

    @cached_property
    def _edges(self) -> dict[str, set[str]]:
        """What each block refers to directly."""
        return {address: set(_names_in(node.body)) & self._nodes.keys() for address, node in self._nodes.items()}

    def _reach(self, address: str) -> frozenset[str]:
        """Everything that Terraform makes `address` wait for."""
        if address not in self._reached:
            reached, left = set[str](), [address]
            while left:
                direct = self._edges[left.pop()]
                left += direct - reached
                reached |= direct
            self._reached[address] = frozenset(reached)
        return self._reached[address]

    def lacking(self, node: _Node) -> Iterator[MissingDependency]:
        """What a resource needs, has made beside it, and does not reach."""
        for what, makers in self._needs(node):
            if makers and not {node.address, *self._reach(node.address)} & set(makers):
                yield MissingDependency(node.address, what, tuple(makers))

    # -- what is needed

    def _needs(self, node: _Node) -> Iterator[tuple[str, list[str]]]:
        """(in words, who makes it) for everything that must be there before a resource."""
        service = api_of(node.type)[0]
        if service not in ALWAYS_ON:
            yield f"the API {service}", self._enabling(service, self._project(node))
        if (subject := self._subject(node)) is None:
            return
        if iam_parent(node.type):
            yield from self._of_a_policy(subject, node)
        for reference in references_of(subject, self._names, ours=lambda _: True):
            yield f"{reference.type} {reference.path}", self._by_path.get(reference.path, [])

    def _of_a_policy(self, subject: Referrer, node: _Node) -> Iterator[tuple[str, list[str]]]:
        type, path = policies.target(self._names, subject.type, subject.state, self._provider(node))
        yield f"{type} {path}", self._by_path.get(path, [])
        for member in policies.members_of(subject.state):
            if (needed := members.needed(member)) is not None:
                yield f"the {needed[0]} {needed[1]}", self._bringing(*needed, self._project(node))

    def _bringing(self, kind: MemberKind, name: str, project: str) -> list[str]:
        match kind:
            case MemberKind.POOL:
                return self._by_path.get(self._names.canonical(name), [])
            case MemberKind.IDENTITIES:
                pool = f"{name}.svc.id.goog"
                return [
                    node.address
                    for node in self.resources
                    if node.type == "google_container_cluster" and pool in map(self._resolved, _texts(node.body))
                ]
        match = _EMAIL.fullmatch(name)
        account = self._by_path.get(f"projects/{match[1]}/serviceAccounts/{name}", []) if match else []
        return account or self._agent(name, project)

    def _agent(self, email: str, project: str) -> list[str]:
        """What brings a service agent: its API, or the first use of it where it is made on demand."""
        number = self._names.number_of(project) if project else 0
        agent = next((one for one in AGENTS if one.pattern.format(number) == email), None)
        if agent is None:
            return []
        if not agent.on_demand:
            return self._enabling(agent.service, project)
        users = [
            node.address
            for node in self.resources
            if node.type != _SERVICE and not iam_parent(node.type) and self._project(node) == project
            and (node.type in agent.first_used_by if agent.first_used_by else api_of(node.type)[0] == agent.service)
        ]  # fmt: skip
        asking = [one for one in self._nodes if one.startswith(f"data.{_STORAGE_AGENT}.")]
        return users + (asking if agent.service == "storage.googleapis.com" else [])

    def _enabling(self, service: str, project: str) -> list[str]:
        return self._services_of.get((project, service), [])

    @cached_property
    def _services_of(self) -> dict[tuple[str, str], list[str]]:
        """Who enables a service, by project and service."""
        enabling: dict[tuple[str, str], list[str]] = {}
        for node in self.resources:
            for service in self._services(node) if node.type == _SERVICE else ():
                enabling.setdefault((self._project(node), service), []).append(node.address)
        return enabling

    def _services(self, node: _Node) -> set[str]:
        """Every service that is named in a `google_project_service`, in its `for_each` too."""
        named = {node.address, *(one for one in self._reach(node.address) if one.startswith("local."))}
        texts = (text for address in named for text in _texts(self._nodes[address].body))
        return {match.group() for text in texts for match in _SERVICE_NAME.finditer(text)}

    # -- values

    def _provider(self, node: _Node) -> ProviderConfig:
        name = str(node.body.get("provider", "google")).removeprefix("${").removesuffix("}")
        return self._providers.get(name, ProviderConfig())

    def _project(self, node: _Node) -> str:
        given = self._resolved(node.body.get("project")) or self._provider(node).project or ""
        return self._names.canonical(f"projects/{given.removeprefix('projects/')}").removeprefix("projects/")

    def _subject(self, node: _Node) -> Referrer | None:
        """A resource as far as the configuration tells it; None for a type of which nothing is known."""
        if node.type not in self._names.facts.raw["types"]:
            return None
        state: State = {name: value for name, value in self._known(node.body).items() if name not in _META}
        values = self._names.values(node.type, state, self._provider(node))
        if node.type == _ACCOUNT and "account_id" in values:
            values["email"] = f"{values['account_id']}@{values.get('project', _UNKNOWN)}.iam.gserviceaccount.com"
        holes = dict.fromkeys(self._names.missing(node.type, values), _UNKNOWN)
        unknown = _UNKNOWN if "project" in node.body and "project" not in state else ""
        return Referrer(node.type, state, values, unknown + self._names.path(node.type, {**values, **holes}))

    def _known(self, value: Any) -> Any:
        """A value without what only an apply will tell."""
        match value:
            case str():
                return self._resolved(value)
            case dict():
                known = {name: self._known(one) for name, one in value.items()}
                return {name: one for name, one in known.items() if one is not None}
            case list():
                return [one for one in map(self._known, value) if one is not None]
        return value

    def _resolved(self, value: Any, depth: int = 8) -> str | None:
        """A text with references to literal values followed; None when an expression is left in it."""
        if not isinstance(value, str):
            return None

        def literal(match: re.Match[str]) -> str:
            node = self._nodes.get(match[1] or match[3])
            text = self._resolved(self._attribute(node, match[2]), depth - 1) if node and depth else None
            return match.group() if text is None else text

        text = _REFERENCE.sub(literal, value)
        return None if "${" in text.replace("$${", "") else text

    def _attribute(self, node: _Node, name: str | None) -> Any:
        if name is None:
            return node.body
        if name == "number" and _PROJECT.match(node.address):
            project = self._resolved(node.body.get("project_id")) or self._provider(node).project or ""
            return str(self._names.number_of(project)) if project else None
        if node.type == _ACCOUNT and name in ("email", "member", "name", "id"):
            account, project = self._resolved(node.body.get("account_id")), self._project(node)
            email = f"{account}@{project}.iam.gserviceaccount.com"
            place = f"projects/{project}/serviceAccounts/{email}"
            return {"email": email, "member": f"serviceAccount:{email}"}.get(name, place) if account else None
        if name == "id" and (subject := self._subject(node)) and _UNKNOWN not in subject.path:
            return subject.path
        return node.body.get(name)


def _entries(value: Any) -> Iterator[tuple[str, Any]]:
    """Names and bodies of blocks, which Terraform's JSON may write as one object or as a list of them."""
    for block in _blocks(value):
        yield from ((name, body) for name, body in block.items() if name != "//")


def _blocks(value: Any) -> list[dict[str, Any]]:
    return [block for block in (value if isinstance(value, list) else [value]) if isinstance(block, dict)]


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for name, one in value.items():
                yield from _texts(one) if name != "//" else ()
        case list():
            for one in value:
                yield from _texts(one)


def _names_in(body: Any) -> Iterator[str]:
    """What a block refers to: in its expressions, and where JSON has bare names."""
    for text in _texts(body):
        if "{" in text:
            yield from _NAME.findall(_code(text))
    lifecycle = body.get("lifecycle") if isinstance(body, dict) else None
    for holder, name in ((body, "depends_on"), (lifecycle, "replace_triggered_by")):
        for text in _texts(holder.get(name)) if isinstance(holder, dict) else ():
            yield from _NAME.findall(text)


def _code(text: str) -> str:
    """The expressions inside of a template, without the texts that are quoted in them."""
    code, closing, at = list[str](), list[str](), 0  # `}` ends an expression, `"` a quoted text
    for token in _TOKEN.finditer(text):
        mark, inside = token.group(), closing[-1:] == ["}"]
        if inside:
            code.append(text[at : token.start()])
        if closing and mark == closing[-1]:
            closing.pop()
        elif inside and mark in ("{", '"'):
            closing.append("}" if mark == "{" else mark)
        elif not inside and mark in ("${", "%{"):
            closing.append("}")
        at = token.end()
    return " ".join(code)
