import io

import pytest
from rich.console import Console
from rich.table import Table

from fonderie.cli.tables import show_table

ADDRESS = 'google_storage_bucket_iam_member.serving-reads["projects/acme-ml-prod/serviceAccounts/serving"]'
WHY = "the attribute public_access_prevention forces a replacement of everything that stands in it"


def shown(*, terminal, columns=None):
    table = Table("resource", "why", "count")
    table.add_row(ADDRESS, WHY, "12")
    written = io.StringIO()
    variables = {} if columns is None else {"COLUMNS": str(columns)}
    console = Console(file=written, force_terminal=terminal, color_system=None, width=columns or 80, _environ=variables)
    show_table(table, console, variables)
    assert console.width == (columns or 80)  # what is printed after a table is as wide as before
    return written.getvalue()


def letters(text):
    """What is in the cells, with neither frames nor the gaps between the lines of a cell."""
    return ["".join(line.split("│")[cell].strip() for line in text.split("\n") if line.count("│") == 4)
            for cell in (1, 2, 3)]  # fmt: skip


@pytest.mark.parametrize(("terminal", "columns"), [(True, 80), (False, 80), (True, 60)])
def test_a_narrow_table_loses_no_letter(terminal, columns):
    written = shown(terminal=terminal, columns=columns)
    assert letters(written)[0] == ADDRESS
    assert letters(written)[1].replace(" ", "") == WHY.replace(" ", "")
    assert "…" not in written
    assert max(len(line) for line in written.split("\n")) <= columns


def test_in_a_pipe_a_row_is_a_line():
    rows = [line for line in shown(terminal=False).split("\n") if ADDRESS in line]
    assert len(rows) == 1
    assert WHY in rows[0]
