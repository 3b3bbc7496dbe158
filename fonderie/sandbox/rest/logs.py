"""Cloud Logging and Monitoring: entries and points that were written can be listed.

Source: the REST references of Logging (entries) and Monitoring (time series).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fonderie.core.errors import BadInputError
from fonderie.sandbox.cloud.documents import Document, Documents
from fonderie.sandbox.lifecycle.world import World
from fonderie.sandbox.logging_filter import Test, logging_filter, monitoring_filter
from fonderie.sandbox.rest.discovery import Call, RejectedError

_PAGE = 50


class Logs:
    """Entries in the order they were written."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._entries = Documents(world.cloud, "log entry")
        self._series = Documents(world.cloud, "time series")

    def handle(self, call: Call) -> Document:
        """Answer one call."""
        match call.method:
            case "logging.entries.write":
                return self._write(call.body)
            case "logging.entries.list":
                return self._list(call.body)
            case "monitoring.projects.timeSeries.create":
                for series in call.body.get("timeSeries", []):
                    number = f"{self._world.cloud.count('time series'):09d}"
                    self._series[f"{self._project(call.path['name'])}/{number}"] = series
                return {}
            case "monitoring.projects.timeSeries.list":
                under = self._series.under(f"{self._project(call.path['name'])}/")
                matches = _filter(monitoring_filter, call.query.get("filter", ""))
                matching = [series for _, series in under if matches(series)]
                return {"timeSeries": matching} if matching else {}
        raise RejectedError(501, "UNIMPLEMENTED", f"the sandbox has no {call.method}")

    def _project(self, name: str) -> str:
        return "/".join(self._world.names.canonical(name).split("/")[:2])

    def _write(self, body: Mapping[str, Any]) -> Document:
        common = {key: body[key] for key in ("logName", "resource", "labels") if key in body}
        for entry in body.get("entries", []):
            told = {**common, **entry}
            if not told.get("logName") or "/logs/" not in told["logName"]:
                raise RejectedError(400, "INVALID_ARGUMENT", "A log name must be supplied.")
            number = self._world.cloud.count("log entries")
            stamp = self._world.clock.timestamp()
            told = {"timestamp": stamp, "insertId": f"{number:09d}", **told, "receiveTimestamp": stamp}
            self._entries[f"{self._project(told['logName'])}/{number:09d}"] = told
        return {}

    def _list(self, body: Mapping[str, Any]) -> Document:
        matches = _filter(logging_filter, body.get("filter", ""))
        entries = [
            entry
            for name in body.get("resourceNames", [])
            for _, entry in self._entries.under(f"{self._project(name)}/")
            if matches(entry)
        ]
        if body.get("orderBy", "").endswith("desc"):
            entries.reverse()
        start, size = int(body.get("pageToken") or 0), int(body.get("pageSize") or _PAGE)
        more = {"nextPageToken": str(start + size)} if start + size < len(entries) else {}
        page = entries[start : start + size]
        return ({"entries": page} if page else {}) | more


def _filter(evaluator: Callable[[str], Test], text: str) -> Test:
    """Raises RejectedError for an invalid filter, or one beyond the subset that the sandbox evaluates."""
    try:
        return evaluator(text)
    except BadInputError as error:
        raise RejectedError(400, "INVALID_ARGUMENT", f"Unparseable filter: {error.what}") from error
