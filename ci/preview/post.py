"""The one comment of a change: created, or updated where it is; what is out of date is folded away."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ci.forges import github, gitlab
from ci.forges.forge import Comment, Forge, State
from ci.preview.render.comment import MARKER, render
from ci.preview.render.wording import verdict
from ci.preview.report import Preview
from fonderie.core.errors import BadInputError

OUTDATED = "<!-- fonderie:preview outdated -->"
NOTHING_REVIEWED = "p-" + "0" * 20


@dataclass(frozen=True)
class Target:
    """A change under review, and the commit that was previewed."""

    forge: Forge
    commit: str


def marker_of(environments: Sequence[str]) -> str:
    """What a comment begins with: previews of different environments are posted by different builds."""
    return MARKER if not environments else f"<!-- fonderie:preview {','.join(sorted(environments))} -->"


def post_preview(preview: Preview, environments: Sequence[str] = (), variables: Mapping[str, str] = os.environ) -> str:
    """Post a preview where the variables say; what was done, in words. `environments` are those it was asked for."""
    target, marker = target_of(variables), marker_of(environments)
    body = render(preview, limit=target.forge.limit, marker=marker)
    return post(target, body, verdict(preview)[1], failed=preview.red, marker=marker)


def reviewed_plan(environment: str, variables: Mapping[str, str] = os.environ) -> str:
    """The hash under which the merged pull request's comment showed the environment's plan.

    It says what was reviewed; that it is also what would be applied is for the apply to check. Without a preview of the
    environment, or when that found nothing to change, it is the hash of nothing: an apply that has to change something
    then refuses.
    """
    commit = _needed(variables, "FONDERIE_HEAD")
    github = github_of(variables)
    for number in github.pull_requests_of(commit):
        for comment in github_of(variables, number).comments():
            if comment.trusted and _is_preview(comment.body):
                footer = comment.body.rpartition("\n---\n")[2]  # above it are words of the plan itself
                found = re.findall(rf"\b{re.escape(environment)} plan `(p-[0-9a-f]{{20}})`", footer)
                if found:
                    return str(found[-1])
    return NOTHING_REVIEWED


def _is_preview(body: str) -> bool:
    return body.startswith(MARKER.removesuffix(" -->")) and not body.startswith(OUTDATED)


def target_of(variables: Mapping[str, str]) -> Target:
    """The change that the variables of GitHub Actions, GitLab CI or Cloud Build name.

    Raises BadInputError naming the variable that is missing.
    """
    if variables.get("CI_MERGE_REQUEST_IID"):
        token, project = _needed(variables, "GITLAB_TOKEN"), _needed(variables, "CI_PROJECT_ID")
        api = gitlab.api(token, variables.get("CI_API_V4_URL") or "https://gitlab.com/api/v4")
        number = _number(variables["CI_MERGE_REQUEST_IID"], "CI_MERGE_REQUEST_IID")
        return Target(gitlab.GitLab(api, project, number), _needed(variables, "CI_COMMIT_SHA"))
    return Target(github_of(variables, _pull_request(variables)), _needed(variables, "FONDERIE_HEAD"))


def github_of(variables: Mapping[str, str], number: int = 0) -> github.GitHub:
    """A pull request of the repository that the variables name."""
    token, repository = _needed(variables, "GITHUB_TOKEN"), _needed(variables, "GITHUB_REPOSITORY")
    if not re.fullmatch(r"(?!\.)[\w.-]+/(?!\.)[\w.-]+", repository):
        raise BadInputError(f"{repository!r} is not owner/name", where="GITHUB_REPOSITORY")
    api = github.api(token, variables.get("GITHUB_API_URL") or "https://api.github.com")
    return github.GitHub(api, repository, number)


def _pull_request(variables: Mapping[str, str]) -> int:
    if found := re.fullmatch(r"refs/pull/(\d+)/.*", variables.get("GITHUB_REF", "")):
        return int(found[1])
    return _number(_needed(variables, "FONDERIE_PULL_REQUEST"), "FONDERIE_PULL_REQUEST")


def _needed(variables: Mapping[str, str], name: str) -> str:
    value = variables.get(name, "").strip()
    if not value:
        raise BadInputError("is not set", where=name, hint="docs/preview.md lists what --post reads")
    return value


def _number(text: str, name: str) -> int:
    if not text.isdecimal():
        raise BadInputError(f"{text!r} is not a number", where=name)
    return int(text)


def post(target: Target, body: str, line: str, *, failed: bool, marker: str = MARKER) -> str:
    """Put `body` into the change's one comment and set the commit's status; what was done, in words.

    A preview of a commit that the change has left is not posted over a newer one. A comment deleted meanwhile is made
    again. Of two previews that create at once, the older comment stays and takes the later body.
    """
    forge = target.forge
    now = forge.head()
    if now != target.commit:
        return f"not posted: the change has moved on to {now[:9]}, this is the preview of {target.commit[:9]}"
    forge.set_status(target.commit, State.FAILURE if failed else State.SUCCESS, line)
    mine = _ours(forge, marker)
    for comment in mine:
        if forge.update(comment, body):
            _fold(forge, [other for other in mine if other.id != comment.id])
            return f"updated {comment.url or f'comment {comment.id}'}"
    created = forge.create(body)
    rivals = [
        comment
        for comment in _ours(forge, marker)
        if comment.id < created.id and comment.id not in {c.id for c in mine}
    ]
    for older in rivals:
        if forge.update(older, body):
            _fold(forge, [created])
            return f"updated {older.url or f'comment {older.id}'}"
    return f"created {created.url or f'comment {created.id}'}"


def _ours(forge: Forge, marker: str) -> list[Comment]:
    """Comments that begin with the marker, oldest first; not one that quotes it, nor a stranger's."""
    found = (one for one in forge.comments() if one.trusted and one.body.startswith(marker))
    return sorted(found, key=lambda one: one.id)


def _fold(forge: Forge, comments: list[Comment]) -> None:
    for comment in comments:
        inner = comment.body.partition("-->")[2][: forge.limit - 500]
        summary = "An outdated preview"
        forge.update(comment, f"{OUTDATED}\n<details><summary>{summary}</summary>\n\n{inner}\n</details>\n")
