"""What serving looked like, as sections of a report."""

from __future__ import annotations

from markupsafe import Markup

from fonderie.core.page import Cell, Section, facts, paragraph, table, verdict
from fonderie.demo.rehearsal import Demonstration
from ml.reports.charts import Bar, bars
from ml.serving.canary.canary import Canary, Status
from ml.serving.canary.step import Step


def sections(demo: Demonstration) -> list[Section]:
    """Serving, the two canaries, the rollback."""
    return [
        _serving(demo),
        canary_section(demo.good, title="Canary of an equal challenger", wanted=Status.PROMOTED),
        canary_section(demo.bad, title="Canary of a wrong challenger", wanted=Status.ABORTED),
        _rollback(demo),
    ]


def canary_section(canary: Canary, *, title: str = "Canary", wanted: Status | None = None) -> Section:
    """Every step: what was asked, what was measured, why it was decided so."""
    good = canary.status is (wanted or Status.PROMOTED)
    head = verdict(good, f"version {canary.challenger} beside champion {canary.champion}: {canary.status}")
    rows: list[list[Cell]] = [
        [_name(step), step.requests, step.challenger_answers, str(step.verdict), step.reason] for step in canary.steps
    ]
    said = table("Steps", ["share", "requests", "its answers", "verdict", "why"], rows)
    return Section(title, Markup("<p>{}</p>{}{}").format(head, said, _margins(canary.step)))


def _margins(step: Step) -> Markup:
    """How much of each margin the challenger used up in a step; the tick is the margin itself."""
    data = [
        Bar(str(test.question), 100 * test.estimate / test.margin, other=100.0)
        for test in step.tests
        if test.fine.count
    ]
    if not data:
        return Markup("")
    return bars(f"Margins used, {_name(step)}", "% of the margin", data, legend=("measured", "margin"))


def _serving(demo: Demonstration) -> Section:
    said = facts(
        [
            ("champion", f"{demo.model} v{demo.champion:03d}"),
            ("ready after, s", round(demo.ready_s, 2)),
            ("memory, MB", round(demo.memory_mb)),
            ("requests a second, one instance", round(demo.single.rate)),
            ("median and 99 %, ms", f"{demo.single.quantile_ms(0.5):.2f} and {demo.single.quantile_ms(0.99):.2f}"),
            ("predictions a second, in hundreds", round(demo.hundred.rate * 100)),
            ("failed requests, over everything", verdict(not demo.failed, str(demo.failed))),
        ]
    )
    versions = [Bar(f"version {name}", float(count)) for name, count in sorted(demo.during.versions.items())]
    return Section("Serving", Markup("{}{}").format(said, bars("Answers while the canaries ran", "requests", versions)))


def _rollback(demo: Demonstration) -> Section:
    back = demo.rollback
    words = (
        f"v{back.before:03d} was rolled back to v{back.after:03d}; the first answer from it came after "
        f"{back.seconds:.2f} s, with {back.load.failed} of {back.load.requests} requests failed."
    )
    return Section("Rollback", paragraph(words))


def _name(step: Step) -> str:
    return f"{step.percent:g} %" if step.percent else "shadow"
