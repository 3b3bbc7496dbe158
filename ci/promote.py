"""Promotion is a pull request that moves digests from one environment's settings to another's."""

from __future__ import annotations

import re
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

from ci.preview.build.revisions import ROOT
from fonderie.core.errors import BadInputError, ConflictError, StepFailedError
from fonderie.core.git import line

_IMAGE = re.compile(r"(?P<repository>[^@\s]+)@(?P<digest>sha256:[0-9a-f]{64})")


@dataclass(frozen=True)
class Move:
    """One image that moves; digests with their algorithm."""

    image: str
    before: str
    after: str


@dataclass(frozen=True)
class Promotion:
    """What a promotion's pull request says. `moves` is empty when there is nothing to promote."""

    source: str
    target: str
    moves: tuple[Move, ...]
    text: str = ""

    @property
    def branch(self) -> str:
        """Named by where it goes and what it brings: the same promotion is the same branch."""
        return f"promote/{self.source}-to-{self.target}-{self.moves[0].after.removeprefix('sha256:')[:12]}"

    @property
    def title(self) -> str:
        """The commit's first line."""
        return f"Promote {', '.join(move.image for move in self.moves)} from {self.source} to {self.target}"

    @property
    def body(self) -> str:
        """What the reviewer reads; what else changes is in the preview of it."""
        rows = "".join(f"| {move.image} | `{move.before}` | `{move.after}` |\n" for move in self.moves)
        return (
            f"{self.target} gets the images that {self.source} runs. The pipelines are compiled for their image, so "
            f"their templates move with it; the preview lists them.\n\n"
            f"| image | before | after |\n|---|---|---|\n{rows}"
        )


def promotion(source: str, target: str, root: Path = ROOT) -> Promotion:
    """What would move. Each environment has its own registry: the digest moves, the repository stays.

    Raises BadInputError for an environment without settings, or settings without images.
    """
    if source == target:
        raise BadInputError(f"{source} cannot be promoted to itself")
    text = _file(target, root).read_text(encoding="utf-8")
    have, want = _images(target, root), _images(source, root)
    moves = []
    for image in sorted(have.keys() & want.keys()):
        old, new = (_IMAGE.fullmatch(value) for value in (have[image], want[image]))
        if old is None or new is None:
            raise BadInputError(f"images.{image} is not pinned by digest", where=_file(target, root))
        if old["digest"] != new["digest"]:
            moves.append(Move(image, old["digest"], new["digest"]))
            text = text.replace(old[0], f"{old['repository']}@{new['digest']}")
    return Promotion(source, target, tuple(moves), text)


def _file(environment: str, root: Path) -> Path:
    path = root / "infra" / "environments" / f"{environment}.toml"
    if not re.fullmatch(r"[a-z][a-z0-9]{1,7}", environment) or not path.is_file():
        raise BadInputError(f"unknown environment {environment!r}", where=path.parent)
    return path


def _images(environment: str, root: Path) -> dict[str, str]:
    path = _file(environment, root)
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8")).get("images") or {}
    except tomllib.TOMLDecodeError as error:
        raise BadInputError(f"not TOML: {error}", where=path) from error
    if not found:
        raise BadInputError("has no [images]", where=path)
    return {name: str(value) for name, value in found.items()}


def prepare(made: Promotion, root: Path = ROOT, base: str = "HEAD") -> str:
    """Make the branch and its commit, without touching the working copy; the commit.

    Raises ConflictError when the branch is there already.
    """
    if line(root, "branch", "--list", made.branch):
        raise ConflictError(f"the branch {made.branch} already exists", hint="it holds this promotion: push it")
    with tempfile.TemporaryDirectory(prefix="fonderie-promote-") as scratch:
        folder = Path(scratch) / "work"
        line(root, "worktree", "add", "--quiet", "-b", made.branch, str(folder), base)
        try:
            file = _file(made.target, folder)
            file.write_text(made.text, encoding="utf-8")
            line(folder, "commit", "--quiet", "-m", f"{made.title}\n\n{made.body}", "--", str(file))
            return line(folder, "rev-parse", "HEAD")
        except StepFailedError:
            line(root, "worktree", "remove", "--force", str(folder))
            line(root, "branch", "--quiet", "-D", made.branch)
            raise
        finally:
            if folder.exists():
                line(root, "worktree", "remove", "--force", str(folder))


def push(made: Promotion, root: Path = ROOT) -> None:
    """Push the branch to `origin`."""
    line(root, "push", "--quiet", "origin", made.branch)
