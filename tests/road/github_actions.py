"""GitHub Actions, as far as `.github/workflows/*.yml` use it: each job's steps as written; actions are fixtures.

Sources: GitHub, "Workflow syntax", "Contexts reference", "Automatic token authentication", "OpenID Connect reference"
(claims), "Events that trigger workflows" (a fork's pull request gets a token that reads, and no id-token; a workflow
that another's end starts is the default branch's), "Store and share data with workflow artifacts".
"""

from __future__ import annotations

import base64
import fnmatch
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from tests.road.expressions import as_text, evaluate, interpolate, true
from tests.road.git_host import ISSUER, GitHost, PullRequest
from tests.road.machine import SYSTEM, Machine, UnknownError, known
from tests.road.project import Project

WORKFLOWS = ".github/workflows"
_WORKFLOW = {"name", "on", "permissions", "concurrency", "jobs"}
_JOB = {
    "needs", "if", "permissions", "outputs", "strategy", "runs-on", "timeout-minutes", "environment", "env", "steps",
}  # fmt: skip
_STEP = {"id", "name", "if", "uses", "with", "env", "run"}
_EVENTS = {"push", "pull_request", "schedule", "workflow_dispatch", "workflow_run"}
_READ_ONLY = {"write": "read", "read": "read", "none": "none"}


@dataclass(frozen=True)
class Event:
    """What happened: GitHub's name for it, its payload, and the commit that a job checks out."""

    name: str
    payload: Mapping[str, Any]
    ref: str
    commit: str
    changed: tuple[str, ...] = ()
    from_fork: bool = False


@dataclass
class Job:
    """A job that ran, or was skipped: its steps' exit codes in order, what they said, its summary."""

    workflow: str
    name: str
    matrix: Mapping[str, Any]
    result: str = "success"
    codes: list[int] = field(default_factory=list)
    said: str = ""
    summary: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    identity: str = ""
    """The account that it became, if it logged in."""
    machine: Machine | None = None


@dataclass
class _Run:
    """A job while it runs, as its steps and actions see it."""

    job: Job
    machine: Machine
    event: Event
    contexts: dict[str, Any]
    permissions: Mapping[str, str]
    token: str
    host: GitHost
    projects: Mapping[str, Project]
    runner: str
    chosen: str
    """The GitHub environment."""
    environment: dict[str, str] = field(default_factory=dict)
    """What actions have exported, as by $GITHUB_ENV."""

    @property
    def tools(self) -> Path:
        """A folder that actions put tools into."""
        folder = self.machine.folder / "actions"
        if str(folder) not in self.machine.extra:
            self.machine.extra.append(str(folder))
        return folder


class GitHubActions:
    """The workflows of a repository. `projects` are those of the environments that a job may log in to."""

    def __init__(self, host: GitHost, projects: Mapping[str, Project], folder: Path) -> None:
        self.host, self.projects, self.folder = host, projects, folder
        self.jobs: list[Job] = []
        self.runs = 0
        self.ended: Event | None = None
        """What GitHub tells of the run that ended last."""

    # -- events

    def pull_request(self, pull: PullRequest) -> list[Job]:
        """A pull request was opened or got a commit: jobs see it merged with its base."""
        sides = {"head": (pull.head, pull.head_repository), "base": (pull.base, self.host.repository)}
        payload: dict[str, Any] = {
            "number": pull.number,
            "pull_request": {
                "number": pull.number,
                **{name: {"sha": sha, "repo": {"full_name": of}} for name, (sha, of) in sides.items()},
            },
        }
        fork = pull.head_repository != self.host.repository
        return self._start(Event("pull_request", payload, f"refs/pull/{pull.number}/merge", pull.merge, (), fork))

    def push(self, commit: str) -> list[Job]:
        """The protected branch is at a new commit."""
        return self._start(Event("push", {}, "refs/heads/main", commit, tuple(self.host.changed(commit))))

    def night(self) -> list[Job]:
        """Every schedule is due."""
        return self._start(Event("schedule", {}, "refs/heads/main", self.host.main))

    def _start(self, event: Event) -> list[Job]:
        event = replace(event, commit=event.commit or self.host.main)  # a run that another's end starts is main's
        source = self.host.laptop
        tree = subprocess.run(
            ["git", "-C", str(source), "ls-tree", "--name-only", event.commit, f"{WORKFLOWS}/"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        before = len(self.jobs)
        for file in tree.stdout.split():
            text = subprocess.run(
                ["git", "-C", str(source), "show", f"{event.commit}:{file}"], capture_output=True, text=True, check=True
            )
            self.ended = None
            self.run(yaml.safe_load(text.stdout), Path(file).name, event)
            if self.ended is not None and event.name != "workflow_run":
                self._start(self.ended)
        return self.jobs[before:]

    # -- one workflow

    def run(self, workflow: Mapping[Any, Any], file: str, event: Event) -> None:
        """Run a workflow, if the event starts it. Raises UnknownError for what this runner does not execute."""
        keyed = {("on" if key is True else key): value for key, value in workflow.items()}  # YAML 1.1 reads on: true
        known(file, keyed, _WORKFLOW)
        if not _starts(keyed["on"], event, file):
            return
        self.runs += 1
        number = self.runs
        results: dict[str, Job] = {}
        for name, job in keyed["jobs"].items():
            place = f"{file}: {name}"
            known(place, job, _JOB)
            needs = [job["needs"]] if isinstance(job.get("needs"), str) else job.get("needs", [])
            if missing := [each for each in needs if each not in results]:
                raise UnknownError(f"{place}: needs {missing}, which do not come before it")
            contexts = self._contexts(event, number, {each: results[each] for each in needs})
            passed = all(results[each].result == "success" for each in needs)
            if not passed or ("if" in job and not true(evaluate(job["if"], contexts))):
                results[name] = Job(file, name, {}, "skipped")
                self.jobs.append(results[name])
                continue
            for matrix in _matrix(job.get("strategy", {}), contexts, place):
                results[name] = self._job(
                    file, name, job, keyed.get("permissions"), event, {**contexts, "matrix": matrix}
                )
        self.ended = self._completed(keyed.get("name", file), number, event, results)

    def _completed(self, workflow: str, number: int, event: Event, results: Mapping[str, Job]) -> Event:
        """What GitHub tells of a run that has ended; a workflow that it starts is the protected branch's."""
        failed = any(job.result == "failure" for job in results.values())
        pull = event.payload.get("pull_request")
        payload = {
            "id": number,
            "name": workflow,
            "event": event.name,
            "conclusion": "failure" if failed else "success",
            "head_sha": pull["head"]["sha"] if pull else event.commit,
            "head_repository": pull["head"]["repo"] if pull else {"full_name": self.host.repository},
            "pull_requests": [] if not pull or event.from_fork else [{"number": pull["number"], "base": pull["base"]}],
        }
        return Event("workflow_run", {"workflow_run": payload}, "refs/heads/main", "")

    def _contexts(self, event: Event, number: int, needs: Mapping[str, Job]) -> dict[str, Any]:
        return {
            "github": {
                "event": event.payload,
                "event_name": event.name,
                "repository": self.host.repository,
                "ref": event.ref,
                "sha": event.commit,
                "run_id": number,
                "server_url": self.host.url,
            },
            "needs": {name: {"outputs": job.outputs, "result": job.result} for name, job in needs.items()},
            "matrix": {},
            "steps": {},
            "vars": {},
            "secrets": {},
            "env": {},
        }

    def _job(
        self, file: str, name: str, job: Mapping[str, Any], permissions: Any, event: Event, contexts: dict[str, Any]
    ) -> Job:
        place = f"{file}: {name}"
        ran = Job(file, name, contexts["matrix"])
        self.jobs.append(ran)
        machine = Machine(self.folder / f"job-{len(self.jobs)}")
        machine.workspace.mkdir(parents=True)
        ran.machine = machine
        given = job.get("permissions", permissions)
        if not isinstance(given, dict):
            raise UnknownError(f"{place}: permissions are {given!r}, not listed one by one")
        if event.from_fork:
            given = {name: _READ_ONLY[how] for name, how in given.items() if name != "id-token"}
        token = self.host.issue({**given, "metadata": "read"})
        chosen = interpolate(job.get("environment"), contexts)
        contexts["vars"] = {} if chosen is None else self.host.variables.get(chosen, {})
        trusted = event.ref == "refs/heads/main"  # the rule of an environment that holds a secret: its branches
        contexts["secrets"] = self.host.secrets.get(chosen or "", {}) if trusted else {}
        contexts["github"] = {**contexts["github"], "token": token}
        contexts["env"] = interpolate(job.get("env", {}), contexts)
        run = _Run(ran, machine, event, contexts, given, token, self.host, self.projects, job["runs-on"], chosen or "")
        machine.tools(run.runner)
        ends = time.monotonic() + 60 * job["timeout-minutes"]
        for number, step in enumerate(job["steps"]):
            known(f"{place}: step {step.get('id', number)}", step, _STEP)
            if "if" in step and not true(evaluate(step["if"], contexts)):
                continue
            code = self._step(run, step, f"{place}: step {step.get('id', number)}", ends - time.monotonic())
            ran.codes.append(code)
            if code:
                ran.result = "failure"
                break
        else:
            outputs = interpolate(job.get("outputs", {}), contexts)
            ran.outputs = {key: as_text(value) for key, value in outputs.items()}
        summary = machine.folder / "summary"
        ran.summary = summary.read_text() if summary.is_file() else ""
        return ran

    def _project_of(self, identity: str) -> Project:
        return next(each for each in self.projects.values() if f"@{each.id}." in identity)

    def _step(self, run: _Run, step: Mapping[str, Any], place: str, left_s: float) -> int:
        if "uses" in step:
            action = step["uses"].partition("@")[0]
            if action not in ACTIONS:
                raise UnknownError(f"{place}: unknown action {action}")
            problem = ACTIONS[action](run, interpolate(step.get("with", {}), run.contexts))
            run.job.said += problem
            return 1 if problem else 0
        files = {name: run.machine.folder / name for name in ("summary", "output", "env", "path")}
        for file in files.values():
            file.touch()
        script = run.machine.folder / "script.sh"
        script.write_text(step["run"])
        environment = {
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_REPOSITORY": self.host.repository,
            "GITHUB_REF": run.event.ref,
            "GITHUB_SHA": run.event.commit,
            "GITHUB_EVENT_NAME": run.event.name,
            "GITHUB_SERVER_URL": self.host.url,
            "GITHUB_API_URL": self.host.url,
            "GITHUB_WORKSPACE": str(run.machine.workspace),
            "GITHUB_STEP_SUMMARY": str(files["summary"]),
            "GITHUB_OUTPUT": str(files["output"]),
            "GITHUB_ENV": str(files["env"]),
            "GITHUB_PATH": str(files["path"]),
            **run.environment,
            **{key: as_text(value) for key, value in run.contexts["env"].items()},
            **{key: as_text(value) for key, value in interpolate(step.get("env", {}), run.contexts).items()},
            "PATH": run.machine.path(SYSTEM, run.runner),
        }
        if "make setup" in step["run"]:
            run.machine.provide_packages()
        try:
            done = run.machine.run(["bash", "-e", str(script)], environment, timeout_s=left_s)
        except subprocess.TimeoutExpired as late:
            run.job.said += str(late)
            return 124
        run.job.said += done.stdout
        for name in ("env", "path"):
            if files[name].read_text():
                raise UnknownError(f"{place}: writes $GITHUB_{name.upper()}")
        if "id" in step:
            pairs = [line.split("=", 1) for line in files["output"].read_text().splitlines()]
            run.contexts["steps"][step["id"]] = {"outputs": dict(pairs)}
        files["output"].write_text("")
        return done.returncode


def _starts(on: Any, event: Event, file: str) -> bool:
    events = {on: None} if isinstance(on, str) else on
    known(f"{file}: on", events, _EVENTS)
    if event.name not in events:
        return False
    wanted = events[event.name]
    if event.name == "workflow_run":
        known(f"{file}: on workflow_run", wanted, {"workflows", "types"})
        return wanted["types"] == ["completed"] and event.payload["workflow_run"]["name"] in wanted["workflows"]
    if event.name != "push" or wanted is None:
        if isinstance(wanted, dict):
            raise UnknownError(f"{file}: on {event.name}: {', '.join(wanted)}")
        return True
    known(f"{file}: on push", wanted, {"branches", "paths"})
    branch = event.ref.removeprefix("refs/heads/")
    paths = [pattern.replace("**", "*") for pattern in wanted.get("paths", [])]
    touched = not paths or any(fnmatch.fnmatch(file, pattern) for file in event.changed for pattern in paths)
    return branch in wanted.get("branches", [branch]) and touched


def _matrix(strategy: Mapping[str, Any], contexts: Mapping[str, Any], place: str) -> list[dict[str, Any]]:
    known(f"{place}: strategy", strategy, {"matrix", "fail-fast", "max-parallel"})
    axes = interpolate(strategy.get("matrix", {}), contexts)
    if len(axes) > 1:
        raise UnknownError(f"{place}: a matrix of more than one axis")
    for axis, values in axes.items():
        if not values:
            raise UnknownError(f"{place}: matrix vector {axis!r} does not contain any values")
        return [{axis: value} for value in values]
    return [{}]


# -- actions


def _check_out(run: _Run, given: Mapping[str, Any]) -> str:
    """actions/checkout: one commit, or with `fetch-depth: 0` everything; `persist-credentials` leaves its login."""
    known("actions/checkout", given, {"fetch-depth", "persist-credentials"})
    login = base64.b64encode(f"x-access-token:{run.token}".encode()).decode()
    key, header = f"http.{run.host.url}/.extraheader", f"AUTHORIZATION: basic {login}"
    whole = given.get("fetch-depth", 1) == 0
    wanted = ["+refs/heads/*:refs/remotes/origin/*"] if whole else []
    depth = [] if whole else [f"--depth={given.get('fetch-depth', 1)}"]
    url = run.host.clone_url(run.host.repository)
    refspecs = [*wanted, f"+{run.event.commit}:refs/remotes/{run.event.ref.removeprefix('refs/')}"]
    for words in (
        ["init", "-q"],
        ["remote", "add", "origin", url],
        ["-c", f"{key}={header}", "fetch", "-q", *depth, "origin", *refspecs],
        ["checkout", "-q", run.event.commit],
        *([["config", key, header]] if given.get("persist-credentials", True) else []),
    ):
        done = subprocess.run(["git", *words], cwd=run.machine.workspace, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"actions/checkout: {done.stderr}"
    return ""


def _brings(*tools: str, wanted: Mapping[str, Any]) -> Callable[[_Run, Mapping[str, Any]], str]:
    """An action that puts tools on PATH, with exactly these inputs."""

    def action(run: _Run, given: Mapping[str, Any]) -> str:
        if dict(given) != dict(wanted):
            raise UnknownError(f"an action that brings {tools[0]}: inputs {dict(given)}")
        for tool in tools:
            if not (run.tools / tool).exists():
                run.machine.put(run.tools, tool)
        return ""

    return action


def _log_in(run: _Run, given: Mapping[str, Any]) -> str:
    """google-github-actions/auth: the job's token for the pool's, and that for the account's."""
    known("google-github-actions/auth", given, {"workload_identity_provider", "service_account"})
    if run.permissions.get("id-token") != "write":
        return "google-github-actions/auth: GitHub Actions did not inject $ACTIONS_ID_TOKEN_REQUEST_TOKEN"
    if not given["workload_identity_provider"] or not given["service_account"]:
        return 'google-github-actions/auth: must specify one of "workload_identity_provider" or "credentials_json"'
    account = as_text(given["service_account"])
    project = next(each for each in run.projects.values() if account.partition("@")[2].startswith(f"{each.id}."))
    run.job.identity = project.federated(claims(run), as_text(given["workload_identity_provider"]), account)
    run.environment.update(project.environment_for(run.job.identity))
    return ""


def _upload(run: _Run, given: Mapping[str, Any]) -> str:
    """actions/upload-artifact: what a path holds, under a name of this run."""
    known("actions/upload-artifact", given, {"name", "path", "if-no-files-found"})
    source = run.machine.workspace / as_text(given["path"])
    if not source.is_dir() or not any(source.iterdir()):
        return f"No files were found with the provided path: {given['path']}. No artifacts will be uploaded."
    shutil.copytree(source, _artifacts(run, run.contexts["github"]["run_id"]) / as_text(given["name"]))
    return ""


def _download(run: _Run, given: Mapping[str, Any]) -> str:
    """actions/download-artifact: of this run, or by a token that may read them of another; a pattern's in folders."""
    known("actions/download-artifact", given, {"name", "pattern", "path", "run-id", "github-token"})
    number = given.get("run-id", run.contexts["github"]["run_id"])
    if "run-id" in given and not (given.get("github-token") and run.permissions.get("actions") == "read"):
        return "Resource not accessible by integration"
    into = run.machine.workspace / as_text(given["path"])
    if "name" in given:
        source = _artifacts(run, number) / as_text(given["name"])
        if not source.is_dir():
            return f"Unable to download artifact(s): Artifact not found for name: {given['name']}"
        shutil.copytree(source, into, dirs_exist_ok=True)
        return ""
    for source in _artifacts(run, number).glob(as_text(given["pattern"])):
        shutil.copytree(source, into / source.name, dirs_exist_ok=True)
    return ""


def _artifacts(run: _Run, number: Any) -> Path:
    return run.host.folder / "artifacts" / as_text(number)


def claims(run: _Run) -> dict[str, Any]:
    """What GitHub signs about a job. Source: "OpenID Connect reference"."""
    subject = f"environment:{run.chosen}" if run.chosen else f"ref:{run.event.ref}"
    now = int(time.time())
    return {
        "iss": ISSUER,
        "sub": f"repo:{run.host.repository}:{subject}",
        "repository": run.host.repository,
        "repository_id": run.host.repository_id,
        "repository_owner": run.host.repository.partition("/")[0],
        "repository_owner_id": run.host.owner_id,
        "ref": run.event.ref,
        "event_name": run.event.name,
        "environment": run.chosen,
        "job_workflow_ref": f"{run.host.repository}/{WORKFLOWS}/{run.job.workflow}@{run.event.ref}",
        "iat": now,
        "exp": now + 300,
    }


ACTIONS: Mapping[str, Callable[[_Run, Mapping[str, Any]], str]] = {
    "actions/checkout": _check_out,
    "actions/setup-python": _brings("python", "python3", wanted={"python-version": "3.11"}),
    "actions/setup-node": _brings("node", "npm", wanted={"node-version": "20"}),
    "hashicorp/setup-terraform": _brings(
        "terraform", wanted={"terraform_version": "1.11.4", "terraform_wrapper": False}
    ),
    "actions/upload-artifact": _upload,
    "actions/download-artifact": _download,
    "google-github-actions/auth": _log_in,
    "google-github-actions/setup-gcloud": _brings("gcloud", wanted={}),
}
"""Each stands for the action of its name; docs/road.md lists them."""
