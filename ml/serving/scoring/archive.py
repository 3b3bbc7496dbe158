"""A skops file with nothing in it but the object: the same object gives the same bytes, so the same SHA-256.

skops numbers objects by their place in memory, and a ZIP archive notes the time. Here objects are numbered in the order
in which they are named, and every entry is of 1 January 1980, the first day that the format knows.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

SCHEMA = "schema.json"
FIRST_DAY = (1980, 1, 1, 0, 0, 0)


def dump(thing: Any, path: Path) -> None:
    """Write a scikit-learn object as skops does, without places in memory and times."""
    from skops import io

    io.dump(thing, path)
    with zipfile.ZipFile(path) as written:
        contents = {name: written.read(name) for name in written.namelist()}
    schema = json.loads(contents.pop(SCHEMA))
    files: dict[str, str] = {}
    _renumber(schema, {}, files)
    renamed = {files.get(name, name): data for name, data in contents.items()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in [*sorted(renamed.items()), (SCHEMA, json.dumps(schema, indent=2).encode())]:
            archive.writestr(zipfile.ZipInfo(name, FIRST_DAY), data)


def _renumber(node: Any, known: dict[int, int], files: dict[str, str]) -> None:
    """Number objects and the files they are in as they come; an object that is named again keeps its number."""
    if isinstance(node, list):
        for each in node:
            _renumber(each, known, files)
    elif isinstance(node, dict):
        if isinstance(number := node.get("__id__"), int):
            node["__id__"] = known.setdefault(number, len(known) + 1)
        if isinstance(file := node.get("file"), str):
            node["file"] = files.setdefault(file, f"{len(files) + 1:05d}{Path(file).suffix}")
        for name, each in node.items():
            if name not in ("__id__", "file"):
                _renumber(each, known, files)
