"""Cloud Storage for the tests: buckets, objects, generations and their preconditions."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Any

from tests.google.discovery import Call, RejectedError


@dataclass
class Storage:
    """Objects by bucket and name. A generation grows with every write and is never used twice."""

    buckets: dict[str, dict[str, tuple[int, bytes]]] = field(default_factory=dict)
    generation: int = 1_700_000_000_000_000

    def handle(self, call: Call, media: bytes) -> dict[str, Any] | bytes:
        """Answer one call."""
        bucket = call.path["bucket"]
        if bucket not in self.buckets:
            raise RejectedError(404, "notFound", "The specified bucket does not exist.")
        objects = self.buckets[bucket]
        match call.method:
            case "storage.buckets.get":
                return {"kind": "storage#bucket", "name": bucket, "id": bucket, "location": "EUROPE-WEST1"}
            case "storage.objects.insert":
                return self._insert(bucket, objects, call, media)
            case "storage.objects.get":
                generation, data = self._find(objects, call.path["object"])
                return (
                    data if call.query.get("alt") == "media" else _meta(bucket, call.path["object"], generation, data)
                )
            case "storage.objects.list":
                prefix = call.query.get("prefix", "")
                items = [_meta(bucket, name, *objects[name]) for name in sorted(objects) if name.startswith(prefix)]
                return {"kind": "storage#objects", "items": items}
            case "storage.objects.delete":
                self._find(objects, call.path["object"])
                del objects[call.path["object"]]
                return b""
        raise RejectedError(501, "notImplemented", f"the stand-in has no {call.method}")

    @staticmethod
    def _find(objects: dict[str, tuple[int, bytes]], name: str) -> tuple[int, bytes]:
        if name not in objects:
            raise RejectedError(404, "notFound", f"No such object: {name}")
        return objects[name]

    def _insert(self, bucket: str, objects: dict[str, tuple[int, bytes]], call: Call, media: bytes) -> dict[str, Any]:
        name = call.body.get("name") or call.query["name"]
        expected = call.query.get("ifGenerationMatch")
        if expected is not None and int(expected) != objects.get(name, (0, b""))[0]:
            raise RejectedError(
                412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold."
            )
        self.generation += 1
        objects[name] = (self.generation, media)
        return _meta(bucket, name, *objects[name])


def _meta(bucket: str, name: str, generation: int, data: bytes) -> dict[str, Any]:
    return {
        "kind": "storage#object",
        "bucket": bucket,
        "name": name,
        "generation": str(generation),
        "metageneration": "1",
        "size": str(len(data)),
        "md5Hash": base64.b64encode(hashlib.md5(data).digest()).decode(),
    }
