"""The one comment of a change: created, or updated where it is.

python -m ci.preview.post FOLDER        posts what `fonderie preview --env ENV --keep FOLDER/preview-ENV` left there
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ci.forges import github, gitlab
from ci.forges.forge import Comment, Forge, State
from ci.preview.build.revisions import ROOT, first_parent
from ci.preview.fingerprint import PlanRecord
from ci.preview.render.comment import MARKER, render
from ci.preview.render.wording import verdict
from ci.preview.report import Preview, merged
from ci.preview.review import Review, opened, seal
from fonderie.core.errors import BadInputError, FonderieError


@dataclass(frozen=True)
class Target:
    """A change under review, and the commit that was previewed."""

    forge: Forge
    commit: str
    number: int = 0


def marker_of(environments: Sequence[str]) -> str:
    """What a comment begins with: previews of different environments are posted by different builds."""
    return MARKER if not environments else f"<!-- fonderie:preview {','.join(sorted(environments))} -->"


def post_preview(
    preview: Preview,
    environments: Sequence[str] = (),
    records: Sequence[PlanRecord] = (),
    variables: Mapping[str, str] = os.environ,
) -> str:
    """Post a preview where the variables say; what was done, in words. `environments` are those it was asked for.

    With FONDERIE_REVIEW_KEY the comment ends with what `apply --reviewed` compares with: the records, sealed with the
    text before them. What is not sealed is said there and in the status.
    """
    target, marker = target_of(variables), marker_of(environments)
    preview = preview.model_copy(
        update={"source": preview.source.model_copy(update={"link": variables.get("FONDERIE_RUN", "")})}
    )
    key = variables.get("FONDERIE_REVIEW_KEY", "")
    against = _against_sealing(target, key, variables)
    reviews = [] if against else [Review.of(each, target.number) for each in records if each.head == target.commit]
    unsealed = sorted(set(preview.environments) - {review.environment for review in reviews})
    why = dict.fromkeys(unsealed, f"not sealed: {against or 'no complete plan of this commit'}")
    tail = "".join(f"\n{name} is {why[name]}. A merge does not apply it.\n" for name in unsealed)
    room = len(tail) + sum(len(seal(review, key)) + 1 for review in reviews)
    text = render(preview, limit=target.forge.limit - room, marker=marker) + tail
    body = text + "".join(f"{seal(review, key, text)}\n" for review in reviews)
    rows = [(name, preview.of(name)) for name in preview.environments]
    lines = {name: "; ".join(filter(None, (why.get(name), verdict(each)[1]))) for name, each in rows}
    statuses = [(name, State.FAILURE if each.red else State.SUCCESS, lines[name]) for name, each in rows]
    return post(target, body, statuses, marker=marker, wanted=not preview.empty)


def _against_sealing(target: Target, key: str, variables: Mapping[str, str]) -> str:
    """Why nothing is sealed, in words: a head may be that of several pull requests, each with a base of its own."""
    if not key:
        return "FONDERIE_REVIEW_KEY is not set"
    if not isinstance(target.forge, github.GitHub):
        return ""
    pulls = target.forge.open_at(target.commit)
    if [pull.number for pull in pulls] != [target.number]:
        return f"{len(pulls)} open pull requests have this head" if len(pulls) > 1 else "not this pull request's head"
    return "" if pulls[0].base == branch_of(variables) else f"its base is another branch than {branch_of(variables)}"


def reviewed(environment: str, variables: Mapping[str, str] = os.environ) -> Review:
    """What was reviewed of an environment on the pull request that brought FONDERIE_HEAD, as our own step recorded it.

    A review that is `missing` says why, when no pull request brought the commit or its last commit has no preview of
    ours: nothing is applied by it.
    """
    commit, key = needed(variables, "FONDERIE_HEAD"), needed(variables, "FONDERIE_REVIEW_KEY")
    pulls = [pull for pull in github_of(variables).merged(commit) if pull.base == branch_of(variables)]
    for pull in pulls:
        forge = github_of(variables, pull.number)
        for comment in reversed([comment for comment in forge.comments() if comment.own]):
            for review in opened(comment.body, key):
                if (review.environment, review.pull_request, review.head) == (environment, pull.number, pull.head):
                    return review
    none = f"no pull request brought {commit[:9]} to {branch_of(variables)}"
    if pulls:
        none = f"pull request #{pulls[0].number} has no recorded preview of {environment} at {pulls[0].head[:9]}"
    return Review(environment=environment, pull_request=pulls[0].number if pulls else 0, missing=none)


def before(commit: str, variables: Mapping[str, str], root: Path = ROOT) -> str:
    """The commit that the protected branch was at before the pull request that brought `commit`: by first parents.

    A merge and a squash are one commit, a rebase as many as the pull request had.
    """
    numbers, parent = pull_requests(commit, variables), first_parent(commit, root)
    while numbers & pull_requests(parent, variables):
        parent = first_parent(parent, root)
    return parent


def pull_requests(commit: str, variables: Mapping[str, str]) -> set[int]:
    """The numbers of the merged pull requests that brought a commit."""
    return {pull.number for pull in github_of(variables).merged(commit)}


def post_applied(review: Review, text: str, variables: Mapping[str, str] = os.environ) -> str:
    """Say on the pull request what became of it; one comment an environment, the last word counts."""
    forge = github_of(variables, review.pull_request)
    marker = f"<!-- fonderie:applied {review.environment} -->"
    body = f"{marker}\n{text}"
    for comment in _ours(forge, marker):
        if forge.update(comment, body):
            return f"updated {comment.url}"
    return f"created {forge.create(body).url}"


def branch_of(variables: Mapping[str, str]) -> str:
    """The protected branch."""
    return variables.get("FONDERIE_BRANCH") or "main"


def target_of(variables: Mapping[str, str]) -> Target:
    """The change that the variables of GitHub Actions, GitLab CI or Cloud Build name.

    Raises BadInputError naming the variable that is missing.
    """
    if variables.get("CI_MERGE_REQUEST_IID"):
        token, project = needed(variables, "GITLAB_TOKEN"), needed(variables, "CI_PROJECT_ID")
        api = gitlab.api(token, variables.get("CI_API_V4_URL") or "https://gitlab.com/api/v4")
        number = _number(variables["CI_MERGE_REQUEST_IID"], "CI_MERGE_REQUEST_IID")
        return Target(gitlab.GitLab(api, project, number), _head_of_merge_request(variables), number)
    number = _pull_request(variables)
    return Target(github_of(variables, number), needed(variables, "FONDERIE_HEAD"), number)


def _head_of_merge_request(variables: Mapping[str, str]) -> str:
    """CI_COMMIT_SHA of a merged-results pipeline is a merge that GitLab made."""
    return variables.get("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA") or needed(variables, "CI_COMMIT_SHA")


def github_of(variables: Mapping[str, str], number: int = 0) -> github.GitHub:
    """A pull request of the repository that the variables name."""
    token, repository = needed(variables, "GITHUB_TOKEN"), needed(variables, "GITHUB_REPOSITORY")
    if not re.fullmatch(r"(?!\.)[\w.-]+/(?!\.)[\w.-]+", repository):
        raise BadInputError(f"{repository!r} is not owner/name", where="GITHUB_REPOSITORY")
    api = github.api(token, variables.get("GITHUB_API_URL") or "https://api.github.com")
    return github.GitHub(api, repository, number, github.ACTIONS if variables.get("GITHUB_ACTIONS") == "true" else "")


def _pull_request(variables: Mapping[str, str]) -> int:
    if found := re.fullmatch(r"refs/pull/(\d+)/.*", variables.get("GITHUB_REF", "")):
        return int(found[1])
    return _number(needed(variables, "FONDERIE_PULL_REQUEST"), "FONDERIE_PULL_REQUEST")


def needed(variables: Mapping[str, str], name: str) -> str:
    """The value of a variable. Raises BadInputError when it is not set."""
    value = variables.get(name, "").strip()
    if len(value.split()) > 1:
        raise BadInputError("holds a space or a line break", where=name)
    if not value:
        raise BadInputError("is not set", where=name, hint="docs/preview.md lists what --post reads")
    return value


def _number(text: str, name: str) -> int:
    if not text.isdecimal():
        raise BadInputError(f"{text!r} is not a number", where=name)
    return int(text)


Status = tuple[str, State, str]  # environment, state, one line


def post(target: Target, body: str, statuses: Iterable[Status], *, marker: str = MARKER, wanted: bool = True) -> str:
    """Put `body` into the change's one comment and set the commit's statuses; what was done, in words.

    What is not `wanted` only replaces what is there. A preview of a commit that the change has left is not posted over
    a newer one. A comment deleted meanwhile is made again. Of two previews that create at once, the older comment stays
    and takes the later body.
    """
    forge = target.forge
    now = forge.head()
    if now != target.commit:
        return f"not posted: the change has moved on to {now[:9]}, this is the preview of {target.commit[:9]}"
    said = _comment(forge, body, marker, wanted)
    for environment, state, line in statuses:  # last: a token that may not set them has posted all the same
        forge.set_status(target.commit, state, line, environment)
    return said


def _comment(forge: Forge, body: str, marker: str, wanted: bool) -> str:
    mine = _ours(forge, marker)
    if not wanted and not mine:
        return "nothing changes, and there is no comment to update"
    for comment in mine:
        if forge.update(comment, body):
            _remove(forge, [other for other in mine if other.id != comment.id])
            return f"updated {comment.url or f'comment {comment.id}'}"
    created, known = forge.create(body), {comment.id for comment in mine}
    for older in _ours(forge, marker):
        if older.id < created.id and older.id not in known and forge.update(older, body):
            _remove(forge, [created])
            return f"updated {older.url or f'comment {older.id}'}"
    return f"created {created.url or f'comment {created.id}'}"


def _ours(forge: Forge, marker: str) -> list[Comment]:
    """Comments that begin with the marker, oldest first; not one that quotes it, nor another's."""
    found = (one for one in forge.comments() if one.own and one.body.startswith(marker))
    return sorted(found, key=lambda one: one.id)


def _remove(forge: Forge, comments: list[Comment]) -> None:
    for comment in comments:
        forge.delete(comment)


def read_kept(folder: Path) -> tuple[Preview, PlanRecord | None]:
    """What the job of one environment left in `preview-ENV`: its preview, and the record that the preview shows.

    Raises BadInputError for anything of another environment: each job speaks for its own.
    """
    name = folder.name.removeprefix("preview-")
    for file in sorted(folder.rglob("*.json")):
        if file.relative_to(folder).as_posix() not in (f"{name}.preview.json", f"{name}.record.json"):
            raise BadInputError(f"not a preview or a record of {name}", where=file)
    file = folder / f"{name}.preview.json"
    if not file.is_file():
        raise BadInputError(f"holds no preview of {name}", where=folder)
    made, kept = Preview.model_validate_json(file.read_text(encoding="utf-8")), folder / f"{name}.record.json"
    record = PlanRecord.model_validate_json(kept.read_text(encoding="utf-8")) if kept.is_file() else None
    shown = ((name, record.hash),) if record and record.changes else ()
    if {*made.environments, record.environment if record else name} - {name}:
        raise BadInputError(f"speaks of another environment than {name}", where=folder)
    if made.source.plans != shown:
        raise BadInputError(f"the preview of {name} shows another plan than its record", where=folder)
    return made, record


def main(folder: str) -> None:
    """Post the kept previews of a folder as one."""
    try:
        found = [read_kept(place) for place in sorted(Path(folder).glob("preview-*"))]
        print(post_preview(merged([made for made, _ in found]), (), [one for _, one in found if one]))
    except FonderieError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main(*sys.argv[1:])
