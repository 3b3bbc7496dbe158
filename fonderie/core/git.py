"""The git command: what it answers, and its failures in words."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from fonderie.core.errors import BadInputError, MissingToolError, StepFailedError

_TIMEOUT_S = 300
_LOGIN = re.compile(r"(?<=://)[^/\s]+@")


def git(root: Path, *arguments: str, variables: Mapping[str, str] | None = None) -> bytes:
    """What a git command answers; `variables` are added to its environment.

    Raises StepFailedError with the last line it said, without a login it may hold; BadInputError outside a repository.
    """
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            check=False,
            timeout=_TIMEOUT_S,
            env={**os.environ, "GIT_TERMINAL_PROMPT": "0", **(variables or {})},
        )
    except FileNotFoundError as error:
        raise MissingToolError("git is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise StepFailedError(f"git {arguments[0]} took more than {_TIMEOUT_S} s", where=root) from error
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().split("\n")[-1] or f"exits with {done.returncode}"
        kind = BadInputError if "not a git repository" in last else StepFailedError
        raise kind(f"git {arguments[0]}: {_LOGIN.sub('', last)}", where=root)
    return done.stdout


def line(root: Path, *arguments: str) -> str:
    """The same for an answer of one line."""
    return git(root, *arguments).decode(errors="replace").strip()
