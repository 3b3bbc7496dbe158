import io

import pytest
from rich.console import Console
from rich.table import Table

from fonderie.cli.tables import show_table

ADDRESS = 'google_storage_bucket_iam_member.serving-reads["projects/acme-ml-prod/serviceAccounts/serving"]'
WHY = "the attribute public_access_prevention forces a replacement of everything that stands in it"


def shown(*, terminal, columns=None):  # whatever COLUMNS says, a pipe has no width
    table = Table("resource", "why", "count")
    table.add_row(ADDRESS, WHY, "12")
    written = io.StringIO()
    variables = {} if columns is None else {"COLUMNS": str(columns)}
    console = Console(file=written, force_terminal=terminal, color_system=None, width=columns or 80, _environ=variables)
    show_table(table, console)
    assert console.width == (columns or 80)  # what is printed after a table is as wide as before
    return written.getvalue()


def letters(text):
    """What is in the cells, with neither frames nor the gaps between the lines of a cell."""
    return ["".join(line.split("│")[cell].strip() for line in text.split("\n") if line.count("│") == 4)
            for cell in (1, 2, 3)]  # fmt: skip


@pytest.mark.parametrize("columns", [80, 60])
def test_a_narrow_table_loses_no_letter(columns):
    written = shown(terminal=True, columns=columns)
    assert letters(written)[0] == ADDRESS
    assert letters(written)[1].replace(" ", "") == WHY.replace(" ", "")
    assert "…" not in written
    assert max(len(line) for line in written.split("\n")) <= columns


@pytest.mark.parametrize("columns", [None, 80])
def test_in_a_pipe_a_row_is_a_line_of_cells_between_tabs(columns):
    written = shown(terminal=False, columns=columns)
    assert written == f"resource\twhy\tcount\n{ADDRESS}\t{WHY}\t12\n"


def test_in_a_pipe_there_is_no_markup_no_title_and_no_line_break_within_a_cell():
    table = Table("check", "", title="policy")
    table.add_row("[bold red]3[/]", "one\ntwo\tthree")
    written = io.StringIO()
    show_table(table, Console(file=written))
    assert written.getvalue() == "check\t\n3\tone two three\n"
