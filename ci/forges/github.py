"""GitHub pull requests. Source: "REST API endpoints for issue comments", "... for commit statuses"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ci.forges.forge import Comment, State
from ci.forges.requests import GONE, Api

CONTEXT = "fonderie/preview"
_MOST_PAGES = 50
ACTIONS = "github-actions[bot]"
"""The account of a workflow's own token, which may not ask who it is. Source: "Automatic token authentication"."""


def api(token: str, url: str = "https://api.github.com", **more: Any) -> Api:
    """GitHub's API with a token."""
    return Api(
        name="GitHub",
        url=url.rstrip("/"),
        headers={
            "Authorization": f"Bearer {token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        },
        permission="`pull-requests: write` and `statuses: write`",
        **more,
    )


class GitHub:
    """One pull request."""

    limit = 59_500  # of 65,536

    def __init__(self, api: Api, repository: str, number: int, login: str = "") -> None:
        """`login`: whose comments are ours; asked for when it is not given."""
        self._api = api
        self._login = login
        self._repository = f"/repos/{repository}"
        self._number = number

    def head(self) -> str:
        """The commit the pull request is at now."""
        answer = self._api.send("GET", f"{self._repository}/pulls/{self._number}").json()
        return str(answer["head"]["sha"])

    def comments(self) -> list[Comment]:
        """All its comments, oldest first, page by page."""
        found: list[Comment] = []
        path: str | None = f"{self._repository}/issues/{self._number}/comments?per_page=100"
        for _ in range(_MOST_PAGES):
            if path is None:
                break
            answer = self._api.send("GET", path)
            found += [self._comment(item) for item in answer.json()]
            path = answer.links.get("next", {}).get("url")
        return found

    def create(self, body: str) -> Comment:
        """A new comment."""
        path = f"{self._repository}/issues/{self._number}/comments"
        return self._comment(self._api.send("POST", path, {"body": body}).json())

    def update(self, comment: Comment, body: str) -> Comment | None:
        """Change a comment; None when it is gone, or somebody else's."""
        path = f"{self._repository}/issues/comments/{comment.id}"
        answer = self._api.send("PATCH", path, {"body": body}, allow=(*GONE, 403))
        return self._comment(answer.json()) if answer.is_success else None

    def delete(self, comment: Comment) -> None:
        """Remove a comment of ours; one that is gone is fine."""
        self._api.send("DELETE", f"{self._repository}/issues/comments/{comment.id}", allow=(*GONE, 403))

    def set_status(self, commit: str, state: State, description: str, environment: str) -> None:
        """The commit's status."""
        body = {"state": state.value, "description": description[:140], "context": f"{CONTEXT}/{environment}"}
        self._api.send("POST", f"{self._repository}/statuses/{commit}", body)

    def merged(self, commit: str) -> list[PullRequest]:
        """The pull requests that brought a commit to their base."""
        return [pull for pull in self._pull_requests(commit) if pull.merged]

    def open_at(self, commit: str) -> list[PullRequest]:
        """The open pull requests whose last commit it is."""
        return [pull for pull in self._pull_requests(commit) if pull.open and pull.head == commit]

    def _pull_requests(self, commit: str) -> list[PullRequest]:
        answer = self._api.send("GET", f"{self._repository}/commits/{commit}/pulls").json()
        return [
            PullRequest(
                int(item["number"]),
                str(item["head"]["sha"]),
                str(item["base"]["ref"]),
                bool(item["merged_at"]),
                item["state"] == "open",
            )
            for item in answer
        ]

    @property
    def login(self) -> str:
        """The account that the token is of. Source: "Get the authenticated user"."""
        if not self._login:
            self._login = str(self._api.send("GET", "/user").json()["login"])
        return self._login

    def _comment(self, item: dict[str, Any]) -> Comment:
        own = str((item.get("user") or {}).get("login", "")) == self.login
        return Comment(int(item["id"]), str(item.get("body") or ""), str(item.get("html_url", "")), own)

    def open_pull_request(self, branch: str, base: str, title: str, body: str) -> str:
        """Open a pull request from a branch; its address."""
        sent = {"head": branch, "base": base, "title": title, "body": body}
        return str(self._api.send("POST", f"{self._repository}/pulls", sent).json()["html_url"])


@dataclass(frozen=True)
class PullRequest:
    """A pull request as GitHub knows it: `base` is the branch that it goes to."""

    number: int
    head: str
    base: str
    merged: bool
    open: bool
