"""Numbers and actions in words; the comment and the page say them alike."""

from __future__ import annotations

from ci.preview.report import AttributeChange, ChangePreview, CostResult, PolicyResult, Preview
from fonderie.terraform.plan import Action

SIGNS = {
    Action.DESTROY: "-",
    Action.REPLACE: "-/+",
    Action.FORGET: "!",
    Action.UPDATE: "!",
    Action.CREATE: "+",
    Action.IMPORT: "+",
    Action.MOVE: "!",
}


def counted(counts: dict[Action, int], separator: str = ", ") -> str:
    """`1 replaced, 3 changed`, worst first."""
    return separator.join(f"{number:,} {action}" for action, number in counts.items())


def dollars(low: float, high: float) -> str:
    """`about +41 to +96 $ a month`."""
    one, other = _amount(low), _amount(high)
    return f"about {one} $ a month" if one == other else f"about {one} to {other} $ a month"


def _amount(value: float) -> str:
    if value == 0:
        return "0"
    return f"{value:+,.0f}" if abs(value) >= 10 else f"{value:+.2f}"


def cost_words(cost: CostResult) -> str:
    """The bill's part of the verdict."""
    if cost.low == cost.high == 0:
        return "cost unchanged" + (" but for what is not priced" if cost.unpriced else "")
    return dollars(cost.low, cost.high)


def policy_words(policy: PolicyResult) -> str:
    """Policy's part of the verdict."""
    parts = []
    if policy.new:
        parts.append(f"{len(policy.new)} new finding{'s' * (len(policy.new) > 1)}")
    if policy.expired:
        parts.append(f"{len(policy.expired)} expired waiver{'s' * (len(policy.expired) > 1)}")
    if not parts:
        return "policy not checked" if policy.unavailable else "policy passed"
    return "policy " + ", ".join(parts)


def verdict(preview: Preview) -> tuple[str, str]:
    """A sign and one line: what happens, policy, cost."""
    if preview.failed:
        return "❌", _line(preview, "could not plan everything")
    if preview.policy.new or preview.policy.expired:
        return "❌", _line(preview)
    if preview.losses or preview.data or _alarms(preview):
        return "⚠️", _line(preview)
    if preview.empty:
        return "✅", _line(preview, "nothing changes", with_cost=False)
    return "✅", _line(preview)


def _alarms(preview: Preview) -> list[str]:
    return [grant.alarm for grant in preview.access if grant.alarm] + [
        row.alarm for row in preview.configuration if row.alarm
    ]


def _line(preview: Preview, first: str = "", *, with_cost: bool = True) -> str:
    parts = [part for part in (first, counted(preview.counts())) if part]
    if preview.data:
        parts.append(f"{len(preview.data):,} data alarm{'s' * (len(preview.data) > 1)}")
    if alarms := sum(bool(grant.alarm) for grant in preview.access):
        parts.append(f"{alarms} access alarm{'s' * (alarms > 1)}")
    if unseen := sum(bool(row.alarm) for row in preview.configuration):
        parts.append(f"{unseen} alarm{'s' * (unseen > 1)} not in the plan")
    models = {change.model for change in preview.models}
    if models:
        parts.append(
            f"{len(models)} model{'s' * (len(models) > 1)} or pipelines changed".replace(
                "1 model or pipelines", "1 model or pipeline"
            )
        )
    if not parts:
        parts.append("outputs only")
    parts.append(policy_words(preview.policy))
    if with_cost and not (preview.failed and not preview.counts()):
        parts.append(cost_words(preview.cost))
    return " · ".join(parts)


def heading(change: ChangePreview) -> str:
    """The first line of a change in the details."""
    note = "; ".join(part for part in (change.why, change.note) if part)
    return f"{change.address}  {change.action}{f' ({note})' if note else ''}"


def attribute_lines(item: AttributeChange) -> list[str]:
    """An attribute in the details: a sign, then what it was and becomes."""
    forces = "   # forces replacement" if item.forces else ""
    if item.lines:
        return [f"!   {item.path}{forces}", *(_text_line(line) for line in item.lines)]
    if item.before is None:
        return [f"+   {item.path}   {item.after}{forces}"]
    if item.after is None:
        return [f"-   {item.path}   {item.before}{forces}"]
    return [f"!   {item.path}   {item.before} → {item.after}{forces}"]


def outside_words(change: ChangePreview) -> str:
    """What somebody did to a resource by hand: `size 10 → 20 and 2 more`, `is gone from the cloud`."""
    told = [f"{item.path} {item.before or 'not set'} → {item.after or 'not set'}" for item in change.attributes]
    more = f" and {len(told) - 3} more" if len(told) > 3 else ""
    why = f" ({change.why})" if change.why else ""
    return change.note or f"{', '.join(told[:3])}{more}{why}"


def _text_line(line: str) -> str:
    """A line of a text's difference; its sign stays in front, so that the block colours it."""
    return f"{line[:1] if line[:1] in '+-' else ' '}       {line[1:]}"


def change_lines(change: ChangePreview) -> list[str]:
    """A change in the details."""
    lines = [f"{SIGNS.get(change.action, ' ')} {heading(change)}"]
    for item in change.attributes:
        lines += attribute_lines(item)
    if change.more_attributes:
        lines.append(f"    … and {change.more_attributes} more attributes")
    if change.known_later:
        lines.append(
            f"    known after apply: {', '.join(change.known_later[:20])}{' …' * (len(change.known_later) > 20)}"
        )
    return lines
