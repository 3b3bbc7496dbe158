"""Revisions of the repository: their commits, and their files laid out in a folder of their own.

A checkout in continuous integration often has one commit and no other branch: what a shallow clone lacks is fetched. In
a whole one, what is not there is for the person to fetch.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from contextlib import suppress
from pathlib import Path

from ci.preview.build.surroundings import harmless
from fonderie.core.errors import BadInputError, FonderieError, MissingToolError, StepFailedError
from fonderie.core.git import git, line
from fonderie.core.home import home
from infra.settings import environment_names

ROOT = Path(__file__).parents[3]
_FETCH_IT = "git fetch, or name another"
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_STEPS = ("--deepen=50", "--deepen=500", "--unshallow")


def commit(revision: str, root: Path = ROOT) -> str:
    """The commit a revision names, fetched if this is a shallow clone. Raises BadInputError when it names none."""
    if not revision or revision.startswith("-"):
        raise BadInputError(f"invalid revision {revision!r}", where=root)
    try:
        return _here(revision, root)
    except StepFailedError as error:
        if not _is_shallow(root):
            raise BadInputError(f"no revision {revision!r} here", where=root, hint=_FETCH_IT) from error
    try:
        return _here(_fetch(revision, root), root)
    except FonderieError as error:
        raise BadInputError(
            f"no revision {revision!r} in this shallow clone, and fetching it failed: {error.what}",
            where=root,
            hint="check out with history (actions/checkout: `fetch-depth: 0`; else `git fetch --unshallow`)",
        ) from error


def _here(revision: str, root: Path) -> str:
    return line(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")


def _is_shallow(root: Path) -> bool:
    """Whether the clone lacks history."""
    return line(root, "rev-parse", "--is-shallow-repository") == "true"


def _fetch(revision: str, root: Path) -> str:
    """Fetch one commit or one branch of the remote (`origin/main`, `main`), without its history; its name here.

    Raises StepFailedError when the remote does not give it, BadInputError without a remote.
    """
    remote = _remote(root)
    if _COMMIT.fullmatch(revision):
        _fetched(root, "--depth=1", remote, revision)
        return revision
    branch = revision.removeprefix(f"{remote}/")
    here = f"refs/remotes/{remote}/{branch}"
    _fetched(root, "--depth=1", remote, f"+refs/heads/{branch}:{here}")
    return here


def _fetched(root: Path, depth: str, remote: str, *what: str) -> None:
    git(root, "fetch", "--quiet", "--no-tags", depth, remote, *what, variables=_log_in(root, remote))


def _log_in(root: Path, remote: str) -> dict[str, str]:
    """Variables that let git read a private repository of the Git host with GITHUB_TOKEN, the preview's own.

    Cloud Build leaves no login in the clone. The token is sent to that host only, and not where the clone has a login
    already: GitHub refuses two. It is not an argument, which every process could read, and not kept. Source:
    git-config, "http.<url>.*" and GIT_CONFIG_COUNT; actions/checkout writes the same.
    """
    token, host = os.environ.get("GITHUB_TOKEN"), os.environ.get("GITHUB_SERVER_URL") or "https://github.com"
    url = line(root, "remote", "get-url", remote)
    if not token or not url.startswith(f"{host}/"):
        return {}
    with suppress(StepFailedError):  # there is none
        if line(root, "config", "--get-urlmatch", "http.extraHeader", url):
            return {}
    login = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{host}/.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {login}",
    }


def _common_ancestor(one: str, other: str, root: Path) -> str:
    """Where two commits parted; a shallow clone is deepened until that is there. Raises BadInputError without one."""
    steps = list(_STEPS)
    while True:
        try:
            return line(root, "merge-base", one, other)
        except StepFailedError as error:
            if not _is_shallow(root) or not steps:
                raise BadInputError(f"{one[:9]} and {other[:9]} have no common commit", where=root) from error
        _fetched(root, steps.pop(0), _remote(root))


def _remote(root: Path) -> str:
    names = line(root, "remote").split()
    if not names:
        raise BadInputError("this shallow clone has no remote to fetch from", where=root)
    return "origin" if "origin" in names else names[0]


def first_parent(revision: str, root: Path = ROOT) -> str:
    """What a branch was at before a commit; fetched if this is a shallow clone."""
    if _is_shallow(root):
        _fetched(root, "--deepen=50", _remote(root))
    return commit(f"{commit(revision, root)}^1", root)


def is_ancestor(one: str, other: str, root: Path = ROOT) -> bool:
    """Whether `other` holds `one`; False for a commit that is not here."""
    try:
        return line(root, "merge-base", commit(one, root), commit(other, root)) == one
    except FonderieError:
        return False


def since(one: str, other: str, root: Path = ROOT) -> list[str]:
    """The commits of a branch after `one` and before `other`, by first parents, the oldest first."""
    return line(root, "rev-list", "--first-parent", "--reverse", f"{one}..{other}^1").split()


def tree(revision: str, root: Path = ROOT) -> str:
    """The id of a revision's files."""
    return line(root, "rev-parse", "--verify", f"{commit(revision, root)}^{{tree}}")


def default_base(head: str, root: Path = ROOT) -> str:
    """Where the branch of `head` left the main one."""
    here = commit(head, root)
    for main in ("origin/main", "main"):
        try:
            there = commit(main, root)
        except BadInputError:
            continue
        return _common_ancestor(there, here, root)
    raise BadInputError("there is no main branch to compare with", where=root, hint="name the base: --base REVISION")


def short(revision: str) -> str:
    """As people write it."""
    return revision[:9]


def lay_out(revision: str, folder: Path, root: Path = ROOT, *, bindings: bool = True) -> Path:
    """Write a revision's files into `folder`, with the generated bindings beside them unless its code is not run."""
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / ".archive.tar"
    archive.write_bytes(git(root, "archive", "--format=tar", commit(revision, root)))
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    archive.unlink()
    if bindings:
        _beside(folder, root)
    return folder


def _beside(folder: Path, root: Path) -> None:
    """The generated bindings, which no commit holds: the working copy's, or its own where those are of another pin.

    A revision that pins another provider than the working copy could not be synthesised with ours.
    """
    generated = folder / "imports"
    if not (root / "imports").is_dir() or generated.exists():
        return
    generated.unlink(missing_ok=True)  # of a working copy that is gone
    own = _made_of(folder)
    bindings = root / "imports" if own in ("", _made_of(root)) else _bindings(folder, own, root)
    generated.symlink_to(bindings.absolute(), target_is_directory=True)


def _made_of(folder: Path) -> str:
    """A digest of what a revision's bindings are generated from: the pin, the generator, the cut schema."""
    schemas = sorted((folder / "fonderie" / "sandbox" / "provider").glob("google@*.json"))
    if not schemas or not (folder / "cdktf.json").is_file():
        return ""
    found = hashlib.sha256()
    for file in (folder / "cdktf.json", folder / "package-lock.json", *schemas):
        found.update(file.name.encode() + b"\0" + (file.read_bytes() if file.is_file() else b""))
    return found.hexdigest()


def _bindings(folder: Path, made_of: str, root: Path) -> Path:
    """The bindings of a revision, generated once: as `make bindings` does, which takes half a minute.

    Raises StepFailedError with what cdktf said, MissingToolError without it.
    """
    place = home() / "cache" / "preview" / "imports" / made_of[:32]
    if place.is_dir():
        os.utime(place)
        return place
    command = root / "node_modules" / ".bin" / "cdktf"
    if not command.exists():
        raise MissingToolError("cdktf is not installed", where=command, hint="run `make setup`")
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".generating-", dir=place.parent))
    shutil.copy2(folder / "cdktf.json", draft)
    surroundings = {
        **harmless(),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "CI": "1",
        "FORCE_COLOR": "0",
        "CDKTF_EXPERIMENTAL_PROVIDER_SCHEMA_CACHE_PATH": str((folder / "fonderie" / "sandbox" / "provider").absolute()),
    }
    words = [str(command.absolute()), "get", "--force"]
    done = subprocess.run(words, cwd=draft, env=surroundings, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode or not (draft / "imports").is_dir():
        said = (done.stdout + done.stderr).strip().split("\n")[-1]
        shutil.rmtree(draft, ignore_errors=True)
        raise StepFailedError(f"the bindings of {_pin(folder)} could not be generated: {said}", where=folder)
    take_place(draft / "imports", place, most=4)
    shutil.rmtree(draft, ignore_errors=True)
    return place


def _pin(folder: Path) -> str:
    return ", ".join(json.loads((folder / "cdktf.json").read_text(encoding="utf-8")).get("terraformProviders", []))


def kept(revision: str, root: Path = ROOT) -> Path:
    """A revision's files, laid out once for each content and kept."""
    folder = home() / "cache" / "preview" / "trees" / tree(revision, root)
    if folder.is_dir():
        os.utime(folder)
    else:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".laying-out-", dir=folder.parent))
        lay_out(revision, draft, root)
        take_place(draft, folder)
    _beside(folder, root)
    return folder


def take_place(draft: Path, folder: Path, most: int = 16) -> None:
    """Move a finished folder to its place, unless somebody was first, and forget all but the `most` used last."""
    with suppress(OSError):
        draft.rename(folder)
    shutil.rmtree(draft, ignore_errors=True)
    others = [path for path in folder.parent.iterdir() if not path.name.startswith(".")]
    for path in sorted(others, key=lambda path: -path.stat().st_mtime)[most:]:
        shutil.rmtree(path, ignore_errors=True)


def model_files(folder: Path) -> dict[str, str]:
    """The model files below a working copy: name -> TOML."""
    found = sorted((folder / "ml" / "models").glob("*.toml"))
    return {path.stem: path.read_text(encoding="utf-8", errors="replace") for path in found}


def environments_in(folder: Path) -> list[str]:
    """The environments a working copy has settings for, in their order: production last."""
    return environment_names(folder / "infra" / "environments")
