"""Changes outside Terraform: find, edit, delete and undelete objects of a cloud, as a person at a console would."""

from __future__ import annotations

import copy
import json
import re
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from fonderie.core.errors import BadInputError, ConflictError
from fonderie.sandbox.cloud.buckets import Buckets
from fonderie.sandbox.cloud.cloud import Cloud, CloudObject, ObjectStatus
from fonderie.sandbox.protocol.wire import misfit
from fonderie.sandbox.provider.schema import ProviderSchema
from fonderie.sandbox.rules import agents

_STATES = ("terraform.tfstate", "*.tfstate", ".fonderie/state/*.tfstate", ".fonderie/sandbox/.fonderie/state/*.tfstate")


def as_dict(thing: CloudObject) -> dict[str, Any]:
    """The object as JSON: type, path, project, status and attributes."""
    return {"type": thing.type, "path": thing.path, "project": thing.project, "attributes": thing.attributes}


def find_object(cloud: Cloud, name: str, *, states: Path | None = None) -> CloudObject:
    """The one object that `name` means: its path, its id, a Terraform address, or the end of a path.

    Raises BadInputError when there is none, or more than one.
    """
    things = cloud.things()
    resource = _by_address(name, states or Path.cwd())
    address = (resource[0], resource[1].get("id")) if resource else None
    candidates = [one for one in things if name in (one.path, one.attributes.get("id"), one.attributes.get("name"))]
    if address is not None:
        candidates = [one for one in things if (one.type, one.attributes.get("id")) == address]
    candidates = candidates or [one for one in things if one.path.endswith(f"/{name}")]
    if len(candidates) != 1:
        what = f"{len(candidates)} objects match {name!r}" if candidates else f"there is no object {name!r}"
        near = ", ".join(one.path for one in candidates[:3]) or "`fonderie sandbox show` lists them"
        raise BadInputError(what, where=cloud.file, hint=f"name its path: {near}" if candidates else near)
    return candidates[0]


def _by_address(name: str, folder: Path) -> tuple[str, dict[str, Any]] | None:
    """Type and attributes of a resource by its address, from the state files beside us."""
    match = re.fullmatch(r"(?:.*\.)?(google_\w+)\.([\w-]+)(?:\[(.+)\])?", name)
    if not match:
        return None
    for file in (file for pattern in _STATES for file in sorted(folder.glob(pattern))):
        try:
            resources = json.loads(file.read_text(encoding="utf-8")).get("resources", [])
        except (OSError, ValueError, AttributeError):
            continue
        for one in resources:
            if (one.get("type"), one.get("name")) == (match[1], match[2]):
                for instance in one["instances"]:
                    if match[3] is None or str(instance.get("index_key")) == match[3].strip('"'):
                        return match[1], dict(instance["attributes"])
    return None


def delete(cloud: Cloud, thing: CloudObject) -> list[str]:
    """Delete an object and what lies within it; the paths that went."""
    buckets = Buckets(cloud.file)
    with cloud.transaction():
        gone = [*cloud.things(under=thing.path), thing]
        for one in gone:
            cloud.mark(one.type, one.path, ObjectStatus.GONE)
    if thing.type == "google_storage_bucket":
        buckets.remove(thing.path.removeprefix("b/"))
    if thing.type == "google_storage_bucket_object":
        buckets.delete(str(thing.attributes["bucket"]), str(thing.attributes["name"]))
    return [one.path for one in gone]


def delete_membership(cloud: Cloud, name: str, *, states: Path | None = None) -> str | None:
    """Take a member (`google_..._iam_member`, by its address) out of its policy; None for any other name."""
    type, attributes = _by_address(name, states or Path.cwd()) or ("", {})
    if not type.endswith("_iam_member"):
        return None
    identity, member = str(attributes["id"]), attributes["member"]
    with cloud.transaction():
        for path, policy in cloud.policies().items():
            if identity.startswith((f"{path}/", f"{path.removeprefix('projects/')}/")):
                for binding in policy["bindings"]:
                    if binding["role"] == attributes["role"]:
                        binding["members"] = [one for one in binding["members"] if one != member]
                kept = [binding for binding in policy["bindings"] if binding["members"]]
                cloud.set_policy(path, {**policy, "bindings": kept}, version=cloud.policy(path)[0])
    return identity


def undelete(cloud: Cloud, path: str) -> str:
    """Bring back something that is soft-deleted. Raises BadInputError when there is nothing of that path."""
    known = [
        one
        for one in cloud.deleted()
        if one.status is ObjectStatus.SOFT_DELETED and path in (one.path, one.path.rsplit("/", 1)[-1])
    ]
    if len(known) != 1:
        raise BadInputError(f"no soft-deleted object {path!r}", where=cloud.file)
    cloud.mark(known[0].type, known[0].path, ObjectStatus.LIVE)
    return known[0].path


def add_secret_version(cloud: Cloud, secret: str, value: str) -> str:
    """Put a value into a secret, as `gcloud secrets versions add` does; the new path. Raises BadInputError."""
    found_secret = cloud.live("google_secret_manager_secret", secret)
    if found_secret is None:
        raise BadInputError(f"unknown secret {secret!r}", where=cloud.file)
    number = cloud.count(f"versions of {secret}")
    path = f"{secret}/versions/{number}"
    attributes = {"id": path, "name": path, "secret": secret, "secret_data": value, "version": str(number)}
    cloud.put("google_secret_manager_secret_version", path, found_secret.project, {**attributes, "enabled": True})
    return path


def make_agent(cloud: Cloud, service: str, project: str) -> str:
    """What `generateServiceIdentity` does: the service's agents exist from now on. Raises BadInputError."""
    made = [one.pattern.format(cloud.number_of(project)) for one in agents.AGENTS if one.service == service]
    if not made:
        raise BadInputError(
            f"no service agent is known for {service!r}", hint=_services(one.service for one in agents.AGENTS)
        )
    for email in made:
        cloud.add_agent(email)
    return made[0]


def _services(names: Iterable[str]) -> str:
    return f"known: {', '.join(sorted(set(names)))}"


def forget(file: Path) -> None:
    """Remove a cloud file and its buckets, whatever state they are in. Raises ConflictError while it is written to."""
    try:
        with sqlite3.connect(file, timeout=1.0, isolation_level=None) as opened:
            opened.execute("BEGIN EXCLUSIVE")
            opened.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise ConflictError("the cloud file is in use", where=file, hint="stop the process that uses it") from error
    except sqlite3.DatabaseError:
        pass  # corrupt: that is a reason to be here
    for ending in ("", "-wal", "-shm", "-journal"):
        Path(f"{file}{ending}").unlink(missing_ok=True)
    folder = Buckets(file).folder
    if folder.is_dir():
        for bucket in list(folder.iterdir()):
            Buckets(file).remove(bucket.name)
        folder.rmdir()


_LABELS = ("labels", "resource_labels", "user_labels", "terraform_labels")


def edit(cloud: Cloud, thing: CloudObject, changes: Sequence[str], schema: ProviderSchema) -> None:
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
