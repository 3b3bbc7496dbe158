"""Cloud Build, as far as `ci/cloudbuild/*.yaml` uses it: each step as written, in order, with its image's tools.

Sources: Cloud Build, "Build configuration file schema", "Substituting variable values", "Run bash scripts" (`/bin/sh`
without a shebang, no substitution in `script`), "Use secrets from Secret Manager", "Include the repository's history"
(a shallow clone).
"""

from __future__ import annotations

import base64
import fnmatch
import re
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.road.git_host import GitHost, PullRequest
from tests.road.machine import SYSTEM, Machine, UnknownError, known
from tests.road.project import Project

_BUILD = {"steps", "options", "timeout", "availableSecrets"}
_STEP = {"id", "name", "script", "args", "entrypoint", "env", "secretEnv", "waitFor", "timeout"}
_OPTIONS = {"logging", "automapSubstitutions", "substitutionOption", "requestedVerifyOption"}
_SUBSTITUTION = re.compile(r"\$\$|\$(?:\{(?P<braced>[^}]*)\}|(?P<plain>_?[A-Z][A-Z0-9_]*))")


@dataclass
class Step:
    """A step that ran: its exit code and what it said."""

    id: str
    code: int
    said: str


@dataclass
class Build:
    """One build. `status` is Cloud Build's word."""

    trigger: str
    identity: str
    status: str = "WORKING"
    steps: list[Step] = field(default_factory=list)
    pushed: list[str] = field(default_factory=list)
    machine: Machine | None = None

    @property
    def said(self) -> str:
        """Everything its steps said."""
        return "".join(step.said for step in self.steps)


@dataclass(frozen=True)
class Trigger:
    """A trigger as the imitated cloud holds it."""

    attributes: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.attributes["name"])

    @property
    def file(self) -> str:
        """The build file."""
        called = self.attributes.get("git_file_source") or []
        return str(called[0]["path"] if called else self.attributes["filename"])

    @property
    def identity(self) -> str:
        """The member it runs as."""
        return f"serviceAccount:{str(self.attributes['service_account']).rpartition('/')[2]}"

    @property
    def _event(self) -> Mapping[str, Any]:
        return dict((self.attributes.get("repository_event_config") or [{}])[0] or {})

    def starts_on_push(self, branch: str, changed: list[str]) -> bool:
        """Whether a push starts it."""
        push = self._event.get("push") or []
        included = self.attributes.get("included_files")
        touched = not included or any(_matches(file, included) for file in changed)
        return bool(push) and bool(re.search(push[0]["branch"], branch)) and touched

    def starts_on_pull_request(self, pull: PullRequest, host: GitHost) -> bool:
        """Whether a pull request starts it: one from a fork waits for the comment of a person who may write."""
        wanted = self._event.get("pull_request") or []
        if not wanted or not re.search(wanted[0]["branch"], "main"):
            return False
        waits = wanted[0].get("comment_control", "COMMENTS_DISABLED") != "COMMENTS_DISABLED"
        return pull.head_repository == host.repository or not waits


def _matches(file: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatch(file, pattern.replace("**", "*")) for pattern in patterns)


class CloudBuild:
    """The builds of a project, started by what happens at the Git host."""

    def __init__(self, project: Project, host: GitHost, folder: Path) -> None:
        self.project, self.host, self.folder = project, host, folder
        self.builds: list[Build] = []

    def triggers(self) -> list[Trigger]:
        """Those of the project, as they are now."""
        return [Trigger(each) for each in self.project.objects("google_cloudbuild_trigger")]

    def pull_request(self, pull: PullRequest) -> list[Build]:
        """A pull request was opened or got a commit."""
        given = {
            "COMMIT_SHA": pull.head,
            "BRANCH_NAME": pull.branch,
            "_HEAD_BRANCH": pull.branch,
            "_BASE_BRANCH": "main",
            "_PR_NUMBER": str(pull.number),
            "_HEAD_REPO_URL": self.host.clone_url(pull.head_repository),
        }
        started = [each for each in self.triggers() if each.starts_on_pull_request(pull, self.host)]
        return [self._run(trigger, pull.head, given) for trigger in started]

    def push(self, commit: str, *, only: str = "") -> list[Build]:
        """The protected branch is at a new commit; `only` names one build file's stem."""
        given = {"COMMIT_SHA": commit, "BRANCH_NAME": "main"}
        changed = self.host.changed(commit)
        started = [each for each in self.triggers() if each.starts_on_push("main", changed)]
        return [self._run(each, commit, given) for each in started if only in each.file]

    def call(self, url: str, caller: str) -> Build:
        """What Cloud Scheduler does: POST `.../triggers/NAME:run` as `caller`, who may create builds and attach."""
        name = re.fullmatch(r"https://cloudbuild\.googleapis\.com/v1/(projects/.+/triggers/([\w-]+)):run", url)
        assert name, f"not a trigger's address: {url}"
        trigger = next((each for each in self.triggers() if each.name == name[2]), None)
        assert trigger, f"404: {name[1]} was not found"
        self.project.call(caller, "POST", url.removeprefix("https://cloudbuild.googleapis.com/"), {})
        return self._run(trigger, self.host.main, {"COMMIT_SHA": self.host.main, "BRANCH_NAME": "main"})

    def _run(self, trigger: Trigger, commit: str, event: Mapping[str, str]) -> Build:
        build = Build(trigger.name, trigger.identity)
        build.machine = Machine(self.folder / f"build-{len(self.builds)}")
        self.builds.append(build)
        self._check_out(build.machine, commit)
        definition = yaml.safe_load((build.machine.workspace / trigger.file).read_text())
        given = {
            "PROJECT_ID": self.project.id,
            "PROJECT_NUMBER": str(self.project.number),
            "LOCATION": str(trigger.attributes["location"]),
            "BUILD_ID": f"build-{len(self.builds)}",
            "TRIGGER_NAME": trigger.name,
            "REPO_NAME": self.host.repository.partition("/")[2],
            "REPO_FULL_NAME": self.host.repository,
            "SHORT_SHA": commit[:7],
            "REVISION_ID": commit,
            **event,
            **(trigger.attributes.get("substitutions") or {}),
        }
        execute(definition, trigger.file, build, given, self.project, self.host)
        return build

    def _check_out(self, machine: Machine, commit: str) -> None:
        """One commit without history, by the connection's token, which does not stay in the clone."""
        machine.workspace.mkdir(parents=True)
        token = self.host.issue({"contents": "read"})
        login = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        url = self.host.clone_url(self.host.repository)
        for words in (
            ["init", "-q"],
            ["remote", "add", "origin", url],
            ["-c", f"http.extraHeader=Authorization: Basic {login}", "fetch", "-q", "--depth=1", "origin", commit],
            ["checkout", "-q", "FETCH_HEAD"],
        ):
            subprocess.run(["git", *words], cwd=machine.workspace, check=True, capture_output=True)


def execute(
    definition: Mapping[str, Any],
    where: str,
    build: Build,
    given: Mapping[str, str],
    project: Project,
    host: GitHost,
) -> None:
    """Run the steps of a build file until one fails. Raises UnknownError for what this runner does not execute."""
    known(where, definition, _BUILD)
    options = definition.get("options", {})
    known(f"{where}: options", options, _OPTIONS)
    known(f"{where}: availableSecrets", definition.get("availableSecrets", {}), {"secretManager"})
    loose = options.get("substitutionOption") == "ALLOW_LOOSE"
    if options.get("logging") != "CLOUD_LOGGING_ONLY":
        raise UnknownError(f"{where}: logging {options.get('logging')!r}: an account of ours has no log bucket")
    project.log(build.identity, "starting build")
    machine = build.machine
    assert machine is not None
    surroundings = {
        "GITHUB_SERVER_URL": host.url,
        "GITHUB_API_URL": host.url,
        **project.environment_for(build.identity),
        **(given if options.get("automapSubstitutions") else {}),
    }
    secrets = {
        row["env"]: substituted(row["versionName"], given, where, loose)
        for row in definition.get("availableSecrets", {}).get("secretManager", [])
    }
    ends = time.monotonic() + seconds(definition["timeout"])
    before = set[str]()
    prepared = False
    for number, step in enumerate(definition["steps"]):
        place = f"{where}: step {step.get('id', number)}"
        known(place, step, _STEP)
        for other in step.get("waitFor", []):
            if other != "-" and other not in before:
                raise UnknownError(f"{place}: waits for {other!r}, which does not come before it")
        before.add(step.get("id", ""))
        if "make setup" in step.get("script", "") and not prepared:
            machine.provide_packages()
            prepared = True
        written = dict(
            substituted(pair, given, place, loose).split("=", 1)
            for pair in [*options.get("env", []), *step.get("env", [])]
        )
        step_secrets = {name: project.secret(build.identity, secrets[name]) for name in step.get("secretEnv", [])}
        environment = {**surroundings, **written, **step_secrets}
        environment["PATH"] = machine.path(written.get("PATH", SYSTEM), step["name"])
        command = _command(step, given, place, loose, machine)
        left_s = min(ends - time.monotonic(), seconds(step.get("timeout", definition["timeout"])))
        try:
            done = machine.run(command, environment, timeout_s=left_s)
        except subprocess.TimeoutExpired as late:
            build.steps.append(Step(step.get("id", ""), 124, str(late)))
            build.status = "TIMEOUT"
            return
        build.steps.append(Step(step.get("id", ""), done.returncode, done.stdout))
        if done.returncode:
            build.status = "FAILURE"
            return
    build.pushed = machine.log("pushed")
    build.status = "SUCCESS"


def _command(step: Mapping[str, Any], given: Mapping[str, str], place: str, loose: bool, machine: Machine) -> list[str]:
    if "script" in step:
        if "args" in step or "entrypoint" in step:
            raise UnknownError(f"{place}: script goes with neither args nor entrypoint")
        text = step["script"]
        file = machine.folder / "script"
        file.write_text(text if text.startswith("#!") else f"#!/bin/sh\n{text}")
        file.chmod(0o755)
        return [str(file)]
    entrypoints = {"gcr.io/cloud-builders/docker": "docker"}
    image = step["name"].partition("@")[0]
    program = step.get("entrypoint") or entrypoints.get(image)
    if program is None:
        raise UnknownError(f"{place}: unknown entry point of {image}")
    arguments = [substituted(each, given, place, loose) for each in step.get("args", [])]
    return [str(machine.tools(step["name"]) / program), *arguments]


def substituted(text: str, given: Mapping[str, str], place: str, loose: bool) -> str:
    """Replace `$NAME` and `${NAME}`; `$$` is a dollar. What is not given is empty if `loose`, else an error."""

    def value(match: re.Match[str]) -> str:
        name = match["braced"] if match["braced"] is not None else match["plain"]
        if name is None:
            return "$"
        if not re.fullmatch(r"_?[A-Z][A-Z0-9_]*", name):
            raise UnknownError(f"{place}: ${{{name}}} is not a plain substitution")
        if name not in given and not loose:
            raise UnknownError(f"{place}: ${name} is not given")
        return given.get(name, "")

    return _SUBSTITUTION.sub(value, text)


def seconds(text: str) -> float:
    """A duration, such as 1800s."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)s", text)
    if match is None:
        raise UnknownError(f"{text!r} is not a duration")
    return float(match[1])
