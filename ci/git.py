"""The git command, its failures in words."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from ci.preview.masking.patterns import without_patterns
from fonderie.core.errors import BadInputError, MissingToolError, StepFailedError

_TIMEOUT_S = 300


def git(root: Path, *arguments: str) -> bytes:
    """What a git command answers. Raises BadInputError with the last line it said, without a login it may hold."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            check=False,
            timeout=_TIMEOUT_S,
            env={**os.environ, "GIT_TERMINAL_PROMPT": "0"},
        )
    except FileNotFoundError as error:
        raise MissingToolError("git is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise StepFailedError(f"git {arguments[0]} took more than {_TIMEOUT_S} s", where=root) from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().split("\n")[-1] or f"exit code {done.returncode}"
        raise BadInputError(f"git {arguments[0]}: {without_patterns(said)}", where=root)
    return done.stdout


def line(root: Path, *arguments: str) -> str:
    """The same for an answer of one line."""
    return git(root, *arguments).decode(errors="replace").strip()
