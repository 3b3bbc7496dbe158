"""Tables for people in a terminal, as wide as that is; tab-separated rows in a pipe. Nothing is ever cut away."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text


def show_table(table: Table, console: Console | None = None) -> None:
    """Print a table whole: what does not fit into its column goes on below, in the middle of a word if it must.

    A pipe gets a header and one line a row, for `grep` and `cut`: a tab between cells, no borders, no title.
    """
    console = console or Console(highlight=False)
    if console.is_terminal:
        for column in table.columns:
            column.overflow = "fold"
        console.print(table, soft_wrap=False)
        return
    header = [column.header for column in table.columns]
    for row in [header, *zip(*(column.cells for column in table.columns), strict=True)]:
        cells = (cell.plain if isinstance(cell, Text) else console.render_str(str(cell)).plain for cell in row)
        console.file.write("\t".join(" ".join(cell.split()) for cell in cells) + "\n")


def repeats(console: Console | None = None) -> bool:
    """Whether each row names its group again: in a terminal the first row of a group does, in a pipe every one."""
    return not (console or Console()).is_terminal
