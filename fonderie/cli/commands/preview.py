"""`fonderie preview`: what a change would do, as one comment."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from fonderie.cli import options
from fonderie.core.errors import BadInputError, ExitCode
from fonderie.core.files import write_text
from fonderie.core.home import home

if TYPE_CHECKING:
    from ci.preview.report import Truth


def command(
    env: options.OnlyEnvs = None,
    base: Annotated[
        str | None, typer.Option(help="Compare with this revision; default: where the branch left main.")
    ] = None,
    head: Annotated[str | None, typer.Option(help="Preview this revision; default: the working copy.")] = None,
    against: Annotated[
        str,
        typer.Option(help="What to plan against: state, sandbox, or auto (state if there are credentials)."),
    ] = "auto",
    policy: Annotated[bool, typer.Option(help="Also check policy.")] = True,
    as_json: options.AsJson = False,
    html: Annotated[bool, typer.Option("--html", help="Print an HTML page with nothing left out.")] = False,
    open_it: Annotated[bool, typer.Option("--open", help="Write the HTML page and open it in the browser.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write to this file instead of the terminal.")] = None,
    synthesised: Annotated[
        Path | None,
        typer.Option(help="Take head's stacks from this folder (a `cdktf.out`) instead of running head's code."),
    ] = None,
    keep: Annotated[
        Path | None, typer.Option(help="Leave the preview, its page and its records in this folder, without secrets.")
    ] = None,
    post: Annotated[
        bool, typer.Option("--post", help="Create or update the comment on the pull request, and its status.")
    ] = False,
) -> None:
    """Show what a change does to infrastructure, access, models, policy and cost: destroys first, no secrets.

    Without credentials it deploys base in the sandbox and plans head on it; with them it plans against the real state.
    Exits with 0 when nothing changes, 2 when something does, 1 when something could not be planned, a policy finding is
    new or an alarm rings. A terminal gets text, a pipe the comment's Markdown.

    ```console
    fonderie preview --env dev
    fonderie preview --base main --head my-branch --html --out preview.html
    fonderie preview --post
    ```
    """
    from ci.preview.build.preview import Request, preview_and_records
    from ci.preview.render.comment import page, render, show

    console = Console(stderr=True)
    with console.status("reading the revisions") as status:
        request = Request(tuple(env or ()), base, head, _truth(against), synthesised, policy, progress=status.update)
        made, records = preview_and_records(request)
    if open_it:
        out, html = out or home() / "reports" / "preview.html", True
    text = made.model_dump_json(indent=2) if as_json else page(made) if html else render(made)
    if sys.stdout.isatty() and not (out or as_json or html):
        show(made, Console())
    elif out:
        write_text(out, text)
        console.print(f"written: {out}", highlight=False, soft_wrap=True)
    else:
        print(text)
    if open_it:
        typer.launch(str(out))
    if keep:
        name = "-".join(env or ("all",))
        write_text(keep / f"{name}.preview.json", made.model_dump_json())
        write_text(keep / f"{name}.html", page(made))
        for record in records:
            write_text(keep / f"{record.environment}.record.json", record.model_dump_json())
    if post:
        from ci.preview.post import post_preview

        console.print(post_preview(made, env or (), records), highlight=False, soft_wrap=True)
    code = ExitCode.ERROR if made.red else ExitCode.OK if made.empty else ExitCode.CHANGES
    raise typer.Exit(int(code))


def _truth(against: str) -> Truth | None:
    from ci.preview.report import Truth

    known = {"auto": None, "state": Truth.STATE, "sandbox": Truth.SANDBOX}
    if against not in known:
        raise BadInputError(f"unknown value {against!r}", where="--against", hint="state, sandbox or auto")
    return known[against]
