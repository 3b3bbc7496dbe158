"""A preview from two revisions: synthesise both, plan head against the state or against base in the sandbox."""

from __future__ import annotations

import datetime
import os
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from ci.cost.quota import cores
from ci.lifecycle.deploy import Stack, by_a_person
from ci.preview.assemble import Failed, Limits, Material, assemble
from ci.preview.build import revisions
from ci.preview.build.base import deployed, in_sandbox
from ci.preview.build.plans import Plans, plan_environment
from ci.preview.build.policy import changed_checks, compare, judge, new_waivers, scan
from ci.preview.build.surroundings import for_terraform
from ci.preview.build.synthesis import Synthesised, emptied, synthesise, synthesised_once
from ci.preview.build.synthesised import read_synthesised
from ci.preview.fingerprint import PlanRecord, record
from ci.preview.masking.printable import printable
from ci.preview.masking.secrets import Masker
from ci.preview.report import PolicyResult, Preview, Source, Truth
from fonderie.core.errors import BadInputError, FonderieError
from fonderie.core.files import write_text
from fonderie.core.home import home
from fonderie.terraform.configuration import read_configuration
from fonderie.terraform.plan import StackPlan
from fonderie.terraform.references import part
from infra.settings import load_environment

_CREDENTIALS = ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_OAUTH_ACCESS_TOKEN", "GOOGLE_CREDENTIALS",
                "CLOUDSDK_AUTH_ACCESS_TOKEN")  # fmt: skip
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """What to preview. `base` None: where the branch left main; `head` None: the working copy as it is."""

    environments: tuple[str, ...] = ()
    base: str | None = None
    head: str | None = None
    truth: Truth | None = None  # None: the state if there are credentials, else the sandbox
    synthesised: Path | None = None  # head's stacks, made by a step without rights: its code is not run here
    policy: bool = True
    today: datetime.date | None = None
    root: Path = revisions.ROOT
    progress: Progress = lambda _: None


@dataclass(frozen=True)
class Side:
    """One side of the comparison: its files and its stacks, or why there are none."""

    source: Path
    made: Synthesised | None
    problem: str = ""


def has_credentials() -> bool:
    """Whether the environment names credentials for Google."""
    return any(os.environ.get(name) for name in _CREDENTIALS)


def make(request: Request) -> Preview:
    """The preview of a change. Raises BadInputError for a revision or an environment that does not exist."""
    return preview_and_records(request)[0]


def preview_and_records(request: Request) -> tuple[Preview, tuple[PlanRecord, ...]]:
    """The preview of a change, and a record of each environment whose plan is complete and can be applied."""
    truth = request.truth or (Truth.STATE if has_credentials() else Truth.SANDBOX)
    base = revisions.commit(request.base or revisions.default_base(request.head or "HEAD", request.root), request.root)
    with tempfile.TemporaryDirectory(prefix="fonderie-preview-") as scratch:
        work = Path(scratch)
        head_source = request.root
        if request.head is not None:
            bindings = request.synthesised is None  # they run what head's cdktf.json names
            head_source = revisions.lay_out(request.head, work / "head", request.root, bindings=bindings)
        base_source = revisions.kept(base, request.root)
        names = _chosen(request.environments, base_source, head_source)
        request.progress("synthesising base and head")
        sides = _sides(base_source, head_source, names, work, request.synthesised)
        with ThreadPoolExecutor(1) as beside:
            policy = beside.submit(_policy, sides, names, request, work)
            planned = [_planned(name, *sides, truth, work, request.progress) for name in names]
            return _assembled(request, sides, planned, policy.result(), truth, base)


def _chosen(wanted: tuple[str, ...], base: Path, head: Path) -> tuple[str, ...]:
    known = list(dict.fromkeys([*revisions.environments_in(head), *revisions.environments_in(base)]))
    if unknown := [name for name in wanted if name not in known]:
        raise BadInputError(f"unknown environment {unknown[0]!r}", hint=f"there are: {', '.join(known)}")
    return tuple(name for name in known if name in wanted or not wanted)


def _sides(base: Path, head: Path, names: tuple[str, ...], work: Path, synthesised: Path | None) -> tuple[Side, Side]:
    """Base and head synthesised side by side; the one that fails says so."""

    def side(source: Path, what: str) -> Side:
        there = [name for name in names if name in revisions.environments_in(source)]
        try:
            if what == "base":
                return Side(source, synthesised_once(source, there))
            return Side(source, synthesise(source, there, work / "head-out" / "out"))
        except FonderieError as error:
            return Side(source, None, f"{what} does not synthesise: {error}")

    if synthesised:
        first = side(base, "base")
        try:
            return first, Side(head, read_synthesised(synthesised, first.made, names, work / "head-out" / "out"))
        except FonderieError as error:
            return first, Side(head, None, f"head is not planned here: {error}")
    with ThreadPoolExecutor(2) as threads:
        one, other = threads.submit(side, base, "base"), threads.submit(side, head, "head")
        return one.result(), other.result()


@dataclass(frozen=True)
class EnvironmentPlans:
    """An environment's plans, and the record of them when they are complete."""

    plans: Plans
    record: PlanRecord | None
    truth: Truth
    note: str = ""


def _planned(name: str, base: Side, head: Side, truth: Truth, work: Path, progress: Progress) -> EnvironmentPlans:
    progress(f"planning {name}")
    if head.made is None or (base.made is None and truth is Truth.SANDBOX):
        return EnvironmentPlans(Plans(()), None, truth)
    stacks = head.made.of(name)
    gone = emptied(base.made, [one.name for one in stacks], name, work / "head-out") if base.made else ()
    if truth is Truth.SANDBOX or _kept_here(stacks or gone):
        plans, truth = _in_the_sandbox(name, base, head.made, gone, work / f"plan-{name}"), Truth.SANDBOX
    else:
        plans = plan_environment(name, (*gone, *stacks), for_terraform(), reads_only=True)
    note = _removed(name, stacks, plans)
    if note:
        return EnvironmentPlans(plans, None, truth, note)
    applied = [plan for plan in plans.plans if not by_a_person(plan.stack)]
    complete = all(by_a_person(failure.stack) for failure in plans.failed)
    before = {stack.name: read_configuration(stack.folder) for stack in base.made.of(name)} if base.made else None
    return EnvironmentPlans(plans, record(name, applied, before=before) if complete else None, truth)


def _removed(name: str, stacks: tuple[Stack, ...], plans: Plans) -> str:
    """What to know of an environment that head has no more: nothing applies it, so nothing destroys what it holds."""
    if stacks:
        return ""
    left = sum(change.action.loses for plan in plans.plans for change in plan.changes)
    if left:
        return f"{name} is removed: no merge destroys its {left} resources; destroy them before, from the base"
    return f"{name} is removed, and holds nothing any more"


def _kept_here(stacks: tuple[Stack, ...]) -> bool:
    """Whether an environment's state is on this machine: it lives in the sandbox only."""
    return any("local" in part(read_configuration(one.folder), "terraform", "backend") for one in stacks[:1])


def _in_the_sandbox(name: str, base: Side, head: Synthesised, gone: tuple[Stack, ...], work: Path) -> Plans:
    """Plan head over a copy of base's deployment; what is the same in both needs no plan."""
    stacks = (*gone, *head.of(name))
    before = base.made if base.made and base.made.of(name) else None
    if before and before.digest(name) == head.digest(name):
        return Plans(tuple(StackPlan(name, stack.name) for stack in head.of(name)))
    try:
        if before:
            shutil.copytree(deployed(before, name), work)
        work.mkdir(parents=True, exist_ok=True)
        with in_sandbox(work, stacks) as (up, copies):
            plans = plan_environment(name, copies, for_terraform(up.environment), refresh=False)
    except FonderieError as error:
        message = f"base could not be deployed in the sandbox: {error}"
        return Plans((), tuple(Failed(name, stack.name, message) for stack in head.of(name)))
    own = {stack.name: read_configuration(stack.folder) for stack in stacks}  # the copies' states are elsewhere
    return replace(plans, plans=tuple(replace(plan, configuration=own[plan.stack]) for plan in plans.plans))


def _policy(sides: tuple[Side, Side], names: tuple[str, ...], request: Request, work: Path) -> PolicyResult:
    """What base's policy says of both sides, and what head changes about it."""
    if not request.policy:
        return PolicyResult(unavailable="left out by --no-policy")
    base, head = sides
    before = scan(base.source, base.made, names) if base.made else base.problem
    after = judge(base.source, head.source, head.made, names, work) if head.made else head.problem
    masker = Masker()
    found = compare(before, after, request.today or datetime.datetime.now(datetime.UTC).date(), masker)
    return found.model_copy(
        update={
            "changed": tuple(changed_checks(base.source, head.source)),
            "waivers": tuple(new_waivers(base.source, head.source, masker)),
        }
    )


def _assembled(
    request: Request,
    sides: tuple[Side, Side],
    planned: list[EnvironmentPlans],
    policy: PolicyResult,
    truth: Truth,
    base: str,
) -> tuple[Preview, tuple[PlanRecord, ...]]:
    commit = revisions.commit(request.head or "HEAD", request.root)
    head = revisions.short(commit)
    records = tuple(
        one.record.model_copy(update={"head": commit, "base": base})
        for one in planned
        if one.record and one.truth is Truth.STATE
    )
    for one in records:
        keep(one)
    plans = tuple(plan for one in planned for plan in one.plans.plans)
    made = sides[0].made
    configurations = {stack.name: read_configuration(stack.folder) for stack in made.stacks} if made else None
    terraform = next((printable(plan.terraform_version)[:40] for plan in plans if plan.terraform_version), "")
    preview = assemble(
        Material(
            plans=plans,
            failed=tuple(failure for one in planned for failure in one.plans.failed),
            base_models=revisions.model_files(sides[0].source),
            head_models=revisions.model_files(sides[1].source),
            policy=policy,
            source=Source(
                truth=truth,
                identity=os.environ.get("FONDERIE_IDENTITY", ""),
                head=head if request.head else f"{head} and the working copy",
                base=revisions.short(base),
                plans=tuple((one.environment, one.hash) for one in records if one.changes)
                if truth is Truth.STATE
                else (),
                notes=tuple(one.note for one in planned if one.note),
                tools=tuple(tool for tool in (f"Terraform {terraform}" if terraform else "", _provider()) if tool),
            ),
            configurations=configurations,
            limits={name: _limits(name, sides[1].source) for name in dict.fromkeys(plan.environment for plan in plans)},
            today=request.today or datetime.datetime.now(datetime.UTC).date(),
            problems=tuple(side.problem for side in sides if side.problem),
        )
    )
    return preview, records


def _limits(environment: str, head: Path) -> Limits:
    """What head's settings of an environment allow; nothing when they cannot be read, which the synthesis tells."""
    try:
        settings = load_environment(environment, head / "infra" / "environments")
    except FonderieError:
        return Limits()
    serving = settings.serving
    number = serving.max_replicas * cores(serving.machine_type) * len(revisions.model_files(head))
    budget = settings.budget.monthly_usd if settings.budget else None
    return Limits(budget, settings.quota, {"CUSTOM_MODEL_SERVING_CPUS": number})


def _provider() -> str:
    found = sorted((revisions.ROOT / "fonderie" / "sandbox" / "provider").glob("google@*.json"))
    return f"google {found[-1].stem.partition('@')[2]}" if found else ""


def record_path(identity: str) -> Path:
    """Where a reviewed plan's record is kept."""
    return home() / "plans" / f"{identity}.json"


def keep(made: PlanRecord) -> None:
    """Keep a plan's record, so that the apply can say in words what is different; digests only."""
    write_text(record_path(made.hash), made.model_dump_json())
