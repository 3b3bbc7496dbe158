"""Apply exactly what was reviewed: plan again, compare, apply the saved plan, or refuse and say what is different."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ci.apply import journal
from ci.apply.journal import Journal
from ci.lifecycle.deploy import Deployer, Stack, by_a_person, synthesise
from ci.preview.assemble import Material, assemble, clean
from ci.preview.build.plans import Plans, plan_environment, private_folder
from ci.preview.build.preview import keep, record_path
from ci.preview.build.surroundings import for_terraform, harmless
from ci.preview.build.synthesis import Synthesised, emptied
from ci.preview.fingerprint import PlanRecord, differences, goes_on, record
from ci.preview.masking.secrets import Masker
from ci.preview.report import Loss, Preview, Source, Truth
from ci.preview.review import Review
from fonderie.core.errors import BadInputError, ConflictError, RefusedError, StepFailedError
from fonderie.google import Access
from fonderie.terraform.configuration import read_configuration
from fonderie.terraform.plan import StackPlan
from fonderie.terraform.refusals import patiently
from fonderie.terraform.runner import TerraformError, interruptible, pause
from infra.main import chosen_outdir
from infra.settings import Environment
from infra.settings.environment import Backend

_HASH = re.compile(r"p-[0-9a-f]{20}")
_MOST_LINES = 12
Stacks = Callable[[str], list[Stack]]


def synthesised(environment: str) -> list[Stack]:
    """The working copy's stacks of an environment, in order. Its code is merged, not yet compared: it gets no token."""
    return [
        one
        for one in synthesise([environment], chosen_outdir(), variables=harmless())
        if one.name.startswith(f"{environment}-")
    ]


def refuse_absent(env: Environment, access: Access | None = None) -> None:
    """Raise RefusedError for images and manifests that the settings name and the registry does not hold.

    Nothing is asked where the state is on this machine: a trial runs none of them. Raises what
    `fonderie.google.artifacts.exists` raises.
    """
    if access is None:
        if Backend.LOCAL in (env.backend, os.environ.get("FONDERIE_BACKEND")):
            return
        access = Access.from_environment(env.project_id, env.region)
    from fonderie.google.artifacts import exists

    absent = [f"{key} = {artefact}" for key, artefact in env.artefacts.items() if not exists(access, artefact)]
    if absent:
        lines = "".join(f"\n  {line}" for line in absent)
        raise RefusedError(
            f"nothing was applied: not in the registry of {env.registry_owner.name}:{lines}",
            where=f"infra/environments/{env.name}.toml",
            hint="name a digest that the images build printed, or build again: docs/getting-started.md",
        )


@dataclass(frozen=True)
class Applier:
    """Applies an environment's stacks; `variables` are those of the Terraform commands."""

    environment: str
    variables: Mapping[str, str] = field(default_factory=for_terraform)
    stacks_of: Stacks = synthesised
    progress: Callable[[str], None] = lambda _: None
    tell: Callable[[str], None] = lambda _: None  # what stays on the screen
    wait: Callable[[float], None] = pause
    base: Callable[[], Synthesised | None] = lambda: None
    commit: str = ""  # of the protected branch

    def preview(self) -> tuple[Preview, PlanRecord]:
        """What an apply would do now, and the hash to review it under. Nothing is applied."""
        with private_folder() as folder:
            plans = self._plan(self._applied(), Path(folder))
        made = record(self.environment, plans.plans)
        keep(made)
        return self._preview(plans.plans, made), made

    def apply(self, review: Review, allow_destroy: Iterable[str] | None = None) -> Preview:
        """Apply what was reviewed; what was done.

        With `allow_destroy` None the stateful losses of the reviewed plan are allowed and no others, else those that it
        names. Where base or a state has moved on since the review, the plan of now must do the same: actions, values,
        causes, and what the change says of the configuration.

        Raises ConflictError when another plan would be applied, or somebody else is applying; RefusedError when
        something stateful would be destroyed that is not allowed; StepFailedError when Terraform fails, after which the
        same call goes on with what is left, on any machine.
        """
        if not _HASH.fullmatch(review.hash):
            raise BadInputError(f"invalid plan hash {review.hash!r}", hint="the last line of the preview has it: p-...")
        with journal.alone(self.environment), interruptible():
            stacks, previews = self._with_emptied(review), list[Preview]()
            kept, done = Journal.beside(self.environment, stacks), dict[str, Any]()

            def once() -> None:
                """Plan, compare and apply; done again where Google was not ready: what is left is compared then."""
                with private_folder() as folder:
                    plans = self._plan(stacks, Path(folder))
                    now = record(self.environment, plans.plans, keyed=review.keyed)
                    previews.append(self._preview(plans.plans, now))
                    if now.changes:
                        begins = self._reviewed(review, now, plans.plans, kept)
                        if allow_destroy is not None:
                            refuse_losses(previews[-1].losses, allow_destroy)
                        if begins:
                            kept.begin(now)
                        done.update({"reviewed": review.model_dump(mode="json"), "applied": now.states})
                        self._apply(stacks, plans, dict(plans.files))

            patiently(once, self.tell, wait=self.wait)
            if done or self.commit:
                kept.finish({**done, "commit": self.commit or kept.applied()})
            return previews[0]

    def _with_emptied(self, review: Review) -> list[Stack]:
        """The stacks to apply; first those, emptied, that the review has and the configuration has no more."""
        stacks = self._applied()
        gone = {name for name in review.states if not by_a_person(name)} - {stack.name for stack in stacks}
        base = self.base() if gone and stacks else None
        if base is None:
            return stacks
        first = emptied(base, {stack.name for stack in stacks}, self.environment, stacks[0].folder.parent)
        return [*(stack for stack in first if stack.name in gone), *stacks]

    def _applied(self) -> list[Stack]:
        """The stacks that an apply applies. What a person has to apply is said, as far as the state shows it."""
        stacks = self.stacks_of(self.environment)
        for stack in (stack for stack in stacks if by_a_person(stack.name)):
            plans = plan_environment(self.environment, [stack], self.variables, refresh=False, reads_only=True).plans
            if number := sum(change.changes for plan in plans for change in plan.changes):
                self.tell(
                    f"{stack.name}: {number} changes are applied by a person: "
                    f"`fonderie bootstrap --env {self.environment}`"
                )
        return [stack for stack in stacks if not by_a_person(stack.name)]

    def _plan(self, stacks: list[Stack], folder: Path) -> Plans:
        self.progress(f"planning {self.environment}")
        plans = plan_environment(self.environment, stacks, self.variables, keep_in=folder)
        if plans.failed:
            first, masker = plans.failed[0], Masker(plans.plans)
            raise StepFailedError(clean(first.message, masker), where=first.stack, hint="nothing was applied")
        return plans

    def _preview(self, plans: Iterable[StackPlan], made: PlanRecord) -> Preview:
        identities = ((self.environment, made.hash),) if made.changes else ()
        return assemble(Material(tuple(plans), source=Source(truth=Truth.STATE, plans=identities)))

    def _reviewed(self, review: Review, now: PlanRecord, plans: Iterable[StackPlan], kept: Journal) -> bool:
        """True when this is the reviewed plan, False when it is the rest of one that was begun; else it raises."""
        if review.missing:
            raise RefusedError(
                review.missing, where=self.environment, hint="preview it on a pull request, and merge that"
            )
        if now.hash == review.hash:
            return True
        if review.actions == now.actions and self._same_configuration(review, plans):
            self.tell(f"base or state has moved on since the review of {review.head[:9]}: the plan does the same")
            return True
        begun = kept.unfinished(review)
        if begun is None:
            raise _conflict("what would be applied is not what was reviewed", _difference(review.hash, now), now)
        rest = record(self.environment, plans, keyed=begun.keyed)
        if against := goes_on(begun, rest):
            raise _conflict("what is left is not what was reviewed", against, now)
        return False

    def _same_configuration(self, review: Review, plans: Iterable[StackPlan]) -> bool:
        """Whether the merge changes of the configuration what the reviewed head did."""
        base = self.base()
        if base is None:
            return False
        before = {stack.name: read_configuration(stack.folder) for stack in base.of(self.environment)}
        return record(self.environment, plans, before=before, keyed=review.keyed).delta == review.delta

    def _apply(self, stacks: list[Stack], plans: Plans, files: Mapping[str, Path]) -> None:
        changing = {plan.stack for plan in plans.plans if any(one.changes for one in (*plan.changes, *plan.outputs))}
        deployer = Deployer(self.variables)
        for stack in stacks:
            if stack.name in changing:
                self.progress(f"applying {stack.name}")
                with _masked(plans.plans):
                    deployer.terraform(stack).apply(str(files[stack.name]))


@contextmanager
def _masked(plans: Iterable[StackPlan]) -> Iterator[None]:
    """What Terraform says of a failure, which may be a provisioner's output, without what the preview hides."""
    try:
        yield
    except TerraformError as error:
        raise TerraformError(clean(error.what, Masker(plans)), error.messages, where=str(error.where)) from None
    except StepFailedError as error:
        raise StepFailedError(clean(error.what, Masker(plans)), where=error.where, hint=error.hint) from None


def _difference(identity: str, now: PlanRecord) -> list[str]:
    """How `now` differs from the reviewed plan, from its record when that is here."""
    path = record_path(identity)
    try:
        reviewed = PlanRecord.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return [f"would change now: {one.stack} {one.address} {one.action}" for one in now.changes]
    return differences(reviewed, now) or ["the record of the reviewed plan was changed"]


def _conflict(what: str, lines: list[str], now: PlanRecord) -> ConflictError:
    shown = [f"\n  {line}" for line in lines[:_MOST_LINES]]
    more = f"\n  and {len(lines) - _MOST_LINES} more" if len(lines) > _MOST_LINES else ""
    return ConflictError(f"{what}:{''.join(shown)}{more}", where=now.environment, hint="preview it again, and review")


def refuse_losses(losses: Iterable[Loss], allowed: Iterable[str]) -> None:
    """Raise RefusedError for stateful losses that are not allowed: by their address, or `STACK/ADDRESS`."""
    names = set(allowed)
    refused = [loss for loss in losses if loss.stateful and not names & {loss.address, f"{loss.stack}/{loss.address}"}]
    if refused:
        lines = "".join(f"\n  {loss.stack} {loss.address} {loss.action}: {loss.lost}" for loss in refused[:_MOST_LINES])
        more = f"\n  and {len(refused) - _MOST_LINES} more" if len(refused) > _MOST_LINES else ""
        raise RefusedError(
            f"{len(refused)} stateful resources would be lost:{lines}{more}",
            hint=f"if that is meant: --allow-destroy '{refused[0].stack}/{refused[0].address}', once for each",
        )
