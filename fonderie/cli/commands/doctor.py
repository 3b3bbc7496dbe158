"""`fonderie doctor`: what is wrong with an environment's project, and the command that fixes it."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.table import Table

from fonderie.cli import options
from fonderie.cli.tables import show_table
from fonderie.core.errors import ExitCode

if TYPE_CHECKING:
    from ci.lifecycle.doctor import DoctorFinding
    from fonderie.google import RestClient
    from infra.settings import Environment


def command(
    env: options.Env = "dev",
    as_json: options.AsJson = False,
) -> None:
    """Check an environment's project: credentials, billing, APIs, agents, roles, quotas, state, secrets, images, Git.

    Reads only. What could not be read is reported as such, never as fine. Exits with 7 if something is wrong, with
    1 if nothing is wrong but something could not be read.

    ```console
    fonderie doctor --env dev
    ```
    """
    from ci.lifecycle.doctor import LOGIN, CheckState, examine, passed, target_of, unread
    from ci.synth import synthesise
    from infra.settings import load_environment
    from infra.synthesised import read_stacks

    environment = load_environment(env)
    with tempfile.TemporaryDirectory() as scratch, Console(stderr=True).status("synthesising"):
        synthesise([environment], Path(scratch))
        who = target_of(environment, read_stacks(Path(scratch)))
    google, account = _client(environment)
    findings = [passed("credentials", account) if google else unread("credentials", account, LOGIN)]
    with Console(stderr=True).status("looking"):
        findings += examine(who, google, why_not="no credentials")
    if as_json:
        print(json.dumps([finding.model_dump() for finding in findings], indent=2))
    else:
        _print(findings)
    states = {finding.state for finding in findings}
    code = (
        ExitCode.REFUSED
        if CheckState.WRONG in states
        else ExitCode.ERROR
        if CheckState.UNSEEN in states
        else ExitCode.OK
    )
    raise typer.Exit(int(code))


def _client(env: Environment) -> tuple[RestClient | None, str]:
    """(a way to look, who we are), or (None, why not)."""
    from fonderie.google import Access, NoCredentialsError, RestClient

    # Not the read-only scope: queryTestablePermissions, generateAccessToken and others do not take it.
    access = Access.from_environment(env.project_id, env.region)
    try:
        account = access.account or "your own"
    except NoCredentialsError as error:
        return None, error.what
    return RestClient(access, patience_s=5), account


def _print(findings: list[DoctorFinding]) -> None:
    colours = {"well": "green", "wrong": "bold red", "unseen": "yellow"}
    table = Table("check", "", "seen", "fix it with")
    for finding in findings:
        state = f"[{colours[finding.state]}]{finding.state}[/]"
        table.add_row(finding.check, state, finding.seen, finding.mend)
    show_table(table)
