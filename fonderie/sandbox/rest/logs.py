"""Cloud Logging and Monitoring: entries and points that were written can be listed.

Source: the REST references of Logging (entries) and Monitoring (time series); "Logging query language", of which
comparisons of one field that are joined by AND are evaluated, and anything else is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fonderie.sandbox.cloud.documents import Document, Documents
from fonderie.sandbox.lifecycle.world import World
from fonderie.sandbox.rest.discovery import Call, RejectedError

_TERM = re.compile(r'([\w."/-]+)\s*(=|!=|:|>=|<=|>|<)\s*("(?:[^"\\]|\\.)*"|[\w./:-]+)')
_SEVERITIES = ("DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY")
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
                found = [series for _, series in under if matches(call.query.get("filter", ""), series)]
                return {"timeSeries": found} if found else {}
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
        entries = [
            entry
            for name in body.get("resourceNames", [])
            for _, entry in self._entries.under(f"{self._project(name)}/")
            if matches(body.get("filter", ""), entry)
        ]
        if body.get("orderBy", "").endswith("desc"):
            entries.reverse()
        start, size = int(body.get("pageToken") or 0), int(body.get("pageSize") or _PAGE)
        more = {"nextPageToken": str(start + size)} if start + size < len(entries) else {}
        page = entries[start : start + size]
        return ({"entries": page} if page else {}) | more


def matches(text: str, entry: Mapping[str, Any]) -> bool:
    """Whether a filter takes an entry. Raises RejectedError for one that cannot be evaluated here."""
    rest = text.strip()
    while rest:
        term = _TERM.match(rest)
        if term is None:
            raise RejectedError(501, "UNIMPLEMENTED", f"the sandbox cannot evaluate the filter at {rest[:40]!r}")
        path, operator, wanted = term[1], term[2], term[3].strip('"').replace('\\"', '"')
        if not _compare(_field(entry, path), operator, wanted):
            return False
        rest = re.sub(r"^(AND\b|\s)+", "", rest[term.end() :])
    return True


def _field(entry: Any, path: str) -> Any:
    for word in re.findall(r'"[^"]*"|[^.]+', path):
        entry = entry.get(word.strip('"')) if isinstance(entry, Mapping) else None
    return entry


def _compare(value: Any, operator: str, wanted: str) -> bool:
    shown = str(value).lower() if isinstance(value, bool) else str(value)
    match operator:
        case "=":
            return value is not None and shown == wanted
        case "!=":
            return value is None or shown != wanted
        case ":":
            return value is not None and wanted.lower() in shown.lower()
    if value is None:
        return False
    left: Any = _SEVERITIES.index(shown) if shown in _SEVERITIES else shown
    right: Any = _SEVERITIES.index(wanted) if wanted in _SEVERITIES else wanted
    if isinstance(left, str) and re.fullmatch(r"-?[\d.]+", left) and re.fullmatch(r"-?[\d.]+", str(right)):
        left, right = float(left), float(right)
    if type(left) is not type(right):
        return False
    return bool({">": left > right, "<": left < right, ">=": left >= right, "<=": left <= right}[operator])
