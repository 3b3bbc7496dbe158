"""A synthesised stack (`cdk.tf.json`) taken apart: every block under the name that people know it by.

Source: "JSON Configuration Syntax" and the block reference of Terraform's documentation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

Pieces = Mapping[str, Any]
ARGUMENTS = "arguments"
META = ("lifecycle", "provisioner", "connection", "provider", "depends_on", "count", "for_each")
"""What a resource's block holds beside its arguments, and no plan shows."""
_LABELS = {"resource": 2, "data": 2, "ephemeral": 2, "action": 2, "variable": 1, "output": 1, "module": 1, "check": 1,
           "locals": 1}  # fmt: skip
_ODD = re.compile(r'[."\[\']')
_LOCKED = re.compile(r'^provider "([^"]+)" \{(.*?)^\}', re.MULTILINE | re.DOTALL)


def read_configuration(folder: Path) -> dict[str, Any]:
    """The configuration in a stack's folder; empty when there is none that can be read."""
    try:
        read = json.loads((folder / "cdk.tf.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}


def pieces(configuration: Mapping[str, Any]) -> Pieces:
    """Name -> what the configuration says there; together they are all of it.

    `provider.google`, `terraform.backend.gcs`, `resource.TYPE.NAME.lifecycle`, `resource.TYPE.NAME.arguments`.
    """
    found: dict[str, Any] = {}
    for name, body in _pieces(configuration):
        twice = f"'{len(found)}" if name in found else ""  # Terraform refuses it: two providers of one alias
        found[name + twice] = body
    return found


def _pieces(configuration: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for block, body in configuration.items():
        if block == "terraform":
            for key, value in _named(block, body, 1):
                yield from _named(key, value, 1 if key.endswith((".backend", ".required_providers")) else 0)
        elif block == "provider":
            for key, value in _named(block, body, 1):
                yield from _providers(key, value)
        elif block == "resource":
            for key, value in _named(block, body, 2):
                yield from _resource(key, value)
        else:
            yield from _named(block, body, _LABELS.get(block, 0))


def _named(name: str, body: Any, labels: int) -> Iterator[tuple[str, Any]]:
    """`body` by its labels: what is not a map of them stays whole."""
    if labels and isinstance(body, dict) and body:
        for key, value in body.items():
            yield from _named(f"{name}.{json.dumps(key) if _ODD.search(key) else key}", value, labels - 1)
    else:
        yield name, body


def _providers(name: str, body: Any) -> Iterator[tuple[str, Any]]:
    """One provider's blocks, by alias."""
    for number, block in enumerate(body if isinstance(body, list) and body else [body]):
        alias = block.get("alias") if isinstance(block, dict) else None
        suffix = f".{alias}" if isinstance(alias, str) else f"[{number}]" if number else ""
        yield name + suffix, block


def _resource(name: str, body: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(body, dict):
        yield f"{name}.{ARGUMENTS}", body
        return
    for key in META:
        if key in body:
            yield f"{name}.{key}", body[key]
    yield f"{name}.{ARGUMENTS}", {key: value for key, value in body.items() if key not in META}


def tools(binary: str, folder: Path) -> dict[str, str]:
    """What runs in a stack's folder: Terraform's checksum, and each provider's version and checksums by its lock file.

    A provider that is not installed but attached, as the sandbox's, has no line. Source: "Dependency Lock File".
    """
    found = {"terraform": _checksum(binary)}
    try:
        lock = (folder / ".terraform.lock.hcl").read_text(encoding="utf-8")
    except OSError:
        return found
    for name, body in _LOCKED.findall(lock):
        words = re.findall(r'"([^"]*)"', body)
        found[name] = sha256(" ".join(sorted(words)).encode()).hexdigest()
    return found


@cache
def _checksum(binary: str) -> str:
    with Path(binary).open("rb") as file:
        found = sha256()
        while part := file.read(1 << 20):
            found.update(part)
    return found.hexdigest()
