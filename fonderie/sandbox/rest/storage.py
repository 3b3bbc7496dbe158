"""Cloud Storage: objects with generations, preconditions and versions; uploads, downloads, copies.

An object's content is a file of its bucket's folder, so that one that a program wrote there is an object too: it has
the generation of its file's time. What a client says of an object (type, metadata) is kept beside the cloud's objects
and holds for the file that it was said of.

Source: JSON API reference of Cloud Storage, "Object versioning", "Request preconditions", "Resumable uploads"; the XML
API's "GET Object", which Go's client reads media with.
"""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fonderie.core.errors import BadInputError
from fonderie.core.files import write_bytes
from fonderie.sandbox.cloud.buckets import Blob
from fonderie.sandbox.cloud.cloud import CloudObject
from fonderie.sandbox.cloud.documents import Document, Documents
from fonderie.sandbox.lifecycle.world import World
from fonderie.sandbox.rest.discovery import Call, RejectedError
from fonderie.sandbox.rest.http import HttpRequest, Reply
from fonderie.sandbox.rules import agents

_PAGE = 1000
_WRITABLE = ("contentType", "contentEncoding", "contentLanguage", "contentDisposition", "cacheControl", "metadata")
_CONDITION = "At least one of the pre-conditions you specified did not hold."
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")


@dataclass
class Upload:
    """A resumable upload that has not ended."""

    call: Call
    content: bytearray = field(default_factory=bytearray)


class Storage:
    """Buckets that are there, and their objects."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._about = Documents(world.cloud, "storage object")
        self._uploads: dict[str, Upload] = {}

    def handle(self, call: Call) -> Document | Reply:
        """Answer one call."""
        if call.method == "storage.projects.serviceAccount.get":
            return self._agent(call.path["projectId"])
        if call.method == "storage.buckets.list":
            raise RejectedError(501, "notImplemented", f"the sandbox has no {call.method}")
        bucket = self._bucket(call.path.get("bucket") or call.path.get("destinationBucket") or "")
        with self._world.cloud.transaction():
            match call.method.removeprefix("storage."):
                case "objects.insert":
                    return self._insert(bucket, call)
                case "objects.get":
                    return self._get(bucket, call)
                case "objects.list":
                    return self._list(bucket, call.query)
                case "objects.delete":
                    return self._delete(bucket, call)
                case "objects.patch" | "objects.update":
                    return self._patch(bucket, call)
                case "objects.copy":
                    return self._copy(call)
                case "objects.rewrite":
                    return self._rewritten(self._copy(call))
                case "objects.compose":
                    return self._compose(bucket, call)
        raise RejectedError(501, "notImplemented", f"the sandbox has no {call.method}")

    # -- what is there

    def _bucket(self, name: str) -> str:
        if self._thing(name) is None:
            raise RejectedError(404, "notFound", "The specified bucket does not exist.")
        return name

    def _thing(self, bucket: str) -> CloudObject | None:
        return self._world.cloud.live("google_storage_bucket", f"b/{bucket}")

    def _file(self, bucket: str, name: str) -> Path:
        return self._world.buckets.path(bucket) / name

    def _resource(self, bucket: str, name: str, generation: str = "") -> Document:
        """What is known of an object, or of that generation of it. Raises RejectedError when it is not there."""
        found = self._live(bucket, name)
        if found is None or (generation and generation != found["generation"]):
            versions = [each for each in self.versions(bucket, name) if each["generation"] == generation]
            if not versions:
                raise RejectedError(404, "notFound", f"No such object: {bucket}/{name}")
            return versions[0]
        return found

    def _live(self, bucket: str, name: str) -> Document | None:
        if not name or name.endswith("/") or not (file := self._file(bucket, name)).is_file():
            return None
        about: Document | None = self._about.get(f"{bucket}/{name}")
        status = file.stat()
        if about is None or about["stamp"] != [status.st_mtime_ns, status.st_size]:
            about = self._describe(bucket, name, file.read_bytes(), self._unsaid(bucket, name, status.st_mtime_ns))
            self._about[f"{bucket}/{name}"] = about
        return about

    def _unsaid(self, bucket: str, name: str, time_ns: int) -> Document:
        """Of an object that no client wrote: Terraform did, or a program wrote a file."""
        written = datetime.fromtimestamp(time_ns / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        thing = self._world.cloud.live("google_storage_bucket_object", f"b/{bucket}/o/{name}")
        attributes = thing.attributes if thing else {}
        generation = attributes.get("generation") or time_ns // 1000
        said = {"generation": str(generation), "timeCreated": written, "updated": written}
        if attributes.get("content_type"):
            said["contentType"] = attributes["content_type"]
        return said | ({"metadata": attributes["metadata"]} if attributes.get("metadata") else {})

    def _describe(self, bucket: str, name: str, content: bytes, said: Mapping[str, Any]) -> Document:
        status, blob = self._file(bucket, name).stat(), Blob.of(content)
        thing = self._thing(bucket)
        return {
            "kind": "storage#object",
            "id": f"{bucket}/{name}/{said['generation']}",
            "bucket": bucket,
            "name": name,
            "metageneration": "1",
            "storageClass": (thing.attributes.get("storage_class") if thing else None) or "STANDARD",
            "size": str(blob.size),
            "md5Hash": blob.md5_base64,
            "crc32c": blob.crc32c_base64,
            "etag": base64.b64encode(f"{said['generation']}/1".encode()).decode(),
            "contentType": "application/octet-stream",
            **said,
            "stamp": [status.st_mtime_ns, status.st_size],
        }

    # -- versions

    def _versioned(self, bucket: str) -> bool:
        thing = self._thing(bucket)
        blocks = (thing.attributes.get("versioning") if thing else None) or [{}]
        return bool(blocks[0].get("enabled"))

    def versions(self, bucket: str, prefix: str) -> Iterator[Document]:
        """Older generations of the objects whose names begin with `prefix`, while their contents are kept."""
        versions = Documents(self._world.cloud, "storage version")
        for _, about in versions.under(f"{bucket}/{prefix}"):
            if self._world.buckets.version(bucket, about["generation"]).is_file():
                yield about

    def _retire(self, bucket: str, about: Document) -> None:
        """What an object was before it is written over or deleted is kept, where its bucket has versions."""
        if not self._versioned(bucket):
            return
        content = self._world.buckets.read(bucket, about["name"]) or b""
        write_bytes(self._world.buckets.version(bucket, about["generation"]), content)
        key = f"{bucket}/{about['name']}#{about['generation']}"
        Documents(self._world.cloud, "storage version")[key] = about | {"timeDeleted": self._world.clock.timestamp()}

    # -- writing

    def _insert(self, bucket: str, call: Call) -> Document | Reply:
        if call.query.get("uploadType") == "resumable":
            identifier = uuid.uuid4().hex
            self._uploads[identifier] = Upload(call)
            host = call.headers.get("host", "")
            place = f"http://{host}/upload/storage/v1/b/{quote(bucket)}/o?uploadType=resumable&upload_id={identifier}"
            return Reply(200, b"", {"location": place, "x-guploader-uploadid": identifier})
        name = call.body.get("name") or call.query.get("name")
        if not name:
            raise RejectedError(400, "required", "Required")
        said = {key: call.body[key] for key in _WRITABLE if key in call.body}
        if "contentType" not in said and call.media_type:
            said["contentType"] = call.media_type
        for key, value in (("md5Hash", call.body.get("md5Hash")), ("crc32c", call.body.get("crc32c"))):
            self._intact(call.media, key, value)
        return _shown(self._write(bucket, name, call.media, said, call.query))

    @staticmethod
    def _intact(content: bytes, key: str, told: str | None) -> None:
        blob = Blob.of(content) if told else None
        if blob and told != (blob.md5_base64 if key == "md5Hash" else blob.crc32c_base64):
            raise RejectedError(400, "invalid", f"Provided {key} does not match the calculated one.")

    def _write(
        self, bucket: str, name: str, content: bytes, said: Mapping[str, Any], conditions: Mapping[str, str]
    ) -> Document:
        before = self._live(bucket, name)
        _hold(before, conditions)
        if before is not None:
            self._kept(bucket, before)
            self._retire(bucket, before)
        now = self._world.clock.now()
        generation = int(now.timestamp() * 1e6)
        if before is not None:
            generation = max(generation, int(before["generation"]) + 1)
        try:
            self._world.buckets.write(bucket, name, content)
        except BadInputError as error:
            raise RejectedError(501, "notImplemented", str(error)) from error
        stamp = self._world.clock.timestamp()
        told = {**said, "generation": str(generation), "timeCreated": stamp, "updated": stamp}
        about = self._about[f"{bucket}/{name}"] = self._describe(bucket, name, content, told)
        return about

    def _kept(self, bucket: str, about: Document) -> None:
        """A retention policy keeps an object for a while. Raises RejectedError before it ends."""
        thing = self._thing(bucket)
        policies = (thing.attributes.get("retention_policy") if thing else None) or []
        created = datetime.fromisoformat(about["timeCreated"])
        for policy in policies:
            if (self._world.clock.now() - created).total_seconds() < float(policy.get("retention_period") or 0):
                words = f"Object '{bucket}/{about['name']}' is subject to bucket's retention policy or object retention"
                raise RejectedError(403, "retentionPolicyNotMet", f"{words} and cannot be deleted or overwritten.")

    def continue_upload(self, request: HttpRequest) -> Reply | None:
        """A part of a resumable upload, or the question how far it is; None for any other request."""
        identifier = request.parameters.get("upload_id", "")
        if request.verb != "PUT" or not identifier:
            return None
        upload = self._uploads.get(identifier)
        if upload is None:
            raise RejectedError(404, "notFound", f"No such upload: {identifier}")
        spoken = _CONTENT_RANGE.fullmatch(request.headers.get("content-range", "").strip())
        start = int(spoken[1]) if spoken and spoken[1] else len(upload.content) if spoken else 0
        if start > len(upload.content):
            raise RejectedError(400, "invalid", "The range does not begin where the upload ends.")
        upload.content[start:] = request.body
        if spoken and (spoken[3] == "*" or int(spoken[3]) > len(upload.content)):
            ended = {"range": f"bytes=0-{len(upload.content) - 1}"} if upload.content else {}
            return Reply(308, b"", ended)
        del self._uploads[identifier]
        call = upload.call
        kind = call.headers.get("x-upload-content-type", "application/octet-stream")
        query = {name: value for name, value in call.query.items() if name != "uploadType"}
        whole = replace(call, query=query, media=bytes(upload.content), media_type=kind)
        return Reply.of(self.handle(whole))

    def _delete(self, bucket: str, call: Call) -> Reply:
        name, generation = call.path["object"], call.query.get("generation", "")
        about = self._resource(bucket, name, generation)
        _hold(about, call.query)
        self._kept(bucket, about)
        if generation and about.get("timeDeleted"):
            self._world.buckets.version(bucket, generation).unlink(missing_ok=True)
        else:
            if not generation:
                self._retire(bucket, about)
            self._world.buckets.delete(bucket, name)
        return Reply(204)

    def _patch(self, bucket: str, call: Call) -> Document:
        about = self._resource(bucket, call.path["object"], call.query.get("generation", ""))
        _hold(about, call.query)
        if call.method.endswith("update"):
            about = {key: value for key, value in about.items() if key not in _WRITABLE}
        for key in _WRITABLE:
            if key in call.body:
                about[key] = call.body[key]
        if isinstance(call.body.get("metadata"), dict):
            about["metadata"] = {key: value for key, value in call.body["metadata"].items() if value is not None}
        count = int(about["metageneration"]) + 1
        etag = base64.b64encode(f"{about['generation']}/{count}".encode()).decode()
        about |= {"metageneration": str(count), "updated": self._world.clock.timestamp(), "etag": etag}
        self._about[f"{bucket}/{about['name']}"] = about
        return _shown(about)

    def _copy(self, call: Call) -> Document:
        source = self._bucket(call.path["sourceBucket"])
        about = self._resource(source, call.path["sourceObject"], call.query.get("sourceGeneration", ""))
        _hold(about, call.query, "ifSource")
        said = {key: about[key] for key in _WRITABLE if key in about} | {
            key: call.body[key] for key in _WRITABLE if key in call.body
        }
        target = self._bucket(call.path["destinationBucket"])
        return _shown(
            self._write(target, call.path["destinationObject"], self._content(source, about), said, call.query)
        )

    @staticmethod
    def _rewritten(resource: Document) -> Document:
        size = resource["size"]
        return {
            "kind": "storage#rewriteResponse",
            "totalBytesRewritten": size,
            "objectSize": size,
            "done": True,
            "resource": resource,
        }

    def _compose(self, bucket: str, call: Call) -> Document:
        content = b""
        for source in call.body.get("sourceObjects", []):
            about = self._resource(bucket, source["name"], source.get("generation") or "")
            _hold(about, source.get("objectPreconditions") or {})
            content += self._content(bucket, about)
        said = {key: value for key, value in call.body.get("destination", {}).items() if key in _WRITABLE}
        return _shown(self._write(bucket, call.path["destinationObject"], content, said, call.query))

    # -- reading

    def _content(self, bucket: str, about: Document) -> bytes:
        if about.get("timeDeleted"):
            return self._world.buckets.version(bucket, about["generation"]).read_bytes()
        return self._world.buckets.read(bucket, about["name"]) or b""

    def _get(self, bucket: str, call: Call) -> Document | Reply:
        about = self._resource(bucket, call.path["object"], call.query.get("generation", ""))
        _hold(about, call.query)
        return self._media(bucket, about, call.headers) if call.query.get("alt") == "media" else _shown(about)

    def read(self, bucket: str, name: str, generation: str, headers: Mapping[str, str]) -> Reply:
        """The XML API's way to an object's content: `/BUCKET/OBJECT`. Raises RejectedError."""
        with self._world.cloud.transaction():
            return self._media(bucket, self._resource(self._bucket(bucket), name, generation), headers)

    def _media(self, bucket: str, about: Document, headers: Mapping[str, str]) -> Reply:
        content = self._content(bucket, about)
        told = {
            "content-type": about.get("contentType", "application/octet-stream"),
            "etag": f'"{about["etag"]}"',
            "last-modified": format_datetime(datetime.fromisoformat(about["updated"]), usegmt=True),
            "x-goog-generation": about["generation"],
            "x-goog-metageneration": about["metageneration"],
            "x-goog-stored-content-length": about["size"],
            "x-goog-stored-content-encoding": "identity",
            "x-goog-storage-class": about["storageClass"],
            "x-goog-hash": f"crc32c={about['crc32c']},md5={about['md5Hash']}",
            "accept-ranges": "bytes",
        }
        asked = _RANGE.fullmatch(headers.get("range", ""))
        if asked and (asked[1] or asked[2]):
            size = len(content)
            first = int(asked[1]) if asked[1] else max(size - int(asked[2]), 0)
            last = min(int(asked[2]), size - 1) if asked[1] and asked[2] else size - 1
            if first >= size:
                raise RejectedError(416, "requestedRangeNotSatisfiable", "Request range not satisfiable")
            return Reply(206, content[first : last + 1], told | {"content-range": f"bytes {first}-{last}/{size}"})
        return Reply(200, content, told)

    def _list(self, bucket: str, query: Mapping[str, str]) -> Document:
        for unknown in ("softDeleted", "filter"):
            if query.get(unknown):
                raise RejectedError(501, "notImplemented", f"the sandbox lists no objects by {unknown}")
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        after, before = query.get("startOffset", ""), query.get("endOffset", "")
        names = [name for name in self._world.buckets.objects(bucket) if name.startswith(prefix)]
        if glob := query.get("matchGlob"):
            names = [name for name in names if _globbed(glob, name)]
        found = [(name, "") for name in names]
        older = {}
        if query.get("versions", "").lower() == "true":
            older = {(each["name"], each["generation"]): each for each in self.versions(bucket, prefix)}
            found = sorted([*found, *older], key=lambda key: (key[0], key[1] or "~"))
        items: list[Document] = []
        prefixes: dict[str, None] = {}
        last, size, previous = query.get("pageToken", ""), int(query.get("maxResults", _PAGE)), ""
        for name, generation in found:
            key = f"{name}#{generation or '~'}"
            folder = name[len(prefix) :].partition(delimiter)[0] if delimiter else ""
            within = bool(delimiter) and delimiter in name[len(prefix) :]
            if name < after or (before and name >= before) or (last and key <= base64.b64decode(last).decode()):
                continue
            if within and f"{prefix}{folder}{delimiter}" in prefixes:
                continue
            if len(items) + len(prefixes) >= size:
                more = {"nextPageToken": base64.b64encode(previous.encode()).decode()}
                return {"kind": "storage#objects", "items": items, "prefixes": list(prefixes), **more}
            if within:
                prefixes[f"{prefix}{folder}{delimiter}"] = None
                previous = f"{prefix}{folder}{delimiter}\uffff"
            else:
                items.append(_shown(older.get((name, generation)) or self._resource(bucket, name)))
                previous = key
        listing: Document = {"kind": "storage#objects"}
        return listing | ({"items": items} if items else {}) | ({"prefixes": list(prefixes)} if prefixes else {})

    def _agent(self, project: str) -> Document:
        """The service agent, which comes into being when it is asked for."""
        email = agents.email("storage.googleapis.com", self._world.cloud.number_of(project))
        self._world.cloud.add_agent(email)
        return {"kind": "storage#serviceAccount", "email_address": email}


def _globbed(glob: str, name: str) -> bool:
    """Whether a glob fits a name. Raises RejectedError for sets. Source: Cloud Storage, "Filter results by glob"."""
    if set(glob) & set("[]{}"):
        raise RejectedError(501, "notImplemented", f"the sandbox lists no objects by matchGlob {glob}")
    words = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    pattern = "".join(words.get(part, re.escape(part)) for part in re.split(r"(\*\*|\*|\?)", glob))
    return re.fullmatch(pattern, name) is not None


def _shown(about: Document) -> Document:
    return {key: value for key, value in about.items() if key != "stamp"}


def _hold(about: Document | None, conditions: Mapping[str, str], prefix: str = "if") -> None:
    """Raise RejectedError unless an object is of the generations that the request wants; 0 wants none to be there."""
    generation = about["generation"] if about else "0"
    count = about["metageneration"] if about else "0"
    for name, held in (("Generation", generation), ("Metageneration", count)):
        wanted, unwanted = conditions.get(f"{prefix}{name}Match"), conditions.get(f"{prefix}{name}NotMatch")
        if (wanted is not None and int(wanted) != int(held)) or (unwanted is not None and int(unwanted) == int(held)):
            raise RejectedError(412, "conditionNotMet", _CONDITION)
