"""A simulation as one HTML page."""

from __future__ import annotations

from collections.abc import Sequence

from fonderie.core.page import Cell, Section, page, paragraph, table
from ml.reports.charts import Line, lines
from pipelines.simulation.records import MonthOutcome, Simulation


def simulation_page(made: Simulation) -> str:
    """Error by month for the three strategies and without a model, what fired and why, what the gate said, the cost."""
    lead = (
        f"{made.start}. {len(made.months)} months after a first model of "
        f"{made.first_months[0]} to {made.first_months[-1]}: "
        f"{made.triggered_trainings} retrainings, {made.promotions} promotions."
    )
    return page(f"Continuous training of {made.model}, replayed", simulation_sections(made), lead=lead)


def simulation_sections(made: Simulation) -> list[Section]:
    """The same as sections of another page."""
    return [_sums(made), _errors(made), _decisions(made)]


def baseline(made: Simulation) -> str:
    """The strategy that others are compared with: `monthly`, or `never` where that one was left out."""
    return "never" if made.mean().monthly is None else "monthly"


def summary(made: Simulation) -> list[tuple[str, float | None, str, int, float]]:
    """One line a strategy: mean metric, that over the baseline's, retrainings and what they took in seconds."""
    mean, took = made.mean(), made.training_seconds
    counts = {"triggered": made.triggered_trainings, "monthly": len(made.months), "never": 0, "naive": 0}
    counts = {name: count for name, count in counts.items() if getattr(mean, name) is not None or name == "triggered"}
    base = getattr(mean, baseline(made))
    found = []
    for name, count in counts.items():
        value = getattr(mean, name)
        ratio = f"{value / base - 1:+.1%}" if value is not None and base else "–"
        found.append((name, value, ratio, count, float(getattr(took, name) or 0.0)))
    return found


def _sums(made: Simulation) -> Section:
    head = ("strategy", f"mean {made.metric}", f"over {baseline(made)}", "retrainings", "training s")
    caption = "Each retraining is one run of the pipeline; the first model is not counted as one"
    return Section("Was it worth it?", table(caption, head, summary(made), marked=(0,)))


def _errors(made: Simulation) -> Section:
    months = [outcome.month for outcome in made.months]
    names = {"triggered": "triggered", "monthly": "every month", "never": "never", "naive": "no model"}
    data = [Line(name, [getattr(outcome.metric, field) for outcome in made.months]) for field, name in names.items()]
    data = [line for line in data if any(value is not None for value in line.values)]
    chart = lines(f"{made.metric} by month", made.unit, months, data)
    head = ("month", "rows", "champion", *(line.name for line in data))
    rows: list[Sequence[Cell]] = [
        (each.month, each.rows, f"v{each.champion:03d}", *(line.values[place] for line in data))
        for place, each in enumerate(made.months)
    ]
    return Section("Error by month", chart + table("All labelled rows of the month", head, rows))


def _decisions(made: Simulation) -> Section:
    head = ("month", "decision", "why", "gate", "what the gate said")
    rows: list[Sequence[Cell]] = [(each.month, each.action, _why(each), each.gate, _gate(each)) for each in made.months]
    marked = [place for place, each in enumerate(made.months) if each.gate == "promote"]
    text = "Every alarm is a reason; the trigger's rules and the gate's checks are in the records beside this page."
    return Section(
        "What fired, and what came of it", paragraph(text) + table("Promotions stand out", head, rows, marked=marked)
    )


def _why(outcome: MonthOutcome) -> str:
    return "; ".join(outcome.reasons)


def _gate(outcome: MonthOutcome) -> str:
    return "; ".join(outcome.gate_reasons)
