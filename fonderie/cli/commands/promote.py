"""`fonderie promote`: the pull request that moves images and pipelines to the next environment."""

from __future__ import annotations

import os
from typing import Annotated

import typer


def command(
    source: Annotated[str, typer.Option("--from", help="The environment to promote from.")],
    target: Annotated[str, typer.Option("--to", help="The environment to promote to.")],
    post: Annotated[bool, typer.Option("--post", help="Also push the branch and open the pull request.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would move.")] = False,
) -> None:
    """Make a branch with one commit that moves the image digests, and with them the pipelines compiled for them.

    Both are read from the remote's main branch, and the branch starts there: what is not merged is not promoted. The
    working copy is not touched. The pull request's preview shows exactly what changes.

    ```console
    fonderie promote --from dev --to staging --dry-run
    fonderie promote --from staging --to prod --post
    ```
    """
    from ci.preview.build.revisions import kept
    from ci.promote import prepare, promotion, published, push

    commit = published()
    made = promotion(source, target, kept(commit))
    if not made.moves:
        print(f"{target} runs what {source} runs: nothing to promote")
        return
    for move in made.moves:
        print(f"{move.image}: {move.before[:19] or 'none'} -> {move.after[:19]}")
    if dry_run:
        return
    print(f"branch {made.branch}, commit {prepare(made, base=commit)[:9]}")
    if post:
        from ci.preview.post import github_of

        push(made)
        print(github_of(os.environ).open_pull_request(made.branch, "main", made.title, made.body))
