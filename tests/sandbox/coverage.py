"""How near the sandbox comes, type by type: `python -m tests.sandbox.coverage` writes docs/sandbox-coverage.md.

It runs every recorded plan (tests/data/google) through the real Terraform; other schema, facts and recordings can be
given.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fonderie.core.errors import BadInputError
from fonderie.core.files import write_text
from fonderie.sandbox.cloud.cloud import Cloud
from fonderie.sandbox.lifecycle.lifecycle import GoogleLifecycle
from fonderie.sandbox.lifecycle.world import World
from fonderie.sandbox.planning import equivalence, formats, type_rules
from fonderie.sandbox.planning.planner import Planner
from fonderie.sandbox.planning.state_functions import is_understood
from fonderie.sandbox.planning.suppression import names_nothing
from fonderie.sandbox.protocol.server import serve_provider
from fonderie.sandbox.provider.facts import FACTS_FILE, Fact, Facts
from fonderie.sandbox.provider.schema import ProviderSchema
from tests.sandbox import recordings
from tests.sandbox.recordings import Outcome, Recording

RECORDED = Path("tests/data/google")
PAGE = Path("docs/sandbox-coverage.md")
BEGIN, END = "<!-- coverage: python -m tests.sandbox.coverage -->", "<!-- end of coverage -->"
_HEADER = "| type | plans agreed | its own rules | not imitated |\n|---|---|---|---|\n"


@dataclass(frozen=True)
class Coverage:
    """One type: recorded plans and how many of them agreed, rules of its own, facts that were not understood."""

    type: str
    recorded: int
    agreed: int
    rules: Sequence[str]
    unclear: Sequence[str]

    def __str__(self) -> str:
        plans = f"{self.agreed} of {self.recorded}" if self.recorded else "none recorded"
        return f"| {self.type} | {plans} | {', '.join(self.rules)} | {'; '.join(self.unclear)} |"


def compared(schema: ProviderSchema, facts: Facts, recorded: Path) -> list[tuple[Recording, Outcome]]:
    """Every recorded plan of the folder `recorded`, run against an established project."""
    with tempfile.TemporaryDirectory(prefix="fonderie-") as folder:
        world = World(Cloud(Path(folder) / "cloud.sqlite"), schema, facts, established=True)
        with world.cloud, serve_provider(schema, Planner(schema, facts), GoogleLifecycle(world)) as up:
            chosen = recordings.recordings(recorded / "vectors.json.gz")
            return recordings.compare(chosen, recorded / "base.tf.json", Path(folder), up.environment)


def coverage(facts: Facts, results: Sequence[tuple[Recording, Outcome]]) -> list[Coverage]:
    """Of every type of the facts."""
    return [_of_type(name, facts, results) for name in facts.types]


def _of_type(name: str, facts: Facts, results: Sequence[tuple[Recording, Outcome]]) -> Coverage:
    own = [pair for pair in results if pair[0].type == name]
    rules = type_rules.rules_by_type().get(name, type_rules.NONE)
    told = list(rules.same)
    told += [kind for kind in ("adjust", "replaces", "check", "refuse", "keeps") if getattr(rules, kind)]
    unclear = [
        f"{what} of `{path}`"
        for path, fact in facts.type(name).attributes.items()
        for what in _unclear(fact)
        if path not in rules.same
    ]
    return Coverage(name, len(own), sum(recordings.agrees(*pair) for pair in own), told, _shortened(unclear))


def _unclear(fact: Fact) -> Iterator[str]:
    """What the facts say is there without saying what it does."""
    values = fact.values
    if fact.suppresses and fact.kind == "string" and not _equality_is_known(fact):
        yield "equality"
    described = values.enum is not None or values.pattern or values.range or values.min is not None or values.length
    if fact.validates and not described and formats.recognised(values) is None:
        yield "check"
    if fact.normalises and not is_understood(fact):
        yield "normal form"


def _equality_is_known(fact: Fact) -> bool:
    return equivalence.recognised(frozenset(fact.suppressed)) is not None or names_nothing(fact)


def _shortened(listed: Sequence[str]) -> list[str]:
    return [*listed[:3], f"and {len(listed) - 3} more"] if len(listed) > 4 else list(listed)


def table(rows: Sequence[Coverage]) -> str:
    """The table, with a line for the whole."""
    recorded, agreed = sum(one.recorded for one in rows), sum(one.agreed for one in rows)
    share = f"{100 * agreed / recorded:.1f} %" if recorded else "none"
    words = f"{agreed} of {recorded} recorded plans agree in outcome, actions and replace paths ({share}).\n\n"
    return words + _HEADER + "\n".join(map(str, rows)) + "\n"


def into_page(page: str, text: str) -> str:
    """The page with the part between its marks replaced; a page without marks gets them at its end."""
    part = f"{BEGIN}\n{text}{END}"
    marked = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    return marked.sub(lambda _: part, page) if marked.search(page) else f"{page.rstrip()}\n\n{part}\n".lstrip()


def main() -> None:
    """Run the recorded plans, write the table into the page."""
    parser = argparse.ArgumentParser(prog="python -m tests.sandbox.coverage", description=__doc__)
    parser.add_argument("--recorded", type=Path, default=RECORDED, help="folder of vectors.json.gz and base.tf.json")
    parser.add_argument("--schema", type=Path, help="default: the schema in that folder")
    parser.add_argument("--facts", type=Path, default=FACTS_FILE)
    parser.add_argument("--page", type=Path, default=PAGE)
    options = parser.parse_args()
    found = sorted(options.recorded.glob("schema@*.json*"))
    if not options.schema and not found:
        raise BadInputError("there is no schema", where=options.recorded, hint="give one with --schema")
    schema, facts = ProviderSchema.load(options.schema or found[0]), Facts.load(options.facts)
    rows = coverage(facts, compared(schema, facts, options.recorded))
    page = options.page.read_text(encoding="utf-8") if options.page.exists() else ""
    write_text(options.page, into_page(page, table(rows)))
    print(table(rows).split("\n", 1)[0])


if __name__ == "__main__":
    main()
