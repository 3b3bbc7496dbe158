"""Numbers and actions in words; the comment and the page say them alike."""

from __future__ import annotations

from ci.preview.masking.printable import apart, folded
from ci.preview.report import AttributeChange, ChangePreview, CostResult, CostTotal, PolicyResult, Preview
from fonderie.terraform.plan import Action

_MOST_ATTRIBUTES = 60  # of one resource, in a comment
_MOST_LINES = 24  # of the difference of two texts
_MOST_LATER = 20
_MOST_TOLD = 3
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
    return dollars(cost.low, cost.high) + _share(cost)


def _share(cost: CostResult) -> str:
    """` (+8 %)`, of the most that all of it may come to."""
    before, after = (sum(side[1] for side in sides) for sides in
                     ((total.before for total in cost.totals), (total.after for total in cost.totals)))  # fmt: skip
    return f" ({(after - before) / before:+.0%})" if before else ""


def total_words(total: CostTotal) -> str:
    """`1,204 to 1,300 $ a month before, 1,245 to 1,396 after (+7 %)`: the per cent of the most."""
    before, after = (_span(side) for side in (total.before, total.after))
    share = f" ({(total.after[1] - total.before[1]) / total.before[1]:+.0%})" if total.before[1] else ""
    return f"{before} $ a month before, {after} after{share}, of what has a price"


def _span(side: tuple[float, float]) -> str:
    low, high = (f"{value:,.0f}" for value in side)
    return low if low == high else f"{low} to {high}"


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


def plural(word: str, number: int) -> str:
    """`key`, `keys`; `registry`, `registries`."""
    if number == 1 or not word:
        return word
    return f"{word[:-1]}ies" if word.endswith("y") and word[-2:-1] not in "aeou" else f"{word}s"


def number_of(number: int, word: str) -> str:
    """`1 alarm`, `1,200 alarms`."""
    return f"{number:,} {plural(word, number)}"


def verdict(preview: Preview) -> tuple[str, str]:
    """A sign and one line: what a reviewer has to know first, what happens, policy, cost."""
    if preview.failed:
        return "❌", _line(preview, "could not plan everything")
    if any(loss.refused for loss in preview.lost):
        return "❌", _line(preview, "this apply will fail")
    if preview.policy.new or preview.policy.expired or preview.policy.broken:
        return "❌", _line(preview)
    if preview.cost.over or preview.quota:
        return "❌", _line(preview)
    if preview.lost or preview.alarms:
        return "⚠️", _line(preview)
    if preview.empty:
        return "✅", _line(preview, "nothing changes", with_cost=False)
    return "✅", _line(preview)


def todo(preview: Preview) -> list[str]:
    """What a reviewer has to do before the merge, and after it; nothing when it is an ordinary review."""
    lost = [loss for loss in preview.lost if loss.stateful]
    wanted = [
        (preview.failed, "make every stack plan"),
        (any(loss.refused for loss in preview.lost), "lift the protection in a change of its own, applied before this"),
        (bool(preview.policy.new or preview.policy.expired), "mend the policy findings, or waive them with a reason"),
        (preview.policy.broken, "make the policy scan run"),
        (bool(preview.policy.changed or preview.policy.waivers), "agree to the changed checks and new waivers"),
        (bool(lost), f"agree that {number_of(len(lost), 'stateful thing')} may be lost"),
        (bool(preview.data), "agree to each alarm about data"),
        (any(grant.alarm for grant in preview.access), "agree to each alarm about access"),
        (any(row.alarm for row in preview.configuration), "agree to each alarm that is not in the plan"),
        (preview.cost.over, "raise the budget, or spend less"),
        (bool(preview.quota), "ask Google for more quota, or need less"),
        (any(change.alarm for change in preview.models), "agree that a gate or a limit is looser"),
    ]
    return [words for needed, words in wanted if needed]


def _line(preview: Preview, first: str = "", *, with_cost: bool = True) -> str:
    parts = [first, *told_counts(preview)]
    grants = sum(bool(grant.alarm) for grant in preview.access)
    unseen = sum(bool(row.alarm) for row in preview.configuration)
    looser = sum(bool(change.alarm) for change in preview.models)
    alarms = ((len(preview.data), "data alarm"), (grants, "access alarm"), (looser, "looser limit"))
    parts += [number_of(number, word) for number, word in alarms if number]
    parts += [f"{number_of(unseen, 'alarm')} not in the plan"] if unseen else []
    parts += ["beyond the budget"] if preview.cost.over else []
    parts += [f"{number_of(len(preview.quota), 'quota')} too low"] if preview.quota else []
    if models := len({change.model for change in preview.models}):
        parts.append(f"{models} model{'s' * (models > 1)} or pipeline{'s' * (models > 1)} changed")
    if not any(parts):
        parts.append("nothing changes" if preview.empty else "outputs only")
    parts.append(policy_words(preview.policy))
    if with_cost and not (preview.failed and not preview.counts()):
        parts.append(cost_words(preview.cost))
    return " · ".join(part for part in parts if part)


def told_counts(preview: Preview, environment: str | None = None, separator: str = ", ") -> list[str]:
    """What happens to how many; a new version of something is not told as a loss."""
    renewed = [loss.action for loss in preview.losses if loss.renewed and environment in (None, loss.environment)]
    left = {action: number - renewed.count(action) for action, number in preview.counts(environment).items()}
    told = counted({action: number for action, number in left.items() if number}, separator)
    return [part for part in (told, number_of(len(renewed), "new version") if renewed else "") if part]


def heading(change: ChangePreview) -> str:
    """The first line of a change in the details."""
    note = "; ".join(part for part in (change.why, change.note) if part)
    return f"{change.address}  {change.action}{f' ({note})' if note else ''}"


def attribute_lines(item: AttributeChange, *, complete: bool) -> list[str]:
    """An attribute in the details: a sign, then what it was and becomes; folded when long, unless `complete`."""
    forces = "   # forces replacement" if item.forces else ""
    if item.lines:
        shown = item.lines if complete else item.lines[:_MOST_LINES]
        lines = [_text_line(text if complete else folded(text)) for text in shown]
        return [f"!   {item.path}{forces}", *lines, *(["        …"] if len(shown) < len(item.lines) else [])]
    before, after = item.before, item.after
    if not complete:
        before, after = (folded(side) if side is not None else None for side in (before, after))
        if item.before is not None and item.after is not None:
            before, after = apart(item.before, item.after)
    if before is None:
        return [f"+   {item.path}   {after}{forces}"]
    if after is None:
        return [f"-   {item.path}   {before}{forces}"]
    return [f"!   {item.path}   {before} → {after}{forces}"]


def output_lines(item: AttributeChange, *, complete: bool) -> list[str]:
    """An output in the details."""
    first, *others = attribute_lines(item, complete=complete)
    return [f"{first[0]} output {first[1:].strip()}", *others]


def outside_words(change: ChangePreview) -> str:
    """What somebody did to a resource by hand: `size 10 → 20 and 2 more`, `is gone from the cloud`."""
    told = []
    for item in change.attributes[:_MOST_TOLD]:
        before, after = apart(item.before or "not set", item.after or "not set")
        told.append(f"{item.path} {before} → {after}")
    left = len(change.attributes) - len(told)
    more = f" and {left} more" if left > 0 else ""
    return change.note or f"{', '.join(told)}{more}"


def _text_line(line: str) -> str:
    """A line of a text's difference; its sign stays in front, so that the block colours it."""
    return f"{line[:1] if line[:1] in '+-' else ' '}       {line[1:]}"


def change_lines(change: ChangePreview, *, complete: bool = True) -> list[str]:
    """A change in the details: everything of it, or what a comment has room for."""
    most = len(change.attributes) if complete else _MOST_ATTRIBUTES
    lines = [f"{SIGNS.get(change.action, ' ')} {heading(change)}"]
    for item in change.attributes[:most]:
        lines += attribute_lines(item, complete=complete)
    if len(change.attributes) > most:
        lines.append(f"    … and {len(change.attributes) - most} more attributes")
    if change.known_later:
        later = change.known_later if complete else change.known_later[:_MOST_LATER]
        lines.append(f"    known after apply: {', '.join(later)}{' …' * (len(later) < len(change.known_later))}")
    return lines
