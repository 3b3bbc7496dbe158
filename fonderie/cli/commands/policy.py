"""`fonderie policy`: checkov and our own checks over the synthesised stacks."""

from __future__ import annotations

import datetime
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from fonderie.cli import options
from fonderie.cli.tables import show_table
from fonderie.core.errors import ExitCode
from fonderie.core.files import write_text
from infra.synthesised import read_stacks

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.policy.findings import ScanResult


def command(
    env: options.OnlyEnvs = None,
    out: Annotated[
        Path | None, typer.Option(help="Scan the synthesised stacks in this folder, such as `cdktf.out`.")
    ] = None,
    sarif_file: Annotated[
        Path | None, typer.Option("--sarif", help="Write the findings to this file as SARIF.")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Check the synthesised stacks: checkov, our own checks, waivers with a reason and an expiry date.

    Exits with 0 when every check passes or is waived, with 7 when one does not, or when a waiver has expired or no
    longer covers anything. Waivers are in `infra/policy/waivers.toml`.

    ```console
    fonderie policy
    fonderie policy --env prod --sarif policy.sarif
    ```
    """
    from infra.policy.sarif import sarif

    console = Console(stderr=True)
    with console.status("synthesising") as status:
        verdict = _verdict(env or [], out, lambda stack: status.update(f"scanning {stack}"))
    if sarif_file:
        write_text(sarif_file, json.dumps(sarif(verdict), indent=2) + "\n")
    if as_json:
        print(verdict.model_dump_json(indent=2))
    else:
        _print(verdict, Console(soft_wrap=True))
    raise typer.Exit(int(ExitCode.OK if verdict.passed else ExitCode.REFUSED))


def _verdict(chosen: list[str], out: Path | None, progress: Callable[[str], None]) -> ScanResult:
    from ci.synth import synthesise
    from infra.policy.findings import read_waivers
    from infra.policy.scan import evaluate
    from infra.settings import environment_names, load_environment

    names = chosen or environment_names()
    environments = {name: load_environment(name) for name in names}
    waivers = read_waivers()
    with tempfile.TemporaryDirectory() as scratch:
        folder = out or Path(scratch)
        if out is None:
            synthesise(list(environments.values()), folder)
        stacks = [stack for stack in read_stacks(folder) if stack.environment in environments]
        return evaluate(
            stacks,
            environments,
            waivers,
            today=datetime.date.today(),
            complete=set(environment_names()) == {stack.environment for stack in stacks},
            progress=progress,
        )


def _print(verdict: ScanResult, console: Console) -> None:
    table = Table("stack", "checks", "failed", "waived", title="policy", title_justify="left")
    for stack, (made, failed, waived) in verdict.by_stack().items():
        table.add_row(stack, str(made), f"[bold red]{failed}[/]" if failed else "0", str(waived))
    show_table(table, console)
    for finding in verdict.failed:
        detail = f" ({finding.detail})" if finding.detail else ""
        console.print(f"[bold red]{finding.check}[/] {finding.path}", highlight=False, end=" ")
        console.print(f"{finding.address}: {finding.what}{detail}", markup=False, highlight=False)
    for waiver, problem in verdict.problems:
        console.print(f"[bold red]waiver {problem}[/] {waiver.check} at {waiver.path}, until {waiver.expires}")
    total = sum(verdict.checked.values())
    verdict_word = "[bold green]passed[/]" if verdict.passed else "[bold red]failed[/]"
    console.print(f"{verdict_word}: {total} checks over {len(verdict.checked)} stacks, {len(verdict.waived)} waived")
