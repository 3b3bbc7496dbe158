"""Cloud Scheduler for the tests: jobs that are there, a page at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fonderie.sandbox.rest.discovery import Call, RejectedError


@dataclass
class Scheduler:
    """Jobs by name."""

    jobs: list[dict[str, Any]] = field(default_factory=list)
    page: int = 2

    def handle(self, call: Call) -> dict[str, Any]:
        """Answer one call."""
        if call.method != "cloudscheduler.projects.locations.jobs.list":
            raise RejectedError(501, "UNIMPLEMENTED", f"the stand-in has no {call.method}")
        start = int(call.query.get("pageToken", 0))
        found = [job for job in self.jobs if job["name"].startswith(f"{call.path['parent']}/jobs/")]
        more = {"nextPageToken": str(start + self.page)} if start + self.page < len(found) else {}
        return {"jobs": found[start : start + self.page], **more}
