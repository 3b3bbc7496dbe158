"""Deploy, plan, destroy and recreate an environment on the sandbox; and how the time grows with its resources."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ci.lifecycle.deploy import Deployer, Stack, stacks_in, synthesise
from ci.lifecycle.recreate.journal import RecreateJournal
from ci.lifecycle.recreate.operator_actions import SandboxOperator
from ci.lifecycle.recreate.run import Recreate
from fonderie.sandbox.cloud.cloud import Cloud
from fonderie.sandbox.runner import Options, StandIn, stand_in
from infra import names
from infra.names import AGENTS_ON_DEMAND
from infra.settings import load_environment
from tests.benchmarks.rows import Row

ENV = "local"


def took(call: Callable[[], object]) -> float:
    """Seconds, once: a deploy from nothing cannot be repeated."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


@contextmanager
def environment(folder: Path) -> Iterator[tuple[StandIn, list[Stack]]]:
    """A fresh sandbox, whose calls its owner makes, and the stacks of the local environment."""
    with stand_in(Options(folder / "google.sqlite", identity="person")) as up:
        with Cloud(folder / "google.sqlite") as cloud:
            for agent in AGENTS_ON_DEMAND:
                cloud.add_agent(names.agent_email(load_environment(ENV), agent))
        yield up, synthesise([ENV], folder / "cdktf.out", variables=up.environment)


def measure() -> Iterator[Row]:
    """The rows of issue 5 that are about time."""
    folder = Path(tempfile.mkdtemp(prefix="fonderie-bench-"))
    try:
        yield from _directly(folder)
        yield _enforced(folder)
        yield from _through_cdktf(folder / "cdktf")
        yield from _growing(folder / "growing")
    finally:
        shutil.rmtree(folder)


def _directly(folder: Path) -> Iterator[Row]:
    with environment(folder) as (up, stacks):
        deployer = Deployer(up.environment)
        deploy = took(lambda: deployer.deploy(stacks))
        count = sum(len(deployer.terraform(one).state()) for one in stacks)
        yield Row(f"deploy {count} resources in {len(stacks)} stacks, terraform", deploy, "s", "<= 8 s", deploy <= 8)
        one_by_one = took(lambda: [deployer.plan_all([one]) for one in stacks])
        plan = took(lambda: deployer.plan_all(stacks))
        yield Row(
            "plan all stacks, nothing changed", plan, "s", "<= 4 s", plan <= 4, one_by_one, "one stack after another"
        )
        settings = load_environment(ENV)
        operator = SandboxOperator(folder / "google.sqlite")
        run = Recreate(ENV, settings.project_id, stacks, deployer, operator, folder / "work", lambda _: None)

        def recreate() -> None:
            run.will_lose()
            run.run(RecreateJournal(environment=f"bench-{ENV}", started="2026-01-01T00:00:00Z"))  # type: ignore[arg-type]  # parsed

        whole = took(recreate)
        yield Row("recreate, with the empty plan at the end", whole, "s", "<= 25 s", whole <= 25)
        destroy = took(lambda: deployer.destroy(run.destroyable))
        yield Row("destroy all but the bootstrap stack", destroy, "s", "<= 8 s", destroy <= 8)


def _enforced(folder: Path) -> Row:
    """The same deploy with every call judged, and with none; each the better of two, in turns."""
    enforced, free = list[float](), list[float]()
    for turn in range(2):
        enforced.append(_deployed(folder / f"enforced-{turn}", None))
        free.append(_deployed(folder / f"free-{turn}", "anyone"))
    value, baseline = min(enforced), min(free)
    what = "deploy by apply after the bootstrap, identities enforced"
    return Row(what, value, "s", "<= 1.15x", value <= 1.15 * baseline, baseline, "--as anyone")


def _deployed(folder: Path, identity: str | None) -> float:
    """Seconds of a deploy of what the bootstrap leaves."""
    folder.mkdir()
    with stand_in(Options(folder / "google.sqlite", identity=identity)) as up:
        _bootstrap(folder / "cdktf.out", up.environment if identity else up.as_("person"))
        stacks = [one for one in stacks_in(folder / "cdktf.out") if not one.name.endswith("-bootstrap")]
        deployer = Deployer(up.environment)
        for one in stacks:
            deployer.terraform(one)
        return took(lambda: deployer.deploy(stacks))


def _bootstrap(outdir: Path, environment: dict[str, str]) -> None:
    """What a person does first; leaves the stacks in `outdir`."""
    command = [sys.executable, "-m", "fonderie.cli.main", "bootstrap", "--env", ENV]
    subprocess.run(command, env={**environment, "CDKTF_OUTDIR": str(outdir)}, check=True, capture_output=True)


def _through_cdktf(folder: Path) -> Iterator[Row]:
    folder.mkdir()
    with stand_in(Options(folder / "google.sqlite")) as up:
        command = ["cdktf", "deploy", f"{ENV}-*", "--auto-approve", "--skip-provider-lock"]
        output = ["--output", str(folder / "cdktf.out")]
        _bootstrap(folder / "cdktf.out", up.as_("person"))
        environment = {**up.as_("person"), "FONDERIE_ENV": ENV, "CI": "1"}
        whole = took(lambda: subprocess.run([*command, *output], env=environment, check=True, capture_output=True))
        yield Row("the same deploy through cdktf", whole, "s", "<= 25 s", whole <= 25)


def _growing(folder: Path) -> Iterator[Row]:
    """Ten times the environment is ten stacks: Terraform itself writes a stack's whole state after every resource, so
    that one stack of a thousand resources takes it five times as long (docs/traps.md); the stand-in's own share is told
    apart."""
    small, small_own = _generated(folder / "one", 1)
    large, large_own = _generated(folder / "ten", 10)
    reach = "no worse than linear"
    name = "of 100 in one"
    yield Row("deploy of 1000 resources in ten stacks, a resource", large, "ms", reach, large <= small, small, name)
    own = "the stand-in's share of it, processor time"
    yield Row(own, large_own, "ms", reach, large_own <= small_own * 1.1, small_own, name)


def _generated(folder: Path, stacks: int) -> tuple[float, float]:
    """A topic, a subscription and two members each, a hundred resources a stack.

    Milliseconds a resource: of the deploy, and of the stand-in's processor time.
    """
    for number in range(stacks):
        _write_generated(folder / "stacks" / f"s{number}", f"s{number}-", 100)
    listed = {f"s{n}": {"workingDirectory": f"stacks/s{n}", "dependencies": []} for n in range(stacks)}
    (folder / "manifest.json").write_text(json.dumps({"stacks": listed}))
    with stand_in(Options(folder / "google.sqlite")) as up:
        deployer, found = Deployer(up.environment), stacks_in(folder)
        for one in found:
            deployer.terraform(one)
        whole, own = took(lambda: deployer.deploy(found)), _processor_s(up.process.pid)
    return whole / stacks * 10, own / stacks * 10


def _processor_s(pid: int) -> float:
    """Seconds of processor time of a process so far, from /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _write_generated(stack: Path, prefix: str, count: int) -> None:
    stack.mkdir(parents=True)
    viewer = {"role": "roles/pubsub.viewer", "member": "user:somebody@example.com"}
    publisher = {**viewer, "role": "roles/pubsub.publisher"}
    numbers = range(count // 4)
    names = {number: f"${{google_pubsub_topic.t{number}.name}}" for number in numbers}
    resource = {
        "google_project_service": {"pubsub": {"service": "pubsub.googleapis.com", "disable_on_destroy": False}},
        "google_pubsub_topic": {
            f"t{number}": {"name": f"{prefix}t{number}", "depends_on": ["google_project_service.pubsub"]}
            for number in numbers
        },
        "google_pubsub_subscription": {
            f"s{number}": {"name": f"{prefix}s{number}", "topic": names[number]} for number in numbers
        },
        "google_pubsub_topic_iam_member": {
            f"{word}{number}": {"topic": names[number], **role}
            for number in numbers
            for word, role in (("a", viewer), ("b", publisher))
        },
    }
    provider = {"google": {"project": "demo-proj", "region": "us-central1"}}
    (stack / "cdk.tf.json").write_text(json.dumps({"provider": provider, "resource": resource}))
