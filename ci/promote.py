"""Promotion is a pull request that moves digests from one environment's settings to another's."""

from __future__ import annotations

import re
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ci.manifests import beside
from ci.preview.build.revisions import ROOT
from fonderie.core.errors import BadInputError, ConflictError, RefusedError, StepFailedError
from fonderie.core.git import line
from fonderie.google import Access
from fonderie.google.artifacts import exists

IMAGES = ("pipelines", "serving")
MANIFESTS = "manifests"
_TABLES = {**dict.fromkeys(IMAGES, "images"), MANIFESTS: "kubeflow"}
_IMAGE = re.compile(r"(?P<repository>[^@\s]+)@(?P<digest>sha256:[0-9a-f]{64})")


@dataclass(frozen=True)
class Move:
    """One image, or the manifests, that move; digests with their algorithm. `before` is empty where there was none."""

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
        rows = "".join(f"| {move.image} | `{move.before or 'none'}` | `{move.after}` |\n" for move in self.moves)
        return (
            f"{self.target} gets the images that {self.source} runs, and what was rendered for its cluster from the "
            f"same commit. The pipelines are compiled for their image, so their templates move with it; the preview "
            f"lists them.\n\n"
            f"| image | before | after |\n|---|---|---|\n{rows}"
        )


def promotion(source: str, target: str, root: Path = ROOT) -> Promotion:
    """What would move. Both pull from one registry, so the target gets what the source names, and nothing is copied;
    of the manifests, those that were rendered for it from the source's commit.

    Raises BadInputError for an environment without settings, a source without images, or registries that differ;
    RefusedError for what the registry does not hold.
    """
    if source == target:
        raise BadInputError(f"{source} cannot be promoted to itself")
    have, want = _named(target, root), _named(source, root)
    if not any(image in want for image in IMAGES):
        raise BadInputError("names no image to promote", where=_file(source, root))
    access = Access.from_environment(_one_registry(source, target, root))
    if MANIFESTS in want:
        want[MANIFESTS] = _rendered_beside(access, want[MANIFESTS], source, target, root)
    moves, text = [], _file(target, root).read_text(encoding="utf-8")
    for name, after in want.items():
        before = have.get(name, "")
        if before == after:
            continue
        if not exists(access, after):
            raise RefusedError(f"not in the registry: {after}", where=_file(source, root), hint="build it again")
        moves.append(Move(name, before.rpartition("@")[2], after.rpartition("@")[2]))
        text = text.replace(before, after) if before else _with(text, _TABLES[name], name, after)
    return Promotion(source, target, tuple(moves), text)


def _rendered_beside(access: Access, reference: str, source: str, target: str, root: Path) -> str:
    """The manifests for the target of the commit that made the source's. Raises BadInputError where none are noted."""
    if found := beside(access, reference, target):
        return found
    hint = f"push them again (`fonderie manifests push --env {source}`) and let {source} name those first"
    raise BadInputError(f"the manifests of {source} note none for {target}", where=_file(source, root), hint=hint)


def _one_registry(source: str, target: str, root: Path) -> str:
    """The project of the registry. Raises BadInputError: the target has another one, or may not pull from this."""
    owners = {name: _images(name, root).get("registry", name) for name in (source, target)}
    if owners[source] != owners[target]:
        hint = f'set registry = "{owners[source]}" in [images]'
        raise BadInputError(
            f"{target} does not pull from the registry of {owners[source]}", where=_file(target, root), hint=hint
        )
    owner = owners[source]
    if target not in (owner, *_images(owner, root).get("readers", ())):
        hint = f"add it to readers in [images], and deploy {owner}: docs/platform.md"
        raise BadInputError(f"{target} may not pull from the registry of {owner}", where=_file(owner, root), hint=hint)
    return str(_settings(owner, root).get("project_id", ""))


def _with(text: str, section: str, name: str, reference: str) -> str:
    """The file with something that it did not name, at the end of its table."""
    head, table, rest = text.partition(f"[{section}]\n")
    if not table:
        return f'{text.rstrip()}\n\n[{section}]\n{name} = "{reference}"\n'
    keys = re.match(r"(?:[^\[\n].*\n)*", rest)
    end = keys.end() if keys else 0
    return f'{head}{table}{rest[:end]}{name} = "{reference}"\n{rest[end:]}'


def _file(environment: str, root: Path) -> Path:
    path = root / "infra" / "environments" / f"{environment}.toml"
    if not re.fullmatch(r"[a-z][a-z0-9]{1,7}", environment) or not path.is_file():
        raise BadInputError(f"unknown environment {environment!r}", where=path.parent)
    return path


def _settings(environment: str, root: Path) -> dict[str, Any]:
    path = _file(environment, root)
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise BadInputError(f"not TOML: {error}", where=path) from error


def _images(environment: str, root: Path) -> dict[str, Any]:
    return dict(_settings(environment, root).get("images") or {})


def _named(environment: str, root: Path) -> dict[str, str]:
    """What an environment names by digest, images first. Raises BadInputError for what has none."""
    tables = _settings(environment, root)
    found = {name: str(value) for name, table in _TABLES.items() if (value := (tables.get(table) or {}).get(name))}
    for name, value in found.items():
        if not _IMAGE.fullmatch(value):
            raise BadInputError(f"{_TABLES[name]}.{name} is not pinned by digest", where=_file(environment, root))
    return found


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


def published(root: Path = ROOT) -> str:
    """The commit of the remote's main branch, fetched now: what is promoted is what was merged, and nothing else.

    Raises BadInputError without a remote, StepFailedError when it does not answer.
    """
    if "origin" not in line(root, "remote").split():
        raise BadInputError("there is no remote `origin`", where=root, hint="a promotion starts from its main branch")
    line(root, "fetch", "--quiet", "--no-tags", "origin", "main")
    return line(root, "rev-parse", "FETCH_HEAD")
