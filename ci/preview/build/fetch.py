"""What a shallow clone lacks: a checkout in continuous integration often has one commit and no other branch.

Only a shallow clone is completed; in a whole one, what is not there is for the person to fetch.
"""

from __future__ import annotations

import re
from pathlib import Path

from fonderie.core.errors import BadInputError, StepFailedError
from fonderie.core.git import git, line

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_STEPS = ("--deepen=50", "--deepen=500", "--unshallow")


def is_shallow(root: Path) -> bool:
    """Whether the clone lacks history."""
    return line(root, "rev-parse", "--is-shallow-repository") == "true"


def fetch(revision: str, root: Path) -> str:
    """Fetch one commit or one branch of the remote (`origin/main`, `main`), without its history; its name here.

    Raises StepFailedError when the remote does not give it, BadInputError without a remote.
    """
    remote = _remote(root)
    if _COMMIT.fullmatch(revision):
        git(root, "fetch", "--quiet", "--no-tags", "--depth=1", remote, revision)
        return revision
    branch = revision.removeprefix(f"{remote}/")
    here = f"refs/remotes/{remote}/{branch}"
    git(root, "fetch", "--quiet", "--no-tags", "--depth=1", remote, f"+refs/heads/{branch}:{here}")
    return here


def common_ancestor(one: str, other: str, root: Path) -> str:
    """Where two commits parted; a shallow clone is deepened until that is there. Raises BadInputError without one."""
    steps = list(_STEPS)
    while True:
        try:
            return line(root, "merge-base", one, other)
        except StepFailedError as error:
            if not is_shallow(root) or not steps:
                raise BadInputError(f"{one[:9]} and {other[:9]} have no common commit", where=root) from error
        git(root, "fetch", "--quiet", "--no-tags", steps.pop(0), _remote(root))


def _remote(root: Path) -> str:
    names = line(root, "remote").split()
    if not names:
        raise BadInputError("this shallow clone has no remote to fetch from", where=root)
    return "origin" if "origin" in names else names[0]
