"""What a preview says, as values: the comment, the page and `--json` are three ways to write the same `Preview`.

Every text in it is already without secrets and on one line (`secrets.py`, `printable.py`); it is not yet escaped for
Markdown or HTML, which is the renderer's part.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from fonderie.terraform.plan import Action
from infra.policy.findings import PolicyFinding


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
    more_attributes: int = 0
    known_later: tuple[str, ...] = ()


class Loss(Frozen):
    """One resource that is destroyed or replaced, and what goes with it.

    `parent` is what it is only replaced for; `depth` how far below the cause it stands. `unplanned` lies inside it and
    is lost with it, though the plan does not say so.
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
    more_unplanned: int = 0
    dependents: tuple[str, ...] = ()
    more_dependents: int = 0
    protected: str = ""


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


class PolicyResult(Frozen):
    """Policy on head against base. `unavailable` says why it was not checked."""

    new: tuple[PolicyFinding, ...] = ()
    old: int = 0
    mended: int = 0
    waived: int = 0
    waived_until: str = ""
    expired: tuple[PolicyFinding, ...] = ()
    unavailable: str = ""


class CostLine(Frozen):
    """What one resource adds to or takes from the monthly bill, list prices, as a range."""

    environment: str
    address: str
    low: float
    high: float
    why: str


class CostResult(Frozen):
    """Monthly difference in US dollars, and the types that have no price here."""

    low: float = 0.0
    high: float = 0.0
    lines: tuple[CostLine, ...] = ()
    unpriced: tuple[str, ...] = ()
    source: str = ""


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
    source: Source = Source()
    failures: tuple[str, ...] = ()

    @property
    def environments(self) -> tuple[str, ...]:
        """The environments, in the order they were given."""
        return tuple(dict.fromkeys(stack.environment for stack in self.stacks))

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
