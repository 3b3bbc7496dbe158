"""`make bench [ONLY=name]`: run every bench_*.py, print its rows, write docs/benchmarks.md."""

from __future__ import annotations

import datetime
import importlib
import os
import platform
import sys
from pathlib import Path

from fonderie.core.files import write_text
from tests.benchmarks.rows import Row

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "benchmarks.md"
HEADER = "| what | measured | baseline, same run | ratio | reach | |\n|---|---|---|---|---|---|\n"


def line(row: Row) -> str:
    """One row of the table."""
    baseline = f"{row.baseline:.3g} {row.unit} {row.baseline_name}" if row.baseline is not None else ""
    ratio = f"{row.ratio:.2f}" if row.ratio is not None else ""
    verdict = "reached" if row.reached else "**not reached**"
    return f"| {row.what} | {row.value:.3g} {row.unit} | {baseline} | {ratio} | {row.reach} | {verdict} |"


def sections(page: str) -> dict[str, str]:
    """The page's sections by their heading."""
    parts = page.split("\n## ")[1:]
    return {part.split("\n", 1)[0]: part.split("\n", 1)[1] for part in parts}


def main(only: list[str]) -> None:
    """Measure the named benches (all without names); sections that were not measured keep what they said."""
    kept = sections(PAGE.read_text()) if PAGE.exists() else {}
    for file in sorted(HERE.glob("bench_*.py")):
        name = file.stem.removeprefix("bench_")
        if only and name not in only:
            continue
        print(f"== {name}", flush=True)
        lines = []
        for row in importlib.import_module(f"tests.benchmarks.bench_{name}").measure():
            lines.append(line(row))
            print(lines[-1], flush=True)
        taken = f"{datetime.date.today()}, {os.cpu_count()} cores, Python {platform.python_version()}"
        kept[name] = f"\nTaken {taken}: `make bench ONLY={name}`.\n\n{HEADER}" + "\n".join(lines) + "\n"
    body = "".join(f"\n## {name}\n{kept[name].rstrip()}\n" for name in sorted(kept))
    write_text(PAGE, "# Measured\n\nMade by `make bench`. Machines differ: read the ratios, not the seconds.\n" + body)


if __name__ == "__main__":
    main(sys.argv[1:])
