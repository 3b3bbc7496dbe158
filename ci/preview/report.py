"""What a preview says, as values: the comment, the page and `--json` are three ways to write the same `Preview`.

Every text in it is already without secrets and on one line (`secrets.py`, `printable.py`); it is not yet escaped for
Markdown or HTML, which is the renderer's part.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from fonderie.core.errors import BadInputError
from fonderie.terraform.plan import Action
from infra.policy.findings import PolicyFinding

Item = TypeVar("Item")


class Frozen(BaseModel):
    """Base of the preview's records: immutable, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class AttributeChange(Frozen):
    """One attribute: before and after as they print (None: not there), or the changed lines of a text."""

    path: str
    before: str | None = None
    after: str | None = None
    lines: tuple[str, ...] = ()
    forces: bool = False


class ChangePreview(Frozen):
    """One resource that changes: its action, the reason, and its attributes before and after."""

    address: str
    type: str
    action: Action
    why: str = ""
    note: str = ""
    attributes: tuple[AttributeChange, ...] = ()
    by: str = ""  # who did it, of what changed outside
    known_later: tuple[str, ...] = ()


class Loss(Frozen):
    """One resource that is destroyed or replaced, and what goes with it.

    `parent` is what it is only replaced for; `depth` how far below the cause it stands. `unplanned` lies inside it and
    is lost with it, though the plan does not say so. `refused`: its protection makes the apply fail. `renewed`: it is
    named by its content, and this new version takes its place.
    """

    environment: str
    stack: str
    address: str
    type: str
    action: Action
    why: str
    stateful: bool = False
    lost: str = ""
    parent: str = ""
    depth: int = 0
    unplanned: tuple[str, ...] = ()
    dependents: tuple[str, ...] = ()
    protected: str = ""
    refused: bool = False
    renewed: str = ""


class Grant(Frozen):
    """A change of who may do what, in words. `alarm` says why it deserves a second look."""

    environment: str
    stack: str
    address: str
    subject: str
    verb: str  # gains, loses, keeps
    role: str
    resource: str  # begins with `kind`
    kind: str = ""
    note: str = ""
    alarm: str = ""


class DataAlarm(Frozen):
    """An update that deletes data, exposes it or takes its protection away: by which attribute, and what is lost."""

    environment: str
    stack: str
    address: str
    attribute: str
    lost: str


class ConfigurationChange(Frozen):
    """Something of the synthesised configuration that changes and that no plan shows; None: not there."""

    environment: str
    stack: str
    what: str
    before: str | None
    after: str | None
    alarm: str = ""


class ModelChange(Frozen):
    """One thing that changes about a model or its pipelines."""

    model: str
    what: str
    before: str
    after: str
    where: str = ""
    alarm: str = ""


class NewWaiver(Frozen):
    """A waiver that head adds, as it may be seen."""

    check: str
    path: str
    reason: str
    expires: str


class PolicyResult(Frozen):
    """Policy on head against base. `unavailable` says why it was not checked.

    The checks and waivers of base decide. `changed`: the files of checks that head changes; `waivers`: those that head
    adds or widens, and that count only when they are merged.
    """

    new: tuple[PolicyFinding, ...] = ()
    old: int = 0
    mended: int = 0
    waived: int = 0
    waived_until: str = ""
    expired: tuple[PolicyFinding, ...] = ()
    unavailable: str = ""
    broken: bool = False  # it should have been checked
    changed: tuple[str, ...] = ()
    waivers: tuple[NewWaiver, ...] = ()


class CostLine(Frozen):
    """What one resource adds to or takes from the monthly bill, list prices, as a range."""

    environment: str
    address: str
    low: float
    high: float
    why: str


class CostTotal(Frozen):
    """What all of an environment that has a price comes to a month, low and high, before and after; and its budget."""

    environment: str
    before: tuple[float, float]
    after: tuple[float, float]
    budget: int | None = None

    @property
    def over(self) -> bool:
        """Whether it goes beyond its budget, and further than before."""
        return self.budget is not None and self.after[1] > max(self.budget, self.before[1])


class CostResult(Frozen):
    """Monthly difference in US dollars, and the types that have no price here. `old`: the list is only a hint."""

    low: float = 0.0
    high: float = 0.0
    lines: tuple[CostLine, ...] = ()
    totals: tuple[CostTotal, ...] = ()
    unpriced: tuple[str, ...] = ()
    source: str = ""
    old: bool = False

    @property
    def over(self) -> bool:
        """Whether an environment goes beyond its budget."""
        return any(total.over for total in self.totals)


class QuotaShortfall(Frozen):
    """A quota of an environment's region that is too low for what may be needed at most."""

    environment: str
    name: str
    needed: float
    limit: int


class StackPreview(Frozen):
    """One stack: its changes, or why it could not be planned. `outside`: what changed outside Terraform."""

    environment: str
    name: str
    changes: tuple[ChangePreview, ...] = ()
    outputs: tuple[AttributeChange, ...] = ()
    outside: tuple[ChangePreview, ...] = ()
    failure: str = ""
    applied_by: str = ""  # when not by CI after the review: the command that a person gives
    serial: int | None = None

    def counts(self) -> dict[Action, int]:
        """How many of each action, worst first."""
        counted = {action: sum(change.action is action for change in self.changes) for action in Action}
        return {action: number for action, number in counted.items() if number}

    @property
    def unchanged(self) -> bool:
        """Planned, and nothing to do."""
        return not (self.changes or self.outputs or self.failure)


class Truth(StrEnum):
    """What the plans were made against."""

    STATE = "state"
    SANDBOX = "sandbox"
    RECORDED = "recorded"


class Source(Frozen):
    """Where the preview comes from: for the footer."""

    truth: Truth = Truth.RECORDED
    identity: str = ""
    head: str = ""
    base: str = ""
    plans: tuple[tuple[str, str], ...] = ()  # environment -> hash of its plan
    tools: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    link: str = ""  # to the page with everything


_LISTS = ("stacks", "losses", "data", "access", "configuration", "quota")  # of what is said of one environment


class Preview(Frozen):
    """Everything a reviewer is told."""

    stacks: tuple[StackPreview, ...]
    losses: tuple[Loss, ...] = ()
    data: tuple[DataAlarm, ...] = ()
    access: tuple[Grant, ...] = ()
    configuration: tuple[ConfigurationChange, ...] = ()
    models: tuple[ModelChange, ...] = ()
    policy: PolicyResult = PolicyResult(unavailable="no scan was given")
    cost: CostResult = CostResult()
    quota: tuple[QuotaShortfall, ...] = ()
    source: Source = Source()
    failures: tuple[str, ...] = ()

    @property
    def environments(self) -> tuple[str, ...]:
        """The environments, in the order they were given."""
        return tuple(dict.fromkeys(stack.environment for stack in self.stacks))

    @property
    def lost(self) -> tuple[Loss, ...]:
        """The losses that are ones: not those that only a new version takes the place of."""
        return tuple(loss for loss in self.losses if not loss.renewed)

    @property
    def alarms(self) -> int:
        """What a reviewer has to agree to: data that is lost or unprotected, access that opens, a looser gate."""
        grants = sum(bool(grant.alarm) for grant in self.access)
        looser, unseen = (sum(bool(row.alarm) for row in rows) for rows in (self.models, self.configuration))
        return len(self.data) + grants + looser + unseen + sum(loss.stateful for loss in self.lost)

    @property
    def red(self) -> bool:
        """Whether it must not be merged without a second look: something failed, a finding is new, an alarm rings."""
        return self.failed or bool(
            self.policy.new or self.policy.expired or self.policy.broken or self.alarms or self.cost.over or self.quota
        )

    def of(self, environment: str) -> Preview:
        """What it says of one environment."""
        mine = f"{environment}-"
        kept = {name: tuple(item for item in getattr(self, name) if item.environment == environment) for name in _LISTS}
        of_it = {
            name: tuple(finding for finding in getattr(self.policy, name) if finding.stack.startswith(mine))
            for name in ("new", "expired")
        }
        return self.model_copy(update={**kept, "policy": self.policy.model_copy(update=of_it)})

    @property
    def failed(self) -> bool:
        """Whether anything could not be planned."""
        return bool(self.failures) or any(stack.failure for stack in self.stacks)

    @property
    def empty(self) -> bool:
        """Whether nothing changes, as far as it could be planned."""
        return not (
            self.models or self.configuration or self.failures or any(not stack.unchanged for stack in self.stacks)
        )

    def counts(self, environment: str | None = None) -> dict[Action, int]:
        """How many of each action, over one environment or all, worst first."""
        total = dict.fromkeys(Action, 0)
        for stack in self.stacks:
            if environment in (None, stack.environment):
                for action, number in stack.counts().items():
                    total[action] += number
        return {action: number for action, number in total.items() if number}


def merged(previews: Sequence[Preview]) -> Preview:
    """One preview of several, each of other environments: for the one comment of a change.

    Raises BadInputError for none, for an environment that is there twice and for different commits.
    """
    if not previews:
        raise BadInputError("there are no previews to merge")
    names = [name for preview in previews for name in preview.environments]
    if len(names) != len(set(names)):
        raise BadInputError("an environment is previewed twice", where=", ".join(sorted(names)))
    sources = [preview.source for preview in previews]
    if len({(source.head, source.base) for source in sources}) > 1:
        raise BadInputError("the previews are of different commits", hint="preview every environment of the same head")
    results = [preview.policy for preview in previews]
    costs = [preview.cost for preview in previews]
    return Preview(
        **{name: tuple(item for preview in previews for item in getattr(preview, name)) for name in _LISTS},
        models=_once(item for preview in previews for item in preview.models),
        failures=_once(item for preview in previews for item in preview.failures),
        policy=PolicyResult(
            new=_once(item for result in results for item in result.new),
            expired=_once(item for result in results for item in result.expired),
            changed=_once(item for result in results for item in result.changed),
            waivers=_once(item for result in results for item in result.waivers),
            old=sum(result.old for result in results),
            mended=sum(result.mended for result in results),
            waived=sum(result.waived for result in results),
            waived_until=min((result.waived_until for result in results if result.waived_until), default=""),
            broken=any(result.broken for result in results),
            unavailable="; ".join(_once(result.unavailable for result in results if result.unavailable)),
        ),
        cost=CostResult(
            low=sum(cost.low for cost in costs),
            high=sum(cost.high for cost in costs),
            lines=tuple(item for cost in costs for item in cost.lines),
            totals=tuple(total for cost in costs for total in cost.totals),
            old=any(cost.old for cost in costs),
            unpriced=_once(item for cost in costs for item in cost.unpriced),
            source="; ".join(_once(cost.source for cost in costs if cost.source)),
        ),
        source=sources[0].model_copy(
            update={
                "truth": min((source.truth for source in sources), key=list(Truth).index),
                "identity": ", ".join(_once(source.identity for source in sources if source.identity)),
                "plans": tuple(item for source in sources for item in source.plans),
                "tools": _once(item for source in sources for item in source.tools),
                "notes": _once(item for source in sources for item in source.notes),
            }
        ),
    )


def _once(items: Iterable[Item]) -> tuple[Item, ...]:
    return tuple(dict.fromkeys(items))
