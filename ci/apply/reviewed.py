"""The apply of merged pull requests: what their recorded previews showed, on any runner, each result said on its own.

A CI system may drop a run that waits behind another, or start two at once. So a run applies what the branch has got
since the last commit that was applied, one pull request after the other; it does nothing when a later one was here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path

from ci.apply.apply import Applier
from ci.apply.journal import Journal
from ci.lifecycle.deploy import Stack
from ci.preview.build.revisions import ROOT, is_ancestor, kept, since
from ci.preview.build.synthesis import Synthesised, synthesised_once
from ci.preview.post import before, needed, post_applied, pull_requests, reviewed
from ci.preview.render.wording import counted
from ci.preview.report import Preview
from ci.preview.review import Review
from fonderie.core.errors import ConflictError, FonderieError, RefusedError

_LONGEST = 4_000


def apply_reviewed(applier: Applier, variables: Mapping[str, str] = os.environ, root: Path = ROOT) -> Preview | None:
    """Apply an environment up to FONDERIE_HEAD; None when that is applied already.

    A pull request before the last whose plan is not what was reviewed is passed over, and told there: what it left is
    in the next preview. Raises what `Applier.apply` raises for the last.
    """
    head = needed(variables, "FONDERIE_HEAD")
    last = Journal.beside(applier.environment, applier.stacks_of(applier.environment)).applied()
    if last and last != head and is_ancestor(head, last, root):
        applier.tell(f"{applier.environment} is at {last[:9]} already, which holds {head[:9]}")
        return None
    for commit in _waiting(last, head, variables, root):
        earlier = replace(applier, stacks_of=_stacks_of(commit, root))
        try:
            _apply(earlier, {**variables, "FONDERIE_HEAD": commit}, root)
        except (ConflictError, RefusedError) as error:
            applier.tell(f"{commit[:9]} was not applied: {error.what}")
    return _apply(applier, variables, root)


def _waiting(last: str, head: str, variables: Mapping[str, str], root: Path) -> Iterator[str]:
    """The commits between the last that was applied and `head`, the oldest first: of each pull request its last."""
    if not last or not is_ancestor(last, head, root):
        return
    commits = [*since(last, head, root), head]
    numbers = {commit: pull_requests(commit, variables) for commit in commits}
    for commit, following in pairwise(commits):
        if not numbers[commit] & numbers[following]:
            yield commit


def _stacks_of(commit: str, root: Path) -> Callable[[str], list[Stack]]:
    return lambda environment: list(synthesised_once(kept(commit, root), [environment]).of(environment))


def _apply(applier: Applier, variables: Mapping[str, str], root: Path) -> Preview:
    environment = applier.environment
    review = reviewed(environment, variables)

    @cache
    def start() -> str:
        return before(variables["FONDERIE_HEAD"], variables, root)

    @cache
    def base() -> Synthesised:
        """What the protected branch held before the pull request."""
        return synthesised_once(kept(start(), root), [environment])

    if not review.missing and not is_ancestor(review.base, start(), root):
        none = f"pull request #{review.pull_request} was reviewed on {review.base[:9]}, which the branch did not hold"
        review = Review(environment=environment, pull_request=review.pull_request, missing=none)

    try:
        made = replace(applier, base=base, commit=variables["FONDERIE_HEAD"]).apply(review)
    except FonderieError as error:
        if review.pull_request:
            said = str(error).replace("`", "'")[:_LONGEST]
            post_applied(review, f"❌ **{environment}** was not applied:\n\n```\n{said}\n```\n", variables)
        raise
    if review.pull_request and not review.missing:
        done = counted(made.counts()) or "nothing to do"
        post_applied(review, f"✅ **{environment}** is applied: {done}. Reviewed at {review.head[:9]}.\n", variables)
    return made
