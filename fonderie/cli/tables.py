"""Tables for people: in a terminal as wide as that is, in a pipe as wide as they are; never with something cut away."""

from __future__ import annotations

import os
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

_WIDEST = 100_000


def show_table(table: Table, console: Console | None = None, variables: Mapping[str, str] = os.environ) -> None:
    """Print a table whole: what does not fit into its column goes on below, in the middle of a word if it must.

    A pipe has no width unless COLUMNS says one: there each row is one line, for `grep` and `cut`.
    """
    console = console or Console(highlight=False)
    for column in table.columns:
        column.overflow = "fold"
    if not console.is_terminal and not variables.get("COLUMNS", "").isdigit():
        whole = console.measure(table, options=console.options.update(width=_WIDEST)).maximum
        console = Console(file=console.file, width=max(console.width, whole), highlight=False, color_system=None)
    console.print(table, soft_wrap=False)
