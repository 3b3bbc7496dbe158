"""Replay: monitor -> decide -> train -> gate -> promote or keep, month by month, beside two baselines.

Everything happens in this process, by the functions that the pipelines' components call. The simulation has a registry
and a history of its own under `.fonderie/simulations`, in a folder named by its inputs: started again, it goes on where
it was, whenever it was killed.
"""

from __future__ import annotations

import gc
import hashlib
import json
import resource
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from fonderie.core.errors import BadDataError, BadInputError, RefusedError
from fonderie.core.files import write_text
from fonderie.core.home import home
from ml.datasets.months import Month
from ml.datasets.sources import source, spans
from ml.evaluation.baselines import Baselines, read_baselines
from ml.evaluation.decision import Outcome
from ml.features.tables import with_history
from ml.models import ModelConfig
from ml.monitoring.champion import champion_version, load_champion
from ml.monitoring.history import History, read_record
from ml.monitoring.monitor import Champion
from ml.monitoring.observation import observe_month
from ml.monitoring.trigger import Action, TrainingEvent, TrainingOutcome, TriggerDecision, decide
from ml.monitoring.verdict import MonthVerdict
from ml.registry import open_registry
from ml.training.artefact import MODEL, load_model
from pipelines.compile import code_version
from pipelines.simulation.records import MonthOutcome, Simulation, Strategies
from pipelines.training.challengers import TrainedChallenger, judge_and_promote, train_once

FIRST_MONTHS = 12
"""Months that the first model is made from: with less than a year it has not seen every season, and that alone makes
retraining look good."""

Progress = Callable[[str, str], None]
"""Called with a month and what is being done about it."""


@dataclass(frozen=True)
class SimulationPlan:
    """The model, the months and the folder of a replay."""

    config: ModelConfig
    first: tuple[Month, ...]
    watched: tuple[Month, ...]
    monthly: bool = True  # whether the baseline that retrains every month runs beside it

    @property
    def folder(self) -> Path:
        """Named by all that its numbers depend on: another model's file (its seed too), code, data or plan of months is
        another simulation."""
        read = with_history([*self.first, *self.watched], source())
        depends_on = {
            "config": self.config.model_dump_json(),
            "code": code_version(),
            "data": source().data_hash(read),
            "first": [str(month) for month in self.first],
            "watched": [str(month) for month in self.watched],
            "monthly": self.monthly,
        }
        key = hashlib.sha256(json.dumps(depends_on, sort_keys=True).encode()).hexdigest()[:12]
        span = f"{self.first[0]}-{self.watched[-1]}"
        return home() / "simulations" / self.config.name / f"{span}-{key}"


def plan(
    config: ModelConfig, first: Month, last: Month, *, first_months: int = FIRST_MONTHS, monthly: bool = True
) -> SimulationPlan:
    """The months there are from `first` to `last`. Raises BadInputError when there are too few."""
    if last < first:
        raise BadInputError(f"{last} is before {first}", hint="--from is the first month, --to the last")
    there = [month for month in source().months() if first <= month <= last]
    if len(there) <= first_months:
        raise BadInputError(
            f"{len(there)} months from {first} to {last}: the first model takes {first_months}, and one more is needed",
            hint=f"there are {spans(source().months())}",
        )
    return SimulationPlan(config, tuple(there[:first_months]), tuple(there[first_months:]), monthly)


def simulate(made: SimulationPlan, progress: Progress) -> Simulation:
    """Replay the plan, or what is left of it. Raises ConflictError while another process does."""
    loop = _Loop(made, progress)
    with loop.history.alone(), (loop.folder / "steps.log").open("a") as log, redirect_stdout(log):
        return loop.run()


class _Loop:
    def __init__(self, made: SimulationPlan, progress: Progress) -> None:
        self.config, self.first, self.watched, self.monthly = made.config, made.first, made.watched, made.monthly
        self.folder = made.folder
        self.history = History(self.folder)
        self.progress = progress
        self.registry = str(self.folder / "registry")
        self._champion: tuple[ModelConfig, Champion] | None = None

    def run(self) -> Simulation:
        """All months, and the sums."""
        start = self.first[-1]
        self.progress(str(start), "training the first model")
        base = train_once(self.config, start, self.first)
        first = judge_and_promote(
            self.config, base, self.registry, self.folder / "runs" / str(start), run_id=str(start)
        )
        if first.outcome is not Outcome.PROMOTE:
            raise RefusedError(f"the gate refuses the first model: {'; '.join(first.reasons)}", where=self.folder)
        outcomes, newest = [], base
        took = {"triggered": base.seconds, "monthly": base.seconds}
        for month in self.watched:
            outcome = self._month(month, base, newest)
            outcomes.append(outcome)
            if not self.monthly and not outcome.trained:
                continue
            self.progress(str(month), "training every month")
            trained, _ = self._train(month)
            if trained is None:
                continue
            newest = trained
            took["monthly"] += newest.seconds
            took["triggered"] += newest.seconds if outcome.trained else 0.0
        return Simulation(
            model=self.config.name,
            metric=self.config.gate.metric,
            unit=self.config.gate.metric.unit,
            first_months=tuple(map(str, self.first)),
            months=tuple(outcomes),
            folder=self.folder,
            training_seconds=Strategies(**took, never=base.seconds),
        )

    def _month(self, month: Month, base: TrainedChallenger, newest: TrainedChallenger) -> MonthOutcome:
        done = self.folder / "months" / f"{month}.json"
        if done.exists():
            return read_record(done, MonthOutcome)
        start = time.perf_counter()
        self.progress(str(month), "monitoring")
        verdict = self._verdict(month)
        decision = self._decision(month, verdict)
        metric = self._metrics(month, verdict, base, newest)
        outcome = MonthOutcome(
            month=str(month),
            rows=verdict.rows,
            champion=verdict.version,
            metric=metric,
            alarms=tuple(finding.name for finding in verdict.alarms),
            action=str(decision.action),
            reasons=decision.reasons,
            **(self._retrain(month, decision) if decision.action is Action.RETRAIN else {}),
            seconds=round(time.perf_counter() - start, 3),
            memory_mb=_memory_mb(),
        )
        write_text(done, outcome.model_dump_json(indent=1) + "\n")
        _forget()
        return outcome

    def _verdict(self, month: Month) -> MonthVerdict:
        """Of the champion that met the month: after a kill, it may have been replaced since."""
        known = [verdict for verdict in self.history.verdicts() if verdict.month == str(month)]
        if known:
            return known[0]
        version = champion_version(open_registry(self.config.name, self.registry))
        if self._champion is None or self._champion[1].version != version.record.version:
            self._champion = load_champion(self.config, version)
        verdict = observe_month(*self._champion, month)
        self.history.record_verdict(verdict)
        return verdict

    def _decision(self, month: Month, verdict: MonthVerdict) -> TriggerDecision:
        """Decided once; in the month's own time, the day after it is over."""
        known = [decision for decision in self.history.decisions() if decision.month == str(month)]
        if known:
            return known[0]
        decision = decide(
            self.history.verdicts(),
            self.history.trainings(),
            month.next.first_day,
            self.config.drift,
            champion=verdict.version,
        )
        self.history.record_decision(decision)
        return decision

    def _retrain(self, month: Month, decision: TriggerDecision) -> dict[str, object]:
        event = TrainingEvent(month=str(month), day=decision.day, outcome=TrainingOutcome.STARTED)
        self.history.record_training(event)
        self.progress(str(month), "retraining")
        trained, problem = self._train(month)
        if trained is None:
            self.history.record_training(event.model_copy(update={"outcome": TrainingOutcome.FAILED}))
            return {"gate": str(TrainingOutcome.FAILED), "gate_reasons": (problem,)}
        self.progress(str(month), "asking the gate")
        said = judge_and_promote(self.config, trained, self.registry, self._run(month), run_id=str(month))
        self.history.record_training(event.model_copy(update={"outcome": TrainingOutcome(said.outcome)}))
        return {"trained": trained.key, "gate": str(said.outcome), "gate_reasons": said.reasons}

    def _train(self, month: Month) -> tuple[TrainedChallenger | None, str]:
        """The month's challenger, or why there can be none: the loop goes on without it.

        Its window reaches no further back than the plan: what the replay says of its months holds for the rows as well.
        """
        window = [known for known in (*self.first, *self.watched) if known <= month]
        try:
            return train_once(self.config, month, window[-self.config.training.window_months :]), ""
        except BadDataError as error:
            return None, str(error)

    def _run(self, month: Month) -> Path:
        return self.folder / "runs" / str(month)

    def _metrics(
        self, month: Month, verdict: MonthVerdict, base: TrainedChallenger, newest: TrainedChallenger
    ) -> Strategies:
        if verdict.error is None:
            return Strategies(triggered=None, monthly=None, never=None)
        triggered = open_registry(self.config.name, self.registry).get(verdict.version)
        models = {
            "triggered": (triggered.model_path, triggered.record.model_hash),
            "monthly": (newest.challenger / MODEL, newest.model_hash),
            "never": (base.challenger / MODEL, base.model_hash),
        }
        measured, naive = metrics_of(
            self.config, {content: path for path, content in models.values()}, month, read_baselines(base.challenger)
        )
        found = {name: measured[content] for name, (_, content) in models.items()}
        return Strategies(**found if self.monthly else {**found, "monthly": None}, naive=naive)


def metrics_of(
    config: ModelConfig, models: Mapping[str, Path], month: Month, baselines: Baselines
) -> tuple[dict[str, float | None], float | None]:
    """The gate's metric of each model (SHA-256 -> file) on all labelled rows of a month, and of its naive feature."""
    from ml.evaluation.intervals import measure
    from ml.features.tables import build
    from ml.training.fit import frame, predict

    rows = build(config, [month]).table()
    rows = rows.filter(pc.is_valid(rows["target"]))
    actual, inputs = rows["target"].to_numpy(), frame(rows, config.features.names)
    metric, name = config.gate.metric, config.gate.naive_feature
    naive = measure(metric, actual, baselines.predictions(rows, name)[name]) if name else None
    return {
        content: measure(metric, actual, predict(load_model(path, content), inputs)) for content, path in models.items()
    }, naive


def _forget() -> None:
    """Give freed tables back to the system: the loop's memory must not grow with its months."""
    gc.collect()
    pa.default_memory_pool().release_unused()


def _memory_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1 << 20 if sys.platform == "darwin" else 1 << 10), 1)
