"""The apply of a merged pull request: what its recorded preview showed, on any runner, and the result said there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from ci.apply.apply import Applier
from ci.preview.build.revisions import ROOT, kept
from ci.preview.build.synthesis import Synthesised, synthesised_once
from ci.preview.post import before, post_applied, reviewed
from ci.preview.render.wording import counted
from ci.preview.report import Preview
from fonderie.core.errors import FonderieError

_LONGEST = 4_000


def apply_reviewed(applier: Applier, variables: Mapping[str, str] = os.environ) -> Preview:
    """Apply an environment as the pull request that brought FONDERIE_HEAD was reviewed.

    The stateful losses of that plan are allowed, and no others. Raises what `Applier.apply` raises.
    """
    environment = applier.environment
    review = reviewed(environment, variables)

    @cache
    def base() -> Synthesised:
        """What the protected branch held before the pull request."""
        return synthesised_once(kept(before(variables["FONDERIE_HEAD"], variables), ROOT), [environment])

    try:
        made = replace(applier, base=base).apply(review)
    except FonderieError as error:
        if review.pull_request:
            said = str(error).replace("`", "'")[:_LONGEST]
            post_applied(review, f"❌ **{environment}** was not applied:\n\n```\n{said}\n```\n", variables)
        raise
    if review.pull_request and not review.missing:
        done = counted(made.counts()) or "nothing to do"
        post_applied(review, f"✅ **{environment}** is applied: {done}. Reviewed at {review.head[:9]}.\n", variables)
    return made
