"""What goes on in an environment, really done: our commands, scripts, pipelines, workflow and builds, each as the
identity that does it there, against a project that was deployed.

In the place of a machine of Google's that carries something out stands a runner of ours: `vertex.run_job`, the
workflow's interpreter. What nothing here can do is in `privilege.judge_unseen`.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import pickle
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import yaml

from fonderie.cli import main
from fonderie.core.files import write_bytes
from fonderie.google import Access
from fonderie.google.artifacts import exists
from fonderie.sandbox.cloud.documents import Documents
from fonderie.sandbox.iam.caller import Caller, identity
from fonderie.sandbox.runner import Options, stand_in
from infra import names
from infra.names import AgentName, IdentityName, TeamName
from ml.datasets.schema import Dataset
from ml.datasets.sources import Source
from ml.registry import open_registry
from ml.registry.interface import Candidate
from tests.contract.retraining import workflow
from tests.flights import change
from tests.road.changes import apply_edits, destroy
from tests.road.machine import FOREIGN, ROOT, Machine
from tests.road.privilege import CallsFile, Change, Needed, judge_unseen, mutations
from tests.road.project import PERSON, Project, acting, deploy, opened
from tests.road.vertex import run_job
from tests.small_model import MONTHS, SMALL, Place, small_place

TOKEN = "ghs_" + "0123456789abcdef" * 2
MODEL, MONTH = "small", "2013-02"


def place_in(folder: Path) -> Place:
    """Months of which the last is of other airlines, and a model that every run promotes."""
    text = SMALL.replace("max_bytes_billed = 1_000_000", "max_bytes_billed = 10_000_000")
    place = small_place(folder, text=text.replace("min_gain = 0.01", "min_gain = 0.0"))
    change(Source(place.data).path(Dataset.FLIGHTS, MONTHS[-1]), lambda rows: rows.assign(carrier="UA"))
    return place


@dataclass
class Ways:
    """An environment's flows over one project; `calls` is told after each which it was."""

    project: Project
    folder: Path
    place: Place
    calls: CallsFile
    _ran: set[str] = field(default_factory=set)

    @property
    def registry(self) -> str:
        """Where the environment's models are."""
        return names.registry_location(self.project.env)

    def walk(self) -> list[Change]:
        """Everything, in an order in which it may happen; what can be taken away, as it was before the end."""
        self.deploy()
        self.images()
        self.months_and_runs()
        self.schedules()
        self.champions()
        self.operations()
        self.runbooks()
        judge_unseen(self.project, self.calls)
        self.change_of_code()
        changes = mutations(self.project)
        self.end()
        return changes

    def deploy(self) -> None:
        """A person's first deploy; who plans reads the budget by a grant on the billing account (docs/platform.md)."""
        deploy(self.project, self.folder, TOKEN)
        if budget := self.project.env.budget:
            path, cloud = f"billingAccounts/{budget.billing_account}", self.project.world.cloud
            members = [names.member(self.project.env, IdentityName.PLAN), *self.project.env.people.engineers]
            version, policy = cloud.policy(path)
            granted = {"role": "roles/billing.viewer", "condition": None, "members": members}
            cloud.set_policy(path, {**policy, "bindings": [*policy["bindings"], granted]}, version=version)
        self.calls.flow("the first deploy")

    # -- who does something

    def environment(self, who: str) -> dict[str, str]:
        """That of a process of `who`: a short name, or a member."""
        project = self.project
        here = {name: value for name, value in project.up.environment.items() if name != "FONDERIE_BACKEND"}
        here |= {"CDKTF_OUTDIR": str(self.folder / "stacks"), "NO_COLOR": "1", **self.place.environment}
        if who in set(TeamName):
            caller = identity(who, project.id)
            here["GOOGLE_CLOUD_QUOTA_PROJECT"] = project.id  # as a person's log-in has it
            tokens = {**project.environment_for(PERSON), "GOOGLE_OAUTH_ACCESS_TOKEN": project.rest.tokens.issue(caller)}
            return {**here, **tokens, "FONDERIE_SANDBOX_AS": who}
        member = PERSON if who == "person" else who if ":" in who else names.member(project.env, IdentityName(who))
        return {**here, **project.environment_for(member), "FONDERIE_SANDBOX_AS": who}

    def fonderie(self, who: str, *words: str, codes: tuple[int, ...] = (0,), **more: str) -> str:
        """Our command line in this process: the client libraries are imported once."""
        out, err = io.StringIO(), io.StringIO()
        with acting({**self.environment(who), **more}) as patch:
            patch.setattr(sys, "argv", ["fonderie", *words])
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as left:
                main.main()
        said = out.getvalue() + err.getvalue()
        assert (left.value.code or 0) in codes, f"{who}: fonderie {' '.join(words)}\n{said[-3000:]}"
        self.calls.flow(f"{who}: fonderie {' '.join(word for word in words[:2] if not word.startswith('-'))}")
        return out.getvalue()

    # -- images

    def images(self) -> None:
        """Built and pushed as the builder; pulled by whoever runs them."""
        env = self.project.env
        if not env.images.registry:
            self._build()
        reference = f"{names.images_url(env)}/pipelines@sha256:{'0' * 64}"
        pulling = {names.member(env, who) for who in (IdentityName.APPLY, IdentityName.NODES, IdentityName.SYNC)}
        for other in env.image_readers:
            pulling |= {names.member(other, who) for who in (IdentityName.NODES, IdentityName.SYNC)}
            pulling.add(names.agent(other, AgentName.AIPLATFORM))
        for who in [*sorted(pulling), "engineer"] if not env.images.registry else ():  # who promotes looks as well
            with acting(self.environment(who)):
                exists(Access(self.project.id, endpoint=self.project.rest.address), reference)
            named = who.partition(":")[2].partition("@")[0].partition("-")[2] or who
            self.calls.flow(f"{named} pulls an image")

    def _build(self) -> None:
        env, machine = self.project.env, Machine(self.folder / "builder")
        for tool in FOREIGN:
            machine.put(machine.folder / "bin", tool)
        here = self.environment("builder")
        here["PATH"] = f"{machine.folder / 'bin'}:{here['PATH']}"
        self.project.log(names.member(env, IdentityName.BUILDER), "starting build")
        commands = [["sh", "ci/images/build.sh"]]
        if env.features.cluster:
            commands += [[sys.executable, "-m", "fonderie.cli.main", "manifests", "push", "--env", env.name]]
        for command in commands:
            done = subprocess.run(
                command, cwd=ROOT, env={**here, "REGISTRY": names.images_url(env), "TAG": "1" * 40},
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stdout + done.stderr
            self.calls.flow(f"builder: {command[-1] if len(command) == 2 else 'fonderie manifests push'}")

    # -- runs

    def months_and_runs(self) -> None:
        """The months come in, an engineer looks and starts a training."""
        env = self.project.env
        at = ("--engine", "vertex", "--env", env.name)
        self.fonderie("person", "data", "load", "--env", env.name)
        self.fonderie("engineer", "data", "estimate", MODEL, "--month", MONTH, "--env", env.name)
        run = self.training()
        self._carry_out("training")
        self.fonderie("engineer", "runs", "list", *at)
        self.fonderie("engineer", "runs", "show", run, *at)
        self.fonderie("engineer", "runs", "schedules", *at)
        self.fonderie("engineer", "models", "list", MODEL, "--registry", self.registry)
        self.fonderie("engineer", "models", "show", MODEL, "--registry", self.registry)
        other = json.loads(self.fonderie("engineer", "run", "monitoring", MODEL, "--month", MONTH, *at, "--json"))["id"]
        self.fonderie("engineer", "runs", "cancel", other, *at)
        for _ in range(2):  # what was recorded is looked at
            self.fonderie("engineer", "experiment", MODEL, "--month", MONTH, "--set", "max_iter=5", "--env", env.name)

    def training(self) -> str:
        """An engineer starts one; its id."""
        at = ("--engine", "vertex", "--env", self.project.env.name)
        said = self.fonderie("engineer", "run", "training", MODEL, "--month", MONTH, *at, "--json")
        return str(json.loads(said)["id"])

    def _carry_out(self, pipeline: str) -> None:
        """What was started: each execution of the workflow, then the first job of a pipeline on Vertex AI."""
        cloud = self.project.world.cloud
        for name, execution in list(Documents(cloud, "workflow execution").items()):
            if name not in self._ran:
                self._ran.add(name)
                for _ in range(2):  # asked again, it looks at the run that is there
                    self._execute(name.partition("/executions/")[0], execution)
                self.calls.flow("the workflow starts a run")
        waiting = [each for each in Documents(cloud, "pipeline job").values() if each["state"].endswith("_PENDING")]
        for job in waiting if pipeline else ():
            if pipeline not in self._ran and job["displayName"].startswith(pipeline):
                self._ran.add(pipeline)
                run_job(self.project, job, self.folder / "gcs", self.environment("person"))
                self.calls.flow(f"the tasks of a {pipeline}")

    def _execute(self, path: str, execution: Mapping[str, Any]) -> None:
        """The workflow's own text as its account."""
        thing = self.project.world.cloud.live("google_workflows_workflow", path)
        assert thing is not None
        account = str(thing.attributes["service_account"]).rpartition("/")[2]
        member = f"serviceAccount:{account}"
        token = self.project.rest.tokens.issue(Caller(member))
        with httpx.Client(
            base_url=self.project.rest.address, headers={"Authorization": f"Bearer {token}"}, timeout=30
        ) as google:

            def ask(verb: str, url: str, body: Any = None) -> dict[str, Any]:
                parts = urlsplit(url)
                answer = google.request(verb, f"{parts.path}?{parts.query}", json=body)
                if answer.is_error:
                    raise workflow.WorkflowError({"code": answer.status_code, "tags": ["HttpError"]})
                return {"body": answer.json()}

            calls = {
                "googleapis.storage.v1.objects.get": lambda *, bucket, object, alt: ask(
                    "GET", f"/storage/v1/b/{bucket}/o/{object}?alt={alt}"
                )["body"],
                "http.post": lambda *, url, auth, body=None: ask("POST", url, body),
                "http.get": lambda *, url, auth: ask("GET", url),
                "sys.log": lambda **said: self.project.log(member, json.dumps(said)),
            }
            text = str(thing.attributes["source_contents"]).replace("${not(", "${not (")
            now = self.project.world.clock.now().timestamp()
            argument = json.loads(execution["argument"])
            workflow.run(yaml.safe_load(text), argument, thing.attributes["user_env_vars"], calls, now)
        self.project.log(member, "the execution has ended")

    def schedules(self) -> None:
        """Each job of Cloud Scheduler makes its own call, as the account in it; what it started is carried out."""
        env = self.project.env
        for job in self.project.objects("google_cloud_scheduler_job"):
            target = job["http_target"][0]
            account = f"serviceAccount:{target['oauth_token'][0]['service_account_email']}"
            body = json.loads(base64.b64decode(target["body"])) if target.get("body") else None
            self.project.call(account, "POST", urlsplit(target["uri"]).path.lstrip("/"), body)
            by_ci = "CI: " if "cloudbuild" in target["uri"] else ""
            self.calls.flow(f"{by_ci}a schedule starts what it is for")
        self._carry_out("monitoring")
        if env.features.continuous_training:
            assert self._requests() == 1, "the months' other airlines ask for a retraining"
            self._carry_out("")

    def _requests(self) -> int:
        """Executions of the workflow that a message asked for."""
        executions = Documents(self.project.world.cloud, "workflow execution").values()
        return len([each for each in executions if "message" in json.loads(each["argument"]).get("data", {})])

    # -- champions

    def champions(self) -> None:
        """Onto their endpoints, by who applies and by who is on call; a server reads one from the bucket."""
        env = self.project.env
        there = ("--registry", self.registry)
        history = names.monitoring_history(env)
        self.fonderie("engineer", "models", "card", MODEL, *there, "--history", history)
        at = ("--env", env.name)
        self.fonderie("apply", "models", "deploy", *at)
        for version, who in ((2, "oncall"), (3, "oncall"), (4, "apply")):  # the third takes the first off its endpoint
            self._register_again(f"again-{version}")
            self.fonderie("oncall", "models", "promote", MODEL, "--version", str(version), "--reason", "x", *there)
            self.fonderie(who, "models", "deploy", *at)
        self.fonderie("oncall", "models", "rollback", MODEL, "--reason", "an alarm", *at)
        from ml.serving.server.version_sources import UriSource

        bucket = names.bucket(env, names.BucketName.MODELS)
        kept = self.project.world.buckets.objects(bucket)
        folder = next(name for name in kept if name.endswith("/candidate.json")).rpartition("/")[0]
        with acting(self.environment("serving")):
            UriSource(f"gs://{bucket}/{folder}").load("")
        self.calls.flow("a server reads a version")

    def _register_again(self, run_id: str) -> None:
        """The first version once more, as a further training would register its own."""
        with acting(self.environment("pipelines")):
            versions = open_registry(MODEL, self.registry)
            first = versions.get(1)
            given = first.record.model_dump(include=set(Candidate.model_fields)) | {"run_id": run_id}
            versions.register(Candidate.model_validate(given), first.folder, who="x", now=datetime.now(UTC))
        self.calls.flow("a further version is registered")

    # -- CI and people

    def operations(self) -> None:
        """The night, a look at everything, the builds' own secrets and logs."""
        env = self.project.env
        for trigger in self.project.objects("google_cloudbuild_trigger"):
            member = f"serviceAccount:{trigger['service_account'].rpartition('/')[2]}"
            called = trigger.get("git_file_source") or []
            file = yaml.safe_load((ROOT / (called[0]["path"] if called else trigger["filename"])).read_text())
            self.project.log(member, "starting build")
            for row in file.get("availableSecrets", {}).get("secretManager", []):
                self.project.secret(member, row["versionName"].replace("$PROJECT_ID", self.project.id).replace(
                    "${_ENVIRONMENT}", env.name
                ))  # fmt: skip
            self.calls.flow("CI: a build starts")
        self.night()
        self.fonderie("engineer", "doctor", "--env", env.name, codes=(0, 1, 7))
        cloud = Path(self.project.up.environment["FONDERIE_SANDBOX"])
        with stand_in(Options(cloud, identity="engineer", calls=self.calls.file, remote_state=True)) as up:
            more = {**up.environment, "CDKTF_OUTDIR": str(self.folder / "stacks")}
            self.fonderie("engineer", "drift", "--env", env.name, **more)

    def runbooks(self) -> None:
        """What the runbooks of alerts have somebody on call look at, and a schedule's call again, as `gcloud` asks."""
        cloud, env = self.project.world.cloud, self.project.env
        here = f"v1/projects/{env.project_id}/locations/{env.region}"
        (run, *_), (execution, *_) = (list(Documents(cloud, kind)) for kind in ("pipeline job", "workflow execution"))
        schedule = cloud.things("google_cloud_scheduler_job")[0].path
        self._ask("oncall", "POST", "v2/entries:list", {"resourceNames": [f"projects/{env.project_id}"]})
        for path in (f"{here}/pipelineJobs", f"v1/{run}", f"v1/{schedule}", f"v1/{execution}", f"{here}/builds"):
            self._ask("oncall", "GET", path)
        self._ask("oncall", "GET", f"v1/{execution.rpartition('/')[0]}")
        for build in list(Documents(cloud, "build"))[:1]:
            self._ask("oncall", "GET", f"v1/{build}")
        self._ask("oncall", "POST", f"v1/{schedule}:run", {})
        self.calls.flow("oncall: the runbooks of alerts")

    def _ask(self, who: str, verb: str, path: str, body: Any = None) -> None:
        here = self.environment(who)
        headers = {
            "Authorization": f"Bearer {here['GOOGLE_OAUTH_ACCESS_TOKEN']}",
            "X-Goog-User-Project": here["GOOGLE_CLOUD_QUOTA_PROJECT"],
        }
        answer = httpx.request(verb, f"{self.project.rest.address}/{path}", json=body, headers=headers, timeout=30)
        assert answer.is_success, f"{who}: {verb} {path}\n{answer.text}"

    def night(self) -> None:
        """Who plans looks for drift: there is none, also where models are deployed."""
        self.fonderie("plan", "drift", "--env", self.project.env.name)

    # -- what Terraform changes

    def change_of_code(self) -> None:
        """A pull request that touches whatever may change in place is applied."""
        apply_edits(self.project.env.name, self.folder / "stacks", self.environment("apply"))
        self.calls.flow("a change of our constructs is applied")

    def end(self) -> None:
        """What the environment has is taken away, as when a pull request takes it out of the settings."""
        destroy(self.project.env, self.folder / "stacks", self.environment("apply"))
        self.calls.flow("everything is destroyed")


@dataclass(frozen=True)
class Walked:
    """What an environment's flows demanded of whom, and everything that could be taken away."""

    needed: Sequence[Needed]
    refused: Sequence[Needed]
    changes: Sequence[Change]


@contextmanager
def ways(name: str, folder: Path) -> Iterator[Ways]:
    """The flows of an environment, over an empty project of its own."""
    place, calls = place_in(folder / "place"), CallsFile(folder / "calls.jsonl")
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in place.environment.items():
            patch.setenv(variable, value)
        with opened(name, folder, calls=calls.file) as project:
            yield Ways(project, folder, place, calls)


def walked_through(name: str, folder: Path) -> Walked:
    """Walk an environment's flows in `folder`, unless they were."""
    kept = folder / "walked.pickle"
    if not kept.is_file():
        folder.mkdir(exist_ok=True)
        with ways(name, folder) as ready:
            changes = ready.walk()
        write_bytes(kept, pickle.dumps(Walked(ready.calls.needed, ready.calls.refused, changes)))
    walked: Walked = pickle.loads(kept.read_bytes())
    return walked
