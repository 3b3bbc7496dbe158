"""Any resource that Terraform made, as its API shows it; and changes of it that a refresh then sees.

The response's schema in the discovery document is the guide: a property is the attribute of that name in snake case, a
block that stands alone an object. What only an API says (states, links) is not invented. `_RENAMED` has what the
provider calls otherwise.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from fonderie.sandbox.cloud import out_of_band
from fonderie.sandbox.cloud.cloud import CloudObject
from fonderie.sandbox.cloud.documents import Document
from fonderie.sandbox.lifecycle.world import World
from fonderie.sandbox.provider.schema import CtyType
from fonderie.sandbox.rest.discovery import Call, RejectedError, Service
from fonderie.sandbox.rest.judgement import resource

_SHORT = ("storage", "bigquery", "compute", "sqladmin", "dns", "container", "logging")
"""APIs whose `name` is the last word of a path."""
_RENAMED = {
    "labels": ("effective_labels", "labels", "resource_labels", "user_labels"),
    "annotations": ("effective_annotations", "annotations"),
    "kmsKeyName": ("kms_key_name", "kms_key"),
    "includedPermissions": ("permissions",),
    "rule": ("lifecycle_rule", "rule"),
}
_PAGE = 100


class Resources:
    """get, list, patch and delete of what is in the cloud."""

    def __init__(self, world: World) -> None:
        self._world = world

    def handle(self, call: Call, service: Service) -> Document:
        """Answer one call. Raises RejectedError: 404, or 501 for what this cannot do."""
        match call.method.rpartition(".")[2]:
            case "get":
                return self.shown(self.find(call), call, service)
            case "list":
                return self._list(call, service)
            case "patch" | "update":
                return self._patch(call, service)
            case "delete":
                out_of_band.delete(self._world.cloud, self.find(call))
                return {}
        raise RejectedError(501, "UNIMPLEMENTED", f"the sandbox has no {call.method}")

    def find(self, call: Call) -> CloudObject:
        """The object that a call names. Raises RejectedError."""
        path = resource(call, self._world)
        for type in self._types(path):
            if thing := self._world.cloud.live(type, path):
                return thing
        raise RejectedError(404, "NOT_FOUND", f"Resource not found (resource={path}).")

    def _types(self, path: str) -> list[str]:
        if path.startswith("b/"):
            return ["google_storage_bucket"]
        return [*self._world.names.types_of(path)]

    def shown(self, thing: CloudObject, call: Call, service: Service) -> Document:
        """An object as the response of a call."""
        schema = service.document["schemas"][(call.answer or {}).get("$ref", "")]
        return self._object(thing, schema, service)

    def _object(self, thing: CloudObject, schema: Mapping[str, Any], service: Service) -> Document:
        shown: Document = _document(schema, thing.attributes, service)
        properties = schema.get("properties", {})
        if "name" in properties:
            short = service.document["name"] in _SHORT
            last = thing.path.rsplit("/", 1)[-1]
            shown["name"] = last if short else thing.path
        if properties.get("kind", {}).get("default"):
            shown["kind"] = properties["kind"]["default"]
        if thing.type == "google_storage_bucket":
            shown |= _bucket(thing.attributes) | {"id": shown["name"]}
        return shown

    def _list(self, call: Call, service: Service) -> Document:
        schema = service.document["schemas"][(call.answer or {}).get("$ref", "")]
        lists = {
            name: each["items"]["$ref"]
            for name, each in schema["properties"].items()
            if each.get("type") == "array" and "$ref" in each["items"]
        }
        if not lists:
            raise RejectedError(501, "UNIMPLEMENTED", f"the sandbox has no {call.method}")
        field, kind = next(iter(lists.items()))
        parent = resource(call, self._world)
        under = "b" if call.method == "storage.buckets.list" else f"{parent}/{call.method.split('.')[-2]}"
        if under != "b" and not self._world.names.types_of(f"{under}/x"):
            raise RejectedError(501, "UNIMPLEMENTED", f"the sandbox has no {call.method}")
        things = [
            thing
            for thing in self._world.cloud.things(under=under)
            if "/" not in thing.path.removeprefix(f"{under}/")
            and (under != "b" or parent == f"projects/{thing.attributes.get('project')}")
        ]
        start = int(call.query.get("pageToken") or 0)
        size = int(call.query.get("pageSize") or call.query.get("maxResults") or _PAGE)
        inner = service.document["schemas"][kind]
        page = [self._object(thing, inner, service) for thing in things[start : start + size]]
        more = {"nextPageToken": str(start + size)} if start + size < len(things) else {}
        return ({field: page} if page else {}) | more

    def _patch(self, call: Call, service: Service) -> Document:
        thing = self.find(call)
        mask = call.query.get("updateMask") or call.body.get("updateMask") or ""
        body = call.body
        wrapped = [name for name, value in body.items() if isinstance(value, dict) and "name" in value]
        if "updateMask" in body and wrapped:  # Pub/Sub's updates have resource and mask in their body
            body = body[wrapped[0]]
        fields = (
            [_camel(word.strip().split(".")[0]) for word in mask.split(",")] if mask and mask != "*" else list(body)
        )
        attributes = self.change(thing, {field: body.get(field) for field in fields if field not in ("name", "etag")})
        changed = CloudObject(thing.type, thing.path, thing.project, thing.status, thing.serial, attributes)
        return self.shown(changed, call, service)

    def change(self, thing: CloudObject, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Give an object's attributes what a body says of them; the attributes. Raises RejectedError for the others."""
        attributes = dict(thing.attributes)
        kinds = self._world.schema.resource(thing.type).block.type[1]
        for field, value in fields.items():
            if thing.type == "google_storage_bucket" and field == "iamConfiguration":
                uniform = value.get("uniformBucketLevelAccess", {}).get("enabled")
                attributes["uniform_bucket_level_access"] = uniform
                continue
            name = next((each for each in _RENAMED.get(field, (_snake(field),)) if each in attributes), None)
            if name is None:
                raise RejectedError(501, "UNIMPLEMENTED", f"the sandbox cannot change {field} of {thing.path}")
            if name == "effective_labels" and thing.type == "google_storage_bucket":  # its patch merges
                merged = {**(attributes[name] or {}), **value}
                attributes[name] = {key: each for key, each in merged.items() if each is not None}
                continue
            attributes[name] = _attribute(kinds[name], value)
        self._world.cloud.change(thing.type, thing.path, attributes)
        return attributes


def _bucket(attributes: Mapping[str, Any]) -> Document:
    uniform = {"enabled": bool(attributes.get("uniform_bucket_level_access"))}
    prevention = attributes.get("public_access_prevention") or "inherited"
    configuration = {"uniformBucketLevelAccess": uniform, "publicAccessPrevention": prevention}
    rules = [_rule(rule) for rule in attributes.get("lifecycle_rule") or []]
    shown: Document = {"iamConfiguration": configuration, "projectNumber": str(attributes.get("project_number") or 0)}
    return shown | ({"lifecycle": {"rule": rules}} if rules else {})


def _rule(rule: Mapping[str, Any]) -> Document:
    """What of a lifecycle rule is set."""
    told: Document = {}
    for part in ("action", "condition"):
        for inner in rule.get(part) or []:
            told[part] = {_camel(name): value for name, value in inner.items() if value not in (None, "", [], 0, False)}
    told.get("condition", {}).pop("withState", None)
    return {part: {n: v for n, v in inner.items() if not n.startswith("send")} for part, inner in told.items()}


def _document(schema: Mapping[str, Any], attributes: Mapping[str, Any], service: Service) -> Document:
    """The properties of a schema that attributes have a value for."""
    shown: Document = {}
    for name, inner in schema.get("properties", {}).items():
        for attribute in _RENAMED.get(name, (_snake(name),)):
            if attributes.get(attribute) not in (None, "", [], {}):
                value = _value(inner, attributes[attribute], service)
                if value is not None:
                    shown[name] = value
                break
    return shown


def _value(schema: Mapping[str, Any], value: Any, service: Service) -> Any:
    """A value of an attribute in the type of a property; None where it does not fit."""
    if "$ref" in schema:
        schema = service.document["schemas"][schema["$ref"]]
    kind = schema.get("type")
    if kind == "object" and isinstance(value, str):  # the provider has it as JSON in a text
        try:
            read = json.loads(value)
        except ValueError:
            return None
        return {"fields": read} if isinstance(read, list) and "fields" in schema.get("properties", {}) else read
    if kind == "object" and isinstance(value, list):
        value = value[0] if value else {}
    match kind, value:
        case "object", dict() if "additionalProperties" in schema and "properties" not in schema:
            return {key: str(each) if isinstance(each, str) else each for key, each in value.items()}
        case "object", dict():
            return _document(schema, value, service)
        case "array", list():
            shown = [_value(schema["items"], each, service) for each in value]
            return [each for each in shown if each is not None]
        case "boolean", bool():
            return value
        case "integer" | "number", int() | float():
            return value
        case "integer", str() if value.lstrip("-").isdigit():
            return int(value)
        case "string", str() | int() | float() if not isinstance(value, bool):
            return str(value) if "enum" not in schema or value in schema["enum"] else None
        case (("any" | None), _):
            return value
    return None


def _attribute(kind: CtyType, value: Any) -> Any:
    """What a body says in the type of an attribute: objects are blocks, which are lists."""
    match kind, value:
        case _, None:
            return [] if isinstance(kind, list) and kind[0] in ("list", "set") else None
        case ["list" | "set", inner], dict():
            return [_attribute(inner, value)]
        case ["list" | "set", inner], list():
            return [_attribute(inner, each) for each in value]
        case ["map", inner], dict():
            return {key: _attribute(inner, each) for key, each in value.items()}
        case ["object", inner], dict():
            return {name: _attribute(each, value.get(_camel(name))) for name, each in inner.items()}
        case "number", str() if value.lstrip("-").isdigit():
            return int(value)
        case "string", dict() | list():
            return json.dumps(value)
        case "string", int() | float() if not isinstance(value, bool):
            return str(value)
    return value


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda match: "_" + match[1].lower(), name)


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)
