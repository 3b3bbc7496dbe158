"""A Git host on this machine: repositories over HTTP, the part of GitHub's REST API that we use, signed job tokens.

What it is sent and what it answers is held against GitHub's own OpenAPI description (`tests/data/github/openapi.json`).
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

OPENAPI = json.loads((Path(__file__).parents[1] / "data" / "github" / "openapi.json").read_text())
ISSUER = "https://token.actions.githubusercontent.com"
_PERSON = ("-c", "user.name=Ada", "-c", "user.email=ada@acme.example", "-c", "commit.gpgsign=false")
_NO_LOGIN = {"WWW-Authenticate": 'Basic realm="GitHub"'}


def git(folder: Path, *arguments: str) -> str:
    """What git answers to a person at `folder`."""
    command = ["git", "-C", str(folder), *_PERSON, "-c", "init.defaultBranch=main", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"git {' '.join(arguments)}: {done.stderr}"
    return done.stdout.strip()


@dataclass(frozen=True)
class Token:
    """What a token may do in one repository: permission -> `read` or `write`, in GitHub's words."""

    repository: str
    permissions: Mapping[str, str]
    bot: bool = True

    def may(self, repository: str, permission: str, how: str) -> bool:
        """Whether it may read (or write) there."""
        mine = self.permissions.get(permission, "none") if repository == self.repository else "none"
        return mine == "write" or mine == how


@dataclass
class PullRequest:
    """One pull request, at its newest commit."""

    number: int
    head_repository: str
    branch: str
    head: str
    base: str
    merge: str = ""
    merged: bool = False
    comments: list[dict[str, Any]] = field(default_factory=list)


class GitHost:
    """Repositories with one protected branch, `main`. `seen` is every request, `refused` what broke OpenAPI."""

    def __init__(self, folder: Path, repository: str, *, private: bool = False) -> None:
        self.folder, self.repository, self.private = folder, repository, private
        self.url = ""
        self.repository_id, self.owner_id = "812345678", "41234567"
        self.tokens: dict[str, Token] = {}
        self.pulls: dict[int, PullRequest] = {}
        self.statuses: list[dict[str, Any]] = []
        self.seen: list[str] = []
        self.refused: list[str] = []
        self.variables: dict[str, dict[str, str]] = {}
        """GitHub environment -> its variables."""
        self.secrets: dict[str, dict[str, str]] = {}
        """GitHub environment -> its secrets, for jobs of the protected branch only."""
        self.laptop = folder / "laptop"

    # -- what people do

    def create(self, files: Path, listed: list[str]) -> None:
        """The repository, with `listed` of `files` as its first commit."""
        self.laptop.mkdir(parents=True)
        git(self.laptop, "init", "-q")
        for name in listed:
            target = self.laptop / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(files / name, target, follow_symlinks=False)
        git(self.laptop, "add", "--all", "--force")
        git(self.laptop, "commit", "-q", "-m", "First")
        self._bare(self.repository)
        git(self.laptop, "remote", "add", "origin", str(self.path(self.repository)))
        git(self.laptop, "push", "-q", "origin", "main")

    def fork(self, repository: str) -> None:
        """A stranger's copy."""
        self._bare(repository)
        git(self.laptop, "push", "-q", str(self.path(repository)), "main")

    def _bare(self, repository: str) -> None:
        path = self.path(repository)
        path.mkdir(parents=True)
        git(path, "init", "-q", "--bare")
        git(path, "config", "uploadpack.allowReachableSHA1InWant", "true")

    def path(self, repository: str) -> Path:
        """The bare repository."""
        return self.folder / "repositories" / f"{repository}.git"

    def commit(self, changes: Mapping[str, Callable[[str], str]], branch: str = "main", message: str = "Change") -> str:
        """Edit files on `branch`, which starts at main: file -> its new text by its old one. The commit."""
        git(self.laptop, "checkout", "-q", *(["-B", branch, "main"] if branch != "main" else ["main"]))
        for name, edit in changes.items():
            file = self.laptop / name
            before = file.read_text()
            file.write_text(edit(before))
            assert file.read_text() != before, f"{name} did not change"
        git(self.laptop, "commit", "-q", "--all", "-m", message)
        return git(self.laptop, "rev-parse", "HEAD")

    def push(self) -> str:
        """Push the laptop's main, as nobody may but who sets the scene. The commit."""
        git(self.laptop, "push", "-q", "origin", "main")
        return self.main

    def open_pull_request(self, branch: str, repository: str = "") -> PullRequest:
        """Push `branch` of the laptop and open a pull request from it, from a fork if `repository` names one."""
        source = repository or self.repository
        git(self.laptop, "push", "-q", "--force", str(self.path(source)), branch)
        number = len(self.pulls) + 1
        pull = PullRequest(number, source, branch, git(self.laptop, "rev-parse", branch), self.main)
        self.pulls[number] = pull
        git(self.laptop, "checkout", "-q", "--detach", "main")
        git(self.laptop, "merge", "-q", "--no-ff", "-m", f"Merge pull request #{number} from {branch}", branch)
        pull.merge = git(self.laptop, "rev-parse", "HEAD")
        for ref, commit in (("head", pull.head), ("merge", pull.merge)):
            git(self.laptop, "push", "-q", "origin", f"{commit}:refs/pull/{number}/{ref}")
        git(self.laptop, "checkout", "-q", "main")
        return pull

    def merge(self, pull: PullRequest) -> str:
        """Merge it: a push to the protected branch. The commit."""
        git(self.laptop, "checkout", "-q", "main")
        git(self.laptop, "merge", "-q", "--ff-only", pull.merge)
        git(self.laptop, "push", "-q", "origin", "main")
        pull.merged = True
        return pull.merge

    @property
    def main(self) -> str:
        """The commit that the protected branch is at."""
        return git(self.path(self.repository), "rev-parse", "refs/heads/main")

    def changed(self, commit: str) -> list[str]:
        """The files that a commit changed, compared with its first parent."""
        return git(self.laptop, "diff", "--name-only", f"{commit}^1", commit).split()

    # -- tokens

    def issue(self, permissions: Mapping[str, str], repository: str = "", *, bot: bool = True) -> str:
        """A token for a repository."""
        token = f"ghs_{secrets.token_hex(18)}"
        self.tokens[token] = Token(repository or self.repository, permissions, bot)
        return token

    def clone_url(self, repository: str) -> str:
        """Where git reads it."""
        return f"{self.url}/{repository}.git"

    # -- HTTP

    async def answer(self, request: Request) -> Response:
        """One request: git's own protocol, or the REST API."""
        self.seen.append(f"{request.method} {request.url.path}")
        token = self._token(request.headers.get("authorization", ""))
        path = [part for part in request.url.path.split("/") if part]
        body = await request.body()
        if len(path) > 2 and path[1].endswith(".git"):
            return await run_in_threadpool(self._git, request, body, token)
        return await run_in_threadpool(self._rest, request, path, body, token)

    def _token(self, header: str) -> Token | None:
        kind, _, value = header.partition(" ")
        if kind.lower() == "basic":
            value = base64.b64decode(value).decode().partition(":")[2]
        return self.tokens.get(value)

    def _git(self, request: Request, body: bytes, token: Token | None) -> Response:
        repository = "/".join(request.url.path.split("/")[1:3]).removesuffix(".git")
        if "authorization" in request.headers and token is None:
            return Response("Bad credentials", 401, _NO_LOGIN)
        if self.private and not (token and token.may(repository, "contents", "read")):
            return Response("Repository not found.", 404) if token else Response("Log in", 401, _NO_LOGIN)
        if "git-receive-pack" in str(request.url):
            return Response("Write access to repository not granted.", 403)
        done = subprocess.run(
            ["git", "http-backend"],
            input=body,
            capture_output=True,
            check=True,
            env={
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(self.folder / "repositories"),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": request.url.path,
                "QUERY_STRING": request.url.query,
                "REQUEST_METHOD": request.method,
                "CONTENT_TYPE": request.headers.get("content-type", ""),
                "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
                "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
            },
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        return Response(content, int(headers.pop("Status", "200").split()[0]), headers)

    def _rest(self, request: Request, path: list[str], body: bytes, token: Token | None) -> Response:
        if token is None:
            return JSONResponse({"message": "Bad credentials"}, 401)
        sent = json.loads(body) if body else None
        match [request.method, *path]:
            case ["GET", "user"]:
                if token.bot:
                    return JSONResponse({"message": "Resource not accessible by integration"}, 403)
                return JSONResponse({"login": "ada", "id": 1, "type": "User"})
            case ["GET", "repos", owner, name, "pulls", number]:
                template, need = "/repos/{owner}/{repo}/pulls/{pull_number}", ("pull-requests", "read")
                code, answer = 200, self._pull(self.pulls[int(number)])
            case ["GET", "repos", owner, name, "issues", number, "comments"]:
                template, need = "/repos/{owner}/{repo}/issues/{issue_number}/comments", ("pull-requests", "read")
                code, answer = 200, self.pulls[int(number)].comments
            case ["POST", "repos", owner, name, "issues", number, "comments"]:
                template, need = "/repos/{owner}/{repo}/issues/{issue_number}/comments", ("pull-requests", "write")
                code, answer = 201, lambda: self._comment(self.pulls[int(number)], sent["body"], token)
            case ["PATCH", "repos", owner, name, "issues", "comments", number]:
                template, need = "/repos/{owner}/{repo}/issues/comments/{comment_id}", ("pull-requests", "write")
                code, answer = 200, lambda: self._edit(int(number), sent["body"])
            case ["POST", "repos", owner, name, "statuses", sha]:
                template, need = "/repos/{owner}/{repo}/statuses/{sha}", ("statuses", "write")
                code, answer = 201, lambda: self._status(sha, sent)
            case ["GET", "repos", owner, name, "commits", sha, "pulls"]:
                template, need = "/repos/{owner}/{repo}/commits/{commit_sha}/pulls", ("pull-requests", "read")
                code, answer = 200, [self._pull(each) for each in self.pulls.values() if sha in (each.merge, each.head)]
            case _:
                self.refused.append(f"unknown: {request.method} {request.url.path}")
                return JSONResponse({"message": "Not Found"}, 404)
        repository, operation = f"{owner}/{name}", OPENAPI["paths"][template][request.method.lower()]
        if not token.may(repository, "pull-requests" if need == ("pull-requests", "read") else need[0], need[1]):
            gone = self.private and not token.may(repository, "metadata", "read")
            refused = {"message": "Not Found" if gone else "Resource not accessible by integration"}
            return JSONResponse(refused, 404 if gone else 403)
        if problem := _problem(sent, operation.get("request")):
            self.refused.append(f"{request.method} {template}: {problem}")
            return JSONResponse({"message": "Validation Failed", "errors": [problem]}, 422)
        answered = answer() if callable(answer) else answer
        if problem := _problem(answered, operation["responses"][str(code)]):
            self.refused.append(f"answer of {request.method} {template}: {problem}")
        return JSONResponse(answered, code)

    def _pull(self, pull: PullRequest) -> dict[str, Any]:
        return {
            "id": pull.number,
            "number": pull.number,
            "html_url": f"{self.url}/{self.repository}/pull/{pull.number}",
            "state": "closed" if pull.merged else "open",
            "body": None,
            "user": {"login": "ada", "type": "User"},
            "author_association": "MEMBER",
            "head": {"sha": pull.head, "ref": pull.branch, "repo": {"full_name": pull.head_repository}},
            "base": {"sha": pull.base, "ref": "main", "repo": {"full_name": self.repository}},
            "merge_commit_sha": pull.merge,
            "merged_at": "2026-11-29T00:00:00Z" if pull.merged else None,
        }

    def _comment(self, pull: PullRequest, body: str, token: Token) -> dict[str, Any]:
        number = 1000 * pull.number + len(pull.comments)
        made = {
            "id": number,
            "body": body,
            "html_url": f"{self.url}/{self.repository}/pull/{pull.number}#issuecomment-{number}",
            "user": {"login": "github-actions[bot]" if token.bot else "ada", "type": "Bot" if token.bot else "User"},
            "author_association": "NONE" if token.bot else "MEMBER",
        }
        pull.comments.append(made)
        return made

    def _edit(self, number: int, body: str) -> dict[str, Any]:
        comment = next(each for pull in self.pulls.values() for each in pull.comments if each["id"] == number)
        comment["body"] = body
        return comment

    def _status(self, sha: str, sent: dict[str, Any]) -> dict[str, Any]:
        self.statuses.append({"sha": sha, **sent})
        return {
            "id": len(self.statuses),
            "state": sent["state"],
            "context": sent["context"],
            "description": sent.get("description"),
        }


def _problem(value: Any, schema: Mapping[str, Any] | None) -> str:
    """Why a document is not what OpenAPI says; empty when it is."""
    if schema is None:
        return "" if value is None else "a body where none is wanted"
    error = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema).iter_errors(value))
    return error.message if error else ""


@contextmanager
def serving(host: GitHost) -> Iterator[GitHost]:
    """The host on a free port of this machine, until the block ends."""
    app = Starlette(routes=[Route("/{path:path}", host.answer, methods=["GET", "POST", "PATCH", "PUT"])])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    host.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield host
    finally:
        server.should_exit = True
        thread.join(5)
