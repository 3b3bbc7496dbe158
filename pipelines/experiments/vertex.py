"""Experiments in Vertex AI Experiments, as its own library writes them: a context, and one below it for each run.

Source: `google.cloud.aiplatform.metadata` (`experiment_resources`, `experiment_run_resource`, `constants`), whose
`get_experiment_df` reads what is written here; Vertex ML Metadata, "Data model".
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fonderie.core.errors import BadInputError, ConflictError
from fonderie.google import Access, NotFoundError, google_errors

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,127}")
STORE = "default"
EXPERIMENT, RUN, VERSION = "system.Experiment", "system.ExperimentRun", "0.0.1"


@dataclass(frozen=True)
class ExperimentRun:
    """One combination: what it was made with, and how it did. NaN and infinite metrics are left out."""

    name: str
    parameters: Mapping[str, str | int | float]
    metrics: Mapping[str, float | None]


class VertexExperiments:
    """The experiments of a project and region. Recording the same runs twice is recording them once."""

    def __init__(self, access: Access, labels: Mapping[str, str], *, key: str = "") -> None:
        """`key` encrypts the store where it is made here; a store that is there keeps the key it was made with."""
        self._access, self._labels, self._key = access, dict(labels), key
        self._client = access.vertex("MetadataServiceClient")
        self._store = f"{access.parent}/metadataStores/{STORE}"

    def record(self, experiment: str, runs: Sequence[ExperimentRun], description: str) -> list[str]:
        """Make the experiment unless it is there, and add the runs; the names of those that are new.

        Raises BadInputError for a name that Vertex AI does not take, and what Google says in our words.
        """
        for name in (experiment, *(f"{experiment}-{run.name}" for run in runs)):
            if not NAME.fullmatch(name):
                raise BadInputError(f"invalid experiment name {name!r}", hint="lower case, digits, dashes; 128")
        self._make_store()
        with google_errors(self._store):
            parent = self._context(experiment, EXPERIMENT, {"experiment_deleted": False}, description)[0]
            new, children = [], []
            for run in runs:
                child, made = self._context(f"{experiment}-{run.name}", RUN, _metadata(run), display=run.name)
                children.append(child)
                new += [run.name] if made else []
            self._client.add_context_children(request={"context": parent, "child_contexts": children})
        return new

    def _make_store(self) -> None:
        """A project has no metadata store before its first use."""
        try:
            with google_errors(self._store):
                self._client.get_metadata_store(name=self._store)
        except NotFoundError:
            with google_errors(self._store):
                encryption = {"encryption_spec": {"kms_key_name": self._key}} if self._key else {}
                operation = self._client.create_metadata_store(
                    parent=self._access.parent, metadata_store=encryption, metadata_store_id=STORE
                )
                operation.result(timeout=300)

    def _context(
        self, name: str, kind: str, metadata: dict[str, Any], description: str = "", *, display: str = ""
    ) -> tuple[str, bool]:
        """The context's resource name, and whether it was made now. Raises ConflictError if it is of another kind."""
        wanted = {
            "display_name": display or name,
            "schema_title": kind,
            "schema_version": VERSION,
            "metadata": metadata,
            "labels": self._labels,
            "description": description,
        }
        try:
            with google_errors(self._store):
                context = self._client.create_context(parent=self._store, context=wanted, context_id=name)
            return str(context.name), True
        except ConflictError:
            there = self._client.get_context(name=f"{self._store}/contexts/{name}")
            if there.schema_title != kind:
                raise ConflictError(f"{name} already exists as {there.schema_title}", where=self._store) from None
            return str(there.name), False


def _metadata(run: ExperimentRun) -> dict[str, Any]:
    numbers = {name: value for name, value in run.metrics.items() if value is not None and math.isfinite(value)}
    return {"_params": dict(run.parameters), "_metrics": numbers, "_state": "COMPLETE"}
