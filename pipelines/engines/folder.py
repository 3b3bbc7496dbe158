"""A run's folder: spec, parameters, status, log, artefacts, decision and report, from its first moment to its last.

.fonderie/runs/<id>/   status.json spec.json log.txt   artefacts/<pipeline>-<time>/<task>/<output>
                       decision.json report.html       (copies, once there; of monitoring trigger.json, verdict.json)
"""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from fonderie.core.errors import BadDataError, BadInputError, ConflictError
from fonderie.core.files import write_text
from fonderie.core.home import home
from pipelines.engines.engine import Run, RunState

COPIES = {
    "gate/decision": "decision.json",
    "judge/decision": "trigger.json",
    "monitor/verdict": "verdict.json",
    "report/page": "report.html",
}


class RunFolder:
    """The folder of one local run: status, spec, log and artefacts."""

    def __init__(self, run_id: str) -> None:
        """Of a run that may not be there yet."""
        self.id = run_id
        self.path = runs_folder() / run_id
        self.log = self.path / "log.txt"
        self.spec = self.path / "spec.json"
        self.root = self.path / "artefacts"

    def create(self, run: Run, spec: Path) -> None:
        """The first moment. Raises ConflictError if there is such a run."""
        try:
            self.root.mkdir(parents=True)
        except FileExistsError:
            raise ConflictError(
                "the run already exists", where=self.path, hint=f"fonderie runs show {self.id}"
            ) from None
        shutil.copyfile(spec, self.spec)
        self.log.touch()
        self.write(run)

    def write(self, run: Run) -> None:
        """Replace the status file in one step."""
        write_text(self.path / "status.json", run.model_dump_json(indent=1) + "\n")

    def read(self) -> Run:
        """Its state; a run whose process is gone is marked as interrupted. Raises BadInputError, BadDataError."""
        path = self.path / "status.json"
        if not path.exists():
            raise BadInputError(f"unknown run {self.id!r}", where=runs_folder(), hint="fonderie runs list")
        try:
            run = Run.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise BadDataError("not the status of a run", where=path, hint=f"remove {self.path}") from error
        if run.state is RunState.RUNNING and not _alive(run.process):
            run = run.model_copy(update={"state": RunState.INTERRUPTED, "problem": "its process is gone"})
            self.write(run)
        return run

    def artefacts(self) -> dict[str, Path]:
        """`task/output` -> path, of everything the tasks left."""
        return {
            f"{path.parent.name}/{path.name}": path
            for path in sorted(self.root.glob("*/*/*"))
            if path.name != "executor_output.json"
        }

    def finish(self, run: Run, state: RunState, problem: str | None = None) -> Run:
        """The last moment: copies of what people look for, then the state."""
        found = self.artefacts()
        for name, copy in COPIES.items():
            if name in found:
                shutil.copyfile(found[name], self.path / copy)
        over = run.model_copy(update={"state": state, "finished": datetime.now(UTC), "problem": problem})
        self.write(over)
        return over


def runs_folder() -> Path:
    """The folder that holds one folder for each local run."""
    return home() / "runs"


def run_ids() -> list[str]:
    """Of every run with a status, by time of creation."""
    return [path.parent.name for path in sorted(runs_folder().glob("*/status.json"), key=_started)]


def _started(path: Path) -> tuple[float, str]:
    return ((path.parent / "spec.json").stat().st_mtime, path.parent.name)


def _alive(process: int | None) -> bool:
    if process is None:
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
