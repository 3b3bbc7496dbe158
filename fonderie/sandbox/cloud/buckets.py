"""A bucket of the stand-in is a folder beside the cloud file, and its objects are files: pipelines write into it."""

from __future__ import annotations

import base64
import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from fonderie.core.errors import BadInputError
from fonderie.core.files import write_bytes

_VERSIONS = ".versions"  # no bucket begins with a dot


@dataclass(frozen=True)
class Blob:
    """What is known of an object's content."""

    size: int
    md5: bytes
    crc32c: int

    @property
    def md5_base64(self) -> str:
        """Base64 of the digest, as Cloud Storage reports it."""
        return base64.b64encode(self.md5).decode()

    @property
    def crc32c_base64(self) -> str:
        """Base64 of the big-endian checksum, as Cloud Storage reports it."""
        return base64.b64encode(self.crc32c.to_bytes(4, "big")).decode()

    @classmethod
    def of(cls, content: bytes) -> Blob:
        """Size and hashes of `content`."""
        return cls(len(content), hashlib.md5(content, usedforsecurity=False).digest(), _crc32c(content))


@dataclass(frozen=True)
class Buckets:
    """The buckets beside one cloud file: `google.sqlite` has its buckets in `google.buckets/`."""

    cloud_file: Path

    @property
    def folder(self) -> Path:
        """The folder with one folder for each bucket."""
        return self.cloud_file.with_suffix(".buckets")

    def path(self, bucket: str) -> Path:
        """The folder of one bucket. Raises BadInputError for a name that leaves the buckets' folder."""
        return self.folder / _safe(bucket)

    def make(self, bucket: str) -> None:
        """Create a bucket's folder, replacing an old one."""
        self.remove(bucket)
        self.path(bucket).mkdir(parents=True)

    def remove(self, bucket: str) -> None:
        """Remove a bucket with all it holds."""
        shutil.rmtree(self.path(bucket), ignore_errors=True)
        shutil.rmtree(self.folder / _VERSIONS / bucket, ignore_errors=True)

    def objects(self, bucket: str) -> list[str]:
        """Names of the objects in a bucket, sorted."""
        folder = self.path(bucket)
        return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())

    def read(self, bucket: str, name: str) -> bytes | None:
        """The content of an object; None when there is none of that name."""
        file = self.path(bucket) / _safe(name)
        return file.read_bytes() if file.is_file() else None

    def version(self, bucket: str, generation: str) -> Path:
        """The file that keeps a generation of an object which is written over or deleted."""
        return self.folder / _VERSIONS / _safe(bucket) / _safe(generation)

    def write(self, bucket: str, name: str, content: bytes) -> None:
        """Write an object, whole or not at all. Raises BadInputError where a file system cannot hold its name."""
        try:
            write_bytes(self.path(bucket) / _safe(name), content)
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise BadInputError(
                f"a bucket of the sandbox is a folder, so it cannot hold both {name} and something under that name",
                where=f"gs://{bucket}",
            ) from error

    def delete(self, bucket: str, name: str) -> None:
        """Remove an object, and the folders it leaves empty."""
        file = self.path(bucket) / _safe(name)
        file.unlink(missing_ok=True)
        for folder in file.parents:
            if folder == self.path(bucket) or not folder.is_dir() or any(folder.iterdir()):
                break
            folder.rmdir()


def _safe(name: str) -> Path:
    path = Path(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise BadInputError(f"{name!r} cannot name a folder or file in the sandbox")
    return path


def _crc32c(content: bytes) -> int:
    """Castagnoli's CRC, which Cloud Storage uses; from the library that comes with Google's client."""
    import google_crc32c

    value: int = google_crc32c.value(content)
    return value
