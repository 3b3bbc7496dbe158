"""From plans, model files, policy and cost to one `Preview`: pure, and the same for the same input."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ci.cost.estimate import estimate
from ci.cost.prices import Prices, load_prices
from ci.cost.quota import shortfalls
from ci.lifecycle.deploy import by_a_person
from ci.preview.configuration import configuration_changes
from ci.preview.infrastructure.access import access_changes
from ci.preview.infrastructure.attributes import attribute_changes
from ci.preview.infrastructure.data import data_alarms
from ci.preview.infrastructure.dependents import Families
from ci.preview.infrastructure.destroys import Attributes, losses, reason, shown_address
from ci.preview.infrastructure.outside import changed_outside
from ci.preview.masking.printable import folded, printable
from ci.preview.masking.secrets import Masker
from ci.preview.masking.values import UNKNOWN, Reader
from ci.preview.models.models import model_changes
from ci.preview.models.pipelines import pairs, renewed
from ci.preview.report import (
    AttributeChange,
    ChangePreview,
    ConfigurationChange,
    CostLine,
    CostResult,
    CostTotal,
    Grant,
    PolicyResult,
    Preview,
    QuotaShortfall,
    Source,
    StackPreview,
)
from fonderie.core.resource_types import resource_type
from fonderie.terraform.plan import Action, ResourceChange, StackPlan
from fonderie.terraform.references import without_keys

_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?")
_LONGEST_FAILURE = 1_500
INCOMPLETE = "Terraform ended this plan with an error: what is shown of it is not all"
_NO_SCAN = PolicyResult(unavailable="no scan was given")
_NO_SOURCE = Source()


@dataclass(frozen=True)
class Failed:
    """A stack that could not be planned, with what Terraform said."""

    environment: str
    stack: str
    message: str


@dataclass(frozen=True)
class Limits:
    """What an environment's settings allow it: dollars a month, quotas, and what it needs that no plan shows."""

    budget: int | None = None
    quota: Mapping[str, int] = field(default_factory=dict)
    needs: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Material:
    """Everything a preview is made of. Model files: name -> TOML; `configurations`: base's `cdk.tf.json` by stack."""

    plans: tuple[StackPlan, ...]
    failed: tuple[Failed, ...] = ()
    base_models: Mapping[str, str] = field(default_factory=dict)
    head_models: Mapping[str, str] = field(default_factory=dict)
    policy: PolicyResult = _NO_SCAN
    source: Source = _NO_SOURCE
    problems: tuple[str, ...] = ()
    limits: Mapping[str, Limits] = field(default_factory=dict)  # by environment
    today: datetime.date | None = None  # for the age of the price list
    configurations: Mapping[str, Mapping[str, Any]] | None = None


def assemble(material: Material, *, prices: Prices | None = None, masker: Masker | None = None) -> Preview:
    """The preview of a change."""
    plans = list(material.plans)
    masker = masker or Masker(plans)
    reader = Reader(masker)
    families = Families(plans)
    stacks, attributes = [], {}
    for plan in plans:
        stack, inside = _stack(plan, families, reader)
        stacks.append(stack)
        attributes.update(inside)
    stacks += [
        StackPreview(environment=one.environment, name=one.stack, failure=clean(one.message, masker))
        for one in material.failed
    ]
    compiled = pairs(plans)
    models, problems = model_changes(material.base_models, material.head_models, plans, compiled, masker)
    return Preview(
        stacks=tuple(_in_order(stacks)),
        losses=tuple(losses(plans, attributes, families, reader, renewed(plans, compiled))),
        data=tuple(alarm for plan in plans for alarm in data_alarms(plan, reader)),
        access=tuple(sorted(_access(plans, reader), key=lambda grant: not grant.alarm)),
        configuration=_configuration(material, reader),
        models=tuple(models),
        policy=material.policy,
        cost=_cost(material, prices or load_prices(), reader),
        quota=_quota(material),
        source=material.source,
        failures=tuple(clean(text, masker) for text in (*material.problems, *problems)),
    )


def _configuration(material: Material, reader: Reader) -> tuple[ConfigurationChange, ...]:
    """What of base's stacks is changed and not in the plan, alarms first; of a new stack what it runs and as whom."""
    before, rows = material.configurations, list[ConfigurationChange]()
    for plan in material.plans:
        if before is not None and plan.configuration:
            found = configuration_changes(plan, before.get(plan.stack, {}), reader)
            new = plan.stack not in before
            rows += [row for row in found if not new or (row.alarm and not row.what.startswith("terraform."))]
    return tuple(sorted(rows, key=lambda row: not row.alarm))


def _access(plans: list[StackPlan], reader: Reader) -> list[Grant]:
    return [grant for plan in plans for grant in access_changes(plan, reader)]


def clean(text: str, masker: Masker) -> str:
    """A message of a tool without secrets, colours and tricks, at most a screen of it; lines stay lines."""
    text = masker.text(_ANSI.sub("", text))
    lines = [printable(line.rstrip()) for line in text.replace("\r\n", "\n").split("\n")]
    return folded("\n".join(line for line in lines if line), _LONGEST_FAILURE)


def _in_order(stacks: list[StackPreview]) -> list[StackPreview]:
    """Stacks by environment, environments in the order they were first named."""
    order = list(dict.fromkeys(stack.environment for stack in stacks))
    return sorted(stacks, key=lambda stack: order.index(stack.environment))


def _stack(plan: StackPlan, families: Families, reader: Reader) -> tuple[StackPreview, Attributes]:
    changes, attributes = [], {}
    for change in plan.changes:
        if change.changes:
            found = attribute_changes(change, reader, plan.arguments.get(without_keys(change.address)))
            if not found:  # Terraform will do something: whatever it is, it is shown
                found = attribute_changes(change, reader)
            attributes[id(change)] = found
            why = reason(change, found, families.cause(plan, change), reader) if change.action.loses else ""
            changes.append(_change(change, found, why, reader))
    outputs = [item for change in plan.outputs if change.changes for item in _output(change, reader)]
    stack = StackPreview(
        environment=plan.environment,
        name=plan.stack,
        changes=tuple(sorted(changes, key=lambda item: (list(Action).index(item.action), item.address))),
        outputs=tuple(outputs),
        outside=tuple(changed_outside(plan, reader)),
        applied_by=_applied_by(plan),
        failure=INCOMPLETE if plan.incomplete else "",
        serial=plan.serial,
    )
    return stack, attributes


def _applied_by(plan: StackPlan) -> str:
    return f"fonderie bootstrap --env {printable(plan.environment)}" if by_a_person(plan.stack) else ""


def _change(change: ResourceChange, found: list[AttributeChange], why: str, reader: Reader) -> ChangePreview:
    later = [item for item in found if item.after == UNKNOWN.text and not item.forces and not item.lines]
    return ChangePreview(
        address=shown_address(change, reader),
        type=reader.plain(change.type),
        action=change.action,
        why=why,
        note=_note(change, reader),
        attributes=tuple(item for item in found if item not in later),
        known_later=tuple(item.path for item in later),
    )


def _note(change: ResourceChange, reader: Reader) -> str:
    notes = []
    if change.previous_address:
        notes.append(f"moved from {reader.address(change.previous_address)}")
    if change.imported_id:
        notes.append(f"imported from {reader.plain(change.imported_id)}")
    if change.deferred:
        notes.append(f"put off until more is known: {reader.plain(change.deferred.replace('_', ' '))}")
    if change.action is Action.FORGET:
        notes.append("stays in the cloud, no longer managed")
    if change.action is Action.UPDATE and _moves_a_range(change):
        notes.append("Google refuses to change a secondary range while a cluster uses it: recreate the environment")
    if change.create_first:
        notes.append("the new one is created before the old one goes")
    if change.action.loses and resource_type(change.type).lost:
        notes.append("stateful")
    return "; ".join(notes)


def _moves_a_range(change: ResourceChange) -> bool:
    """Whether pods or services of a cluster would get other addresses, which is planned as if it could be done.

    Source: VPC, "Alias IP ranges": a secondary range that is in use cannot be changed or removed.
    """
    if change.type != "google_compute_subnetwork":
        return False
    before, after = (
        {(each.get("range_name"), each.get("ip_cidr_range")) for each in (side or {}).get("secondary_ip_range") or ()}
        for side in (change.before, change.after)
    )
    return not before <= after


def _output(change: ResourceChange, reader: Reader) -> list[AttributeChange]:
    wrapped = ResourceChange(
        address=change.address,
        type="output",
        action=Action.UPDATE,
        before={"value": change.before},
        after={"value": change.after},
        unknown={"value": change.unknown},
        before_sensitive={"value": change.before_sensitive},
        after_sensitive={"value": change.after_sensitive},
    )
    found = attribute_changes(wrapped, reader)
    name = reader.address(change.address).removeprefix("output.")
    return [item.model_copy(update={"path": name + item.path.removeprefix("value")}) for item in found]


def _cost(material: Material, prices: Prices, reader: Reader) -> CostResult:
    changes = ((plan.environment, change) for plan in material.plans for change in plan.changes)
    estimated = estimate(changes, prices)
    lines = tuple(
        CostLine(
            environment=item.environment,
            address=reader.address(item.address),
            low=item.low,
            high=item.high,
            why=reader.plain(item.why),
        )
        for item in estimated.items
    )
    zero = (0.0, 0.0)
    totals = tuple(
        CostTotal(
            environment=name,
            before=estimated.before.get(name, zero),
            after=estimated.after.get(name, zero),
            budget=material.limits.get(name, Limits()).budget,
        )
        for name in sorted(estimated.before.keys() | estimated.after.keys())
    )
    return CostResult(
        low=estimated.low,
        high=estimated.high,
        lines=lines,
        totals=tuple(
            sorted((total for total in totals if total.before != total.after), key=lambda one: one.environment)
        ),
        unpriced=tuple(dict.fromkeys(map(reader.plain, estimated.unpriced))),
        source=prices.source(material.today),
        old=prices.old(material.today),
    )


def _quota(material: Material) -> tuple[QuotaShortfall, ...]:
    """The quotas that an environment may run out of, when the change needs more of them than before."""
    found = []
    for name in dict.fromkeys(plan.environment for plan in material.plans):
        limits = material.limits.get(name, Limits())
        changes = [change for plan in material.plans if plan.environment == name for change in plan.changes]
        sides = ([(one.type, one.before) for one in changes], [(one.type, one.after) for one in changes])
        before, after = ({one.name: one for one in shortfalls(side, limits.quota, limits.needs)} for side in sides)
        found += [
            QuotaShortfall(environment=name, name=one.name, needed=one.needed, limit=one.limit)
            for one in after.values()
            if one.name not in before or one.needed > before[one.name].needed
        ]
    return tuple(found)
