"""Parquet files, whole or absent; what is wrong with one is said in a sentence."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fonderie.core.errors import BadDataError, StepFailedError
from fonderie.core.files import replacing


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """The file's table. Raises BadDataError when it is absent, truncated or no Parquet at all."""
    try:
        return pq.read_table(path, columns=columns, partitioning=None)
    except FileNotFoundError:
        raise BadDataError("does not exist", where=path) from None
    except (pa.ArrowException, OSError) as error:
        reason = str(error).split("\n")[0].rstrip(".")
        raise BadDataError(
            f"cannot be read as Parquet: {reason}",
            where=path,
            hint="it is truncated or damaged: replace it, or delete it if Fonderie wrote it",
        ) from None


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write `table`, whole or not at all. Raises StepFailedError when the disk does not take it."""
    try:
        with replacing(path) as draft:
            pq.write_table(table, draft, compression="zstd", compression_level=1)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        reason = "the disk is full" if full else (error.strerror or str(error))
        hint = "free some space and run again; nothing half-written is left" if full else None
        raise StepFailedError(f"cannot be written: {reason}", where=path, hint=hint) from error


def content_hash(path: Path) -> str:
    """sha256 of the file's bytes, in hexadecimal. Raises BadDataError when it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadDataError(f"cannot be read: {error.strerror}", where=path) from None
