"""The champion answers over HTTP; a good and a bad challenger meet a canary; a rollback."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from fonderie.core.page import Cell, Section, facts, paragraph, table, verdict
from fonderie.demo.rehearsal import Demonstration, demonstrate
from fonderie.demo.runner import Context
from ml.models import load_model
from ml.registry import open_registry
from ml.reports.charts import Bar, bars
from ml.serving.canary.canary import Canary, Status
from ml.serving.canary.step import Step


def serve_and_canary(context: Context) -> str:
    """Put the champion of the demo's own registry through everything."""
    registry = open_registry(context.model, context.registry)
    done = demonstrate(load_model(context.model), registry, Path(context.registry), say=context.console.print)
    context.sections += serving_sections(done)
    return (
        f"{done.single.rate:,.0f} requests a second; an equal challenger: {done.good.status}, a wrong one: "
        f"{done.bad.status}; rolled back in {done.rollback.seconds:.1f} s"
    )


def serving_sections(demo: Demonstration) -> list[Section]:
    """Serving, the two canaries, the rollback."""
    return [
        _serving(demo),
        _canary(demo.good, title="Canary of an equal challenger", wanted=Status.PROMOTED),
        _canary(demo.bad, title="Canary of a wrong challenger", wanted=Status.ABORTED),
        _rollback(demo),
    ]


def _canary(canary: Canary, *, title: str, wanted: Status) -> Section:
    """Every step: what was asked, what was measured, why it was decided so."""
    head = verdict(
        canary.status is wanted, f"version {canary.challenger} beside champion {canary.champion}: {canary.status}"
    )
    rows: list[list[Cell]] = [
        [_name(step), step.requests, step.challenger_answers, str(step.verdict), step.reason] for step in canary.steps
    ]
    steps = table("Steps", ["share", "requests", "its answers", "verdict", "why"], rows)
    return Section(title, Markup("<p>{}</p>{}{}").format(head, steps, _margins(canary.step)))


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
    numbers = facts(
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
    return Section(
        "Serving", Markup("{}{}").format(numbers, bars("Answers while the canaries ran", "requests", versions))
    )


def _rollback(demo: Demonstration) -> Section:
    back = demo.rollback
    words = (
        f"v{back.before:03d} was rolled back to v{back.after:03d}; the first answer from it came after "
        f"{back.seconds:.2f} s, with {back.load.failed} of {back.load.requests} requests failed."
    )
    return Section("Rollback", paragraph(words))


def _name(step: Step) -> str:
    return f"{step.percent:g} %" if step.percent else "shadow"
