"""GitLab merge requests. Source: "Notes API", "Commits API: set commit pipeline status"."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from ci.forges.forge import Comment, State
from ci.forges.requests import GONE, Api

_STATES = {State.SUCCESS: "success", State.FAILURE: "failed"}
_MOST_PAGES = 50


def api(token: str, url: str = "https://gitlab.com/api/v4", **more: Any) -> Api:
    """GitLab's API with a project or personal access token."""
    return Api(
        name="GitLab",
        url=url.rstrip("/"),
        headers={"PRIVATE-TOKEN": token},
        permission="the `api` scope and the Developer role",
        **more,
    )


class GitLab:
    """One merge request; `project` is its number or its path."""

    limit = 900_000  # of 1,000,000

    def __init__(self, api: Api, project: str, number: int) -> None:
        self._api = api
        self._project = f"/projects/{quote(project, safe='')}"
        self._notes = f"{self._project}/merge_requests/{number}/notes"
        self._number = number
        self._login = ""

    def head(self) -> str:
        """The commit the merge request is at now."""
        return str(self._api.send("GET", f"{self._project}/merge_requests/{self._number}").json()["sha"])

    def comments(self) -> list[Comment]:
        """All its notes, oldest first, page by page."""
        found: list[Comment] = []
        page = "1"
        for _ in range(_MOST_PAGES):
            answer = self._api.send("GET", f"{self._notes}?sort=asc&order_by=created_at&per_page=100&page={page}")
            found += [self._comment(item) for item in answer.json()]
            page = answer.headers.get("x-next-page", "")
            if not page:
                break
        return found

    def _comment(self, item: dict[str, Any]) -> Comment:
        if not self._login:
            self._login = str(self._api.send("GET", "/user").json()["username"])
        own = str((item.get("author") or {}).get("username", "")) == self._login
        return Comment(int(item["id"]), str(item.get("body") or ""), own=own)

    def create(self, body: str) -> Comment:
        """A new note."""
        item = self._api.send("POST", self._notes, {"body": body}).json()
        return Comment(int(item["id"]), body)

    def update(self, comment: Comment, body: str) -> Comment | None:
        """Change a note; None when it is gone, or somebody else's."""
        answer = self._api.send("PUT", f"{self._notes}/{comment.id}", {"body": body}, allow=(*GONE, 403))
        return Comment(comment.id, body) if answer.is_success else None

    def delete(self, comment: Comment) -> None:
        """Remove a note of ours; one that is gone is fine."""
        self._api.send("DELETE", f"{self._notes}/{comment.id}", allow=(*GONE, 403))

    def set_status(self, commit: str, state: State, description: str, environment: str) -> None:
        """The commit's status."""
        body = {"state": _STATES[state], "description": description[:140], "name": f"fonderie/preview/{environment}"}
        self._api.send("POST", f"{self._project}/statuses/{quote(commit, safe='')}", body)
