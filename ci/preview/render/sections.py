"""What a `Preview` tells, section by section, told once: the comment, the page and the terminal write the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import TypeVar

from ci.preview.infrastructure.outside import opens
from ci.preview.masking.printable import folded
from ci.preview.render.document import Fold, Line, Row, Section, Span, alarm, bold, code, key, line, listed
from ci.preview.render.wording import change_lines, counted, dollars, output_lines, outside_words, plural, total_words
from ci.preview.report import (
    ChangePreview,
    ConfigurationChange,
    DataAlarm,
    Grant,
    Loss,
    ModelChange,
    Preview,
    StackPreview,
)
from infra.policy.findings import PolicyFinding

_FEW = 6  # names of things that are alike, in one row of a comment
_AT_ONCE = 20  # stateful ones in one row, each of which is named
_ALIKE = 4  # of many changes that are alike, those whose details are shown
_MANY = 12

_Item = TypeVar("_Item")


def sections(preview: Preview, *, complete: bool = False) -> Iterator[Section]:
    """Every section that has something to tell, what matters most first; `complete` names everything."""
    few = None if complete else _FEW
    found = [
        _losses(preview, few),
        _data(preview, few),
        _access(preview, few),
        _configuration(preview),
        _models(preview),
        _versions(preview, few),
        outside(preview.stacks, few),
        _policy(preview, few),
        _cost(preview),
        _quota(preview),
    ]
    yield from (section for section in found if section.rows or section.notes)


def _group(items: Iterable[_Item], same: Callable[[_Item], object]) -> list[list[_Item]]:
    """The items that are the same in something together, in the order of the first of each."""
    groups: dict[object, list[_Item]] = {}
    for item in items:
        groups.setdefault(same(item), []).append(item)
    return list(groups.values())


# -- destroyed or replaced


def _losses(preview: Preview, few: int | None) -> Section:
    lost = preview.lost
    rows = [row for group in _alike(lost) for row in _loss_rows(group, few)]
    title = f"⚠️ Destroyed or replaced ({len(lost):,})"
    return Section(title, tuple(rows), ("what", "why", "what is lost"), kind="destroyed or replaced")


def _alike(losses: Sequence[Loss]) -> list[list[Loss]]:
    """Neighbours that go for the same reason and lose the same are told together."""

    def kind(loss: Loss) -> tuple[object, ...]:
        return tuple(getattr(loss, name) for name in Loss.model_fields if name != "address")

    return [list(group) for _, group in groupby(losses, key=kind)]


def _loss_rows(group: list[Loss], few: int | None) -> Iterator[Row]:
    """One row; of many stateful ones as many rows as name each of them."""
    size = _AT_ONCE if group[0].stateful and few else len(group)
    for start in range(0, len(group), size):
        part = group[start : start + size]
        first = part[0]
        counts = Counter({first.type: len(part), **({"stateful": len(part)} if first.stateful else {})})
        names = listed([loss.address for loss in part], None if first.stateful else few, kind=first.type)
        what = line(
            "↳ " if first.depth else "", bold(first.environment), " · ", _stack(first.environment, first.stack), " · ",
            names, f" {first.action}", " · stateful" if first.stateful else "",
        )  # fmt: skip
        yield Row((what, _why(first), _lost(first, few)), 0 if first.stateful else 1, counts)


def _stack(environment: str, stack: str) -> str:
    return stack.removeprefix(f"{environment}-")


def _why(loss: Loss) -> Line:
    """The attributes as code, the rest as words."""
    if loss.parent:
        return line("only because ", code(loss.parent), f" is replaced{loss.why.partition(' is replaced')[2]}")
    for end in (" forces replacement", " force replacement"):
        if loss.why.endswith(end):
            return line(code(loss.why.removesuffix(end)), end)
    return line(loss.why)


def _lost(loss: Loss, few: int | None) -> Line:
    parts = [line(loss.lost)] if loss.lost else []
    if loss.unplanned:
        names = listed(loss.unplanned, few)
        parts.append(line(bold("not in the plan, but inside it and gone with it:"), " ", names))
    if loss.dependents:
        parts.append(line("needed by ", listed(loss.dependents, few and 3)))
    if loss.protected:
        parts.append(line(bold("this apply will fail") if loss.refused else "protected", f": {loss.protected}"))
    if loss.stateful:
        parts.append(line("by hand, the apply refuses without ", code("--allow-destroy")))
    return line(*(span for part in parts for span in (Span("; "), *part)))[1:] or line("nothing but the resource")


def _versions(preview: Preview, few: int | None) -> Section:
    """Content-addressed things that a new version takes the place of: nothing is lost."""
    renewed = [loss for loss in preview.losses if loss.renewed]
    groups = _group(renewed, lambda loss: (loss.environment, loss.type))
    rows = [
        Row((line(bold(group[0].environment), " · ",
                  listed([loss.renewed for loss in group], few)),), counts={group[0].type: len(group)})
        for group in groups
    ]  # fmt: skip
    return Section("New versions", tuple(rows), kind="new versions")


# -- data, access


def _data(preview: Preview, few: int | None) -> Section:
    def same(item: DataAlarm) -> object:
        return item.environment, item.attribute, item.lost

    rows = []
    for group in _group(preview.data, same):
        first = group[0]
        by = (code(first.attribute), Span(": ")) if first.attribute else ()
        names = listed([item.address for item in group], few)
        text = line(bold(first.environment), " · ", names, " ", by, alarm(first.lost)[1:])
        rows.append(Row((text,), counts={"alarms": len(group)}))
    return Section("⚠️ Data lost or unprotected by an update", tuple(rows), kind="alarms")


def _access(preview: Preview, few: int | None) -> Section:
    """One row for a role on a resource, and one for what an identity gets on many of a kind."""

    def role(grant: Grant) -> object:
        on = grant.resource if grant.subject else ""
        return grant.environment, grant.verb, grant.role, on, grant.note, grant.alarm, bool(grant.subject)

    def identities(group: list[Grant]) -> object:
        first = group[0]
        who = tuple(grant.subject for grant in group) if first.subject else first.address
        return first.environment, first.verb, first.role, first.kind, first.note, first.alarm, who

    groups = _group(_group(preview.access, role), identities)
    rows = [_access_row(group, few) for group in groups]
    return Section("Access", tuple(sorted(rows, key=lambda row: row.rank)), kind="changes of access")


def _access_row(groups: list[list[Grant]], few: int | None) -> Row:
    first, number = groups[0][0], sum(map(len, groups))
    members = [grant.subject or grant.address for grant in groups[0]]
    resources = [group[0].resource.removeprefix(group[0].kind).strip() for group in groups]
    verb = first.verb if len(members) == 1 else {"gains": "gain", "loses": "lose"}.get(first.verb, first.verb)
    of_them = f"{len(members):,}: " if len(members) > _FEW else ""
    kinds = plural(first.kind, len(resources))
    on = line(f" on {kinds} ", listed(resources, few)) if first.subject else ()
    note = line(" (", code(first.note), ")") if first.note else ()
    text = line(
        bold(first.environment), " · ", of_them, listed(members, few), f" {verb} ", key(first.role), on, note,
        alarm(first.alarm),
    )  # fmt: skip
    return Row((text,), 0 if first.alarm else 1, {"alarms" if first.alarm else "grants": number})


def _configuration(preview: Preview) -> Section:
    """What changes of the configuration and no plan shows; equal changes of several stacks in one row."""

    def same(change: ConfigurationChange) -> object:
        return change.what, change.before, change.after, change.alarm

    rows = []
    for group in _group(preview.configuration, same):
        first = group[0]
        before, after = (line("not set") if side is None else line(code(side)) for side in (first.before, first.after))
        stacks = ", ".join(dict.fromkeys(change.stack for change in group))
        text = line(bold(stacks), " · ", code(first.what), " ", before, " → ", after, alarm(first.alarm))
        rows.append(Row((text,), 0 if first.alarm else 1, {"alarms" if first.alarm else "changes": len(group)}))
    return Section("Not in the plan", tuple(rows), kind="changes")


# -- models, what changed outside


def _models(preview: Preview) -> Section:
    rows = [Row(_model(change), 0 if change.alarm else 1, {"changes": 1}) for change in preview.models]
    return Section("Models", tuple(rows), ("model", "what", "before", "after"), kind="changes")


def _model(change: ModelChange) -> tuple[Line, ...]:
    where = f" · {change.where}" if change.where else ""
    what = line(change.what, alarm(change.alarm))
    return line(code(change.model), where), what, line(code(change.before)), line(key(change.after))


def outside(stacks: Iterable[StackPreview], few: int | None = None) -> Section:
    """What changed outside, what opens something first; equal changes in one row."""
    found = [(stack, change) for stack in stacks for change in stack.outside]
    groups = _group(found, lambda pair: (pair[0].environment, outside_words(pair[1]), pair[1].why, opens(pair[1])))
    rows = []
    for group in groups:
        stack, change = group[0]
        names = listed([each.address for _, each in group], few)
        by = sorted({each.by for _, each in group if each.by})
        who = line(" by ", listed(by, 3)) if by else ()
        text = line(bold(stack.environment), " · ", names, " ", code(outside_words(change)), who, alarm(change.why))
        rows.append(Row((text,), 0 if opens(change) else 1, {change.type: len(group)}))
    return Section("Changed outside Terraform since the last apply", tuple(sorted(rows, key=_rank)), kind="changes")


def _rank(row: Row) -> int:
    return row.rank


# -- policy, cost


def _policy(preview: Preview, few: int | None) -> Section:
    policy = preview.policy
    rows = [Row((line("changed by this pull request: ", code(name)),), counts={"checks": 1}) for name in policy.changed]
    rows += [
        Row((line("new waiver: ", bold(waiver.check), " at ", code(waiver.path), f" until {waiver.expires}: ",
                  code(waiver.reason), " (counts when it is merged)"),),
            counts={"waivers": 1})
        for waiver in policy.waivers
    ]  # fmt: skip
    for what, findings in (("new", policy.new), ("waiver expired", policy.expired)):
        rows += [_finding_row(what, group, few) for group in _group(findings, lambda one: (one.check, one.what))]
    known = [f"{policy.old} old" if policy.old else "", f"{policy.mended} mended" if policy.mended else ""]
    if policy.waived:
        until = f", the first until {policy.waived_until}" if policy.waived_until else ""
        known.append(f"{policy.waived} waived{until}")
    notes = [line(" · ".join(part for part in known if part))] if any(known) else []
    notes += [line("Not checked: ", code(policy.unavailable))] if policy.unavailable else []
    return Section("Policy", tuple(rows), notes=tuple(notes), kind="findings")


def _finding_row(what: str, findings: list[PolicyFinding], few: int | None) -> Row:
    first = findings[0]
    places = list(dict.fromkeys(f"{finding.stack}/{finding.path}" for finding in findings))
    details = list(dict.fromkeys(finding.detail for finding in findings if finding.detail))
    told = line(" · ", "; ".join(details[: few or len(details)])) if details else ()
    more = f" and {len(details) - few} more" if few and len(details) > few else ""
    text = line(f"{what}: ", bold(first.check), f" {first.what} · ", listed(places, few), told, more)
    return Row((text,), counts={first.check: len(findings)})


def _cost(preview: Preview) -> Section:
    cost = preview.cost
    rows = [
        Row((line(bold(item.environment), " · ", code(item.address),
                  f" {dollars(item.low, item.high).removeprefix('about ')} (", code(item.why), ")"),),
            counts={"lines": 1})
        for item in cost.lines
    ]  # fmt: skip
    notes = [
        line(bold(total.environment), f": {total_words(total)}",
             alarm(f"beyond the budget of {total.budget:,} $" if total.over else ""))
        for total in cost.totals
    ]  # fmt: skip
    if cost.old and rows:
        notes.append(line(*alarm(f"the prices are a hint only: {cost.source}")[1:]))
    notes += [line("Not priced: ", listed(cost.unpriced, 30), ".")] if cost.unpriced else []
    return Section("Cost", tuple(rows), notes=tuple(notes), kind="lines")


def _quota(preview: Preview) -> Section:
    rows = [
        Row((line(bold(one.environment), " · ", code(one.name), f" needs {one.needed:,.0f} at most, the limit is "
                  f"{one.limit:,}", alarm(f"{one.needed - one.limit:,.0f} short")),), counts={"quotas": 1})
        for one in preview.quota
    ]  # fmt: skip
    return Section("Quota", tuple(rows), kind="quotas")


# -- the details of each stack


def folds(preview: Preview, *, complete: bool = False) -> Iterator[tuple[StackPreview, Fold]]:
    """A fold for each stack that changes; of many changes that are alike, a comment shows the first ones."""
    for stack in preview.stacks:
        if stack.changes or stack.outputs:
            blocks = list(_blocks(stack, complete=complete))
            blocks += [tuple(output_lines(item, complete=complete)) for item in stack.outputs]
            summary = line(bold(folded(stack.name, 80)), f" {counted(stack.counts()) or 'outputs only'}")
            yield stack, Fold(summary, tuple(blocks))


def _blocks(stack: StackPreview, *, complete: bool) -> Iterator[tuple[str, ...]]:
    def kind(change: ChangePreview) -> object:
        return change.type, change.action, change.note, tuple(item.path for item in change.attributes)

    for group in _group(stack.changes, kind):
        shown = group if complete or len(group) <= _MANY else group[:_ALIKE]
        yield from (tuple(change_lines(change, complete=complete)) for change in shown)
        if len(shown) < len(group):
            yield (f"… and {len(group) - len(shown):,} more {group[0].type} {group[0].action} alike",)
