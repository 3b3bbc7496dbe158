"""Revisions of the repository: their commits, and their files laid out in a folder of their own."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

from fonderie.errors import BadInputError, MissingToolError

ROOT = Path(__file__).parents[2]


def _git(root: Path, *arguments: str) -> bytes:
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, check=False)
    except FileNotFoundError as error:
        raise MissingToolError("git is not installed") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().split("\n")[-1]
        raise BadInputError(f"git {arguments[0]}: {said}", where=root)
    return done.stdout


def commit(revision: str, root: Path = ROOT) -> str:
    """The commit a revision names. Raises BadInputError when it names none."""
    if revision.startswith("-"):
        raise BadInputError(f"{revision!r} is no revision", where=root)
    try:
        return (
            _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
            .decode()
            .strip()
        )
    except BadInputError as error:
        raise BadInputError(f"no revision {revision!r} here", where=root, hint="fetch it, or name another") from error


def tree(revision: str, root: Path = ROOT) -> str:
    """The id of a revision's files."""
    return _git(root, "rev-parse", "--verify", f"{commit(revision, root)}^{{tree}}").decode().strip()


def default_base(head: str, root: Path = ROOT) -> str:
    """Where the branch of `head` left the main one."""
    for main in ("origin/main", "main"):
        try:
            return _git(root, "merge-base", commit(main, root), commit(head, root)).decode().strip()
        except BadInputError:
            continue
    raise BadInputError("there is no main branch to compare with", where=root, hint="name the base: --base REVISION")


def short(revision: str) -> str:
    """As people write it."""
    return revision[:9]


def lay_out(revision: str, folder: Path, root: Path = ROOT) -> Path:
    """Write a revision's files into `folder`, with the generated parts of this working copy beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / ".archive.tar"
    archive.write_bytes(_git(root, "archive", "--format=tar", commit(revision, root)))
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    archive.unlink()
    generated = folder / "imports"
    if (root / "imports").is_dir() and not generated.exists():
        generated.symlink_to((root / "imports").absolute(), target_is_directory=True)
    return folder


def model_files(folder: Path) -> dict[str, str]:
    """The model files below a working copy: name -> TOML."""
    found = sorted((folder / "ml" / "models").glob("*.toml"))
    return {path.stem: path.read_text(encoding="utf-8", errors="replace") for path in found}


def environments_in(folder: Path) -> list[str]:
    """The environments a working copy has settings for: production last."""
    names = {path.stem for path in (folder / "infra" / "environments").glob("*.toml")}
    order = ["local", "dev", "staging"]
    return sorted(names, key=lambda name: (name.startswith("prod"), order.index(name) if name in order else 9, name))
