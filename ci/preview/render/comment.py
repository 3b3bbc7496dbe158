"""A `Preview` as one Markdown comment, in GitHub's and GitLab's dialect, always under 60,000 characters.

What comes first is what is kept: the verdict and every destroy and replacement, then access, models, policy and cost,
then the details a stack. Details are cut first, destroys never.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ci.preview.infrastructure.outside import opens
from ci.preview.masking.printable import folded
from ci.preview.render.destroys import destroys
from ci.preview.render.details import details_of
from ci.preview.render.markdown import bold, code, fence, table, words
from ci.preview.render.wording import counted, dollars, outside_words, verdict
from ci.preview.report import ConfigurationChange, CostLine, Grant, ModelChange, Preview, StackPreview, Truth
from infra.policy.findings import PolicyFinding

LIMIT = 59_500
MARKER = "<!-- fonderie:preview -->"
_KEPT_FOR_MIDDLE = 9_000  # of the room beside the destroys, while these are in their long form
_KEPT_FOR_ALARMS = 4_000
_CUT = "*{} are left out here for length: `fonderie preview --html` has them.*"


def render(preview: Preview, *, limit: int = LIMIT, marker: str = MARKER) -> str:
    """The comment: fewer than `limit` characters, whatever the preview holds."""
    top = _join([marker, _title(preview), *_environments(preview), *_by_others(preview), *_failures(preview)])
    bottom = _join([_unchanged(preview), f"---\n{_footer(preview)}"])
    room = limit - len(top) - len(bottom) - 40
    alarms = sum(len(_grant(grant)) + 1 for grant in preview.access if grant.alarm)
    lost = destroys(preview.losses, room - 400 - min(alarms, _KEPT_FOR_ALARMS), _KEPT_FOR_MIDDLE)
    room -= len(lost) + 2
    middle = []
    for section in (_data, _access, _configuration, _models, _outside, _policy, _cost):
        text = section(preview, room - 200)
        if text:
            middle.append(text)
            room -= len(text) + 2
    folds = details_of(preview, room - 200)
    return _join([top, lost, *middle, folds, bottom]) + "\n"


def _join(parts: Iterable[str]) -> str:
    return "\n\n".join(part for part in parts if part)


def _title(preview: Preview) -> str:
    sign, line = verdict(preview)
    return f"### {sign} Preview: {line}"


def _environments(preview: Preview) -> list[str]:
    parts = [
        f"**{words(folded(name, 60))}** {counted(preview.counts(name), ' · ') or _nothing(preview, name)}"
        for name in preview.environments[:30]
    ]
    truth = {
        Truth.SANDBOX: "Planned in the sandbox: base deployed on an imitation of a project, head planned on it. What "
        "the real state holds beyond base is not in here.",
        Truth.STATE: "Planned against the real state.",
        Truth.RECORDED: "",
    }[preview.source.truth]
    return [" \u2003 ".join(parts), truth]


def _nothing(preview: Preview, environment: str) -> str:
    stacks = [stack for stack in preview.stacks if stack.environment == environment]
    if any(stack.failure for stack in stacks):
        return "not known"
    return "outputs only" if any(stack.outputs for stack in stacks) else "nothing changes"


def _by_others(preview: Preview) -> list[str]:
    """The stacks that a merge does not apply, so that their changes are not in the plan's hash."""
    return [
        f"**{words(folded(stack.name, 60))}** is applied by a person, not by CI: {code(stack.applied_by)}"
        for stack in preview.stacks
        if stack.applied_by and (stack.changes or stack.outputs)
    ][:30]


def _failures(preview: Preview) -> list[str]:
    failed = [
        (f"**{words(stack.name)}** could not be planned", stack.failure) for stack in preview.stacks if stack.failure
    ]
    failed += [("**Not done**", text) for text in preview.failures]
    parts = [f"❌ {title}:\n{fence(text.split(chr(10)), '')}" for title, text in failed[:5]]
    if len(failed) > 5:
        parts.append(f"❌ {len(failed) - 5} more failed: {', '.join(title for title, _ in failed[5:60])}")
    return parts


def _more(lines: int) -> str:
    return f"{lines:,} more"


def fitting(
    title: str,
    lines: list[str],
    room: int,
    build: Callable[[list[str]], str] = "\n".join,
    left: Callable[[int], str] = _more,
) -> str:
    """A section with as many of its lines as fit; it says how many are left out, in `left`'s words."""
    kept = len(lines)
    while kept:
        cut = f"\n\n{_CUT.format(left(len(lines) - kept))}" if kept < len(lines) else ""
        text = f"#### {title}\n{build(lines[:kept])}{cut}"
        if len(text) <= room:
            return text
        kept = min(kept - 1, int(kept * max(0.5, room / len(text))) if room > 0 else 0)
    return f"#### {title}\n{_CUT.format(left(len(lines)))}" if lines and room > 150 else ""


def _data(preview: Preview, room: int) -> str:
    lines = [
        f"- **{words(alarm.environment)}** · {code(alarm.address)} "
        f"{f'{code(alarm.attribute)}: ' if alarm.attribute else ''}⚠️ **{words(alarm.lost)}**"
        for alarm in preview.data
    ]
    return fitting("⚠️ Data lost or unprotected by an update", lines, room)


def _access(preview: Preview, room: int) -> str:
    def left(number: int) -> str:
        alarms = sum(bool(grant.alarm) for grant in preview.access[-number:])
        return f"{number:,} more{f', {alarms:,} of them alarms,' if alarms else ''}"

    return fitting("Access", [_grant(grant) for grant in preview.access], room, left=left)


def _grant(grant: Grant) -> str:
    who = code(grant.subject) if grant.subject else code(grant.address)
    name = grant.resource.removeprefix(grant.kind).strip()
    on = f" on {words(grant.kind)} {code(name)}" if grant.subject else ""
    note = f" ({code(grant.note)})" if grant.note else ""
    alarm = f" ⚠️ **{words(grant.alarm)}**" if grant.alarm else ""
    return f"- **{words(grant.environment)}** · {who} {grant.verb} {bold(grant.role)}{on}{note}{alarm}"


def _configuration(preview: Preview, room: int) -> str:
    return fitting("Not in the plan", [_setting(row) for row in preview.configuration], room)


def _setting(row: ConfigurationChange) -> str:
    sides = " → ".join("not set" if side is None else code(side) for side in (row.before, row.after))
    alarm = f" ⚠️ **{words(row.alarm)}**" if row.alarm else ""
    return f"- **{words(row.stack)}** · {code(row.what)} {sides}{alarm}"


def _models(preview: Preview, room: int) -> str:
    def build(lines: list[str]) -> str:
        return "\n".join([table(("model", "what", "before", "after"), []), *lines])

    return fitting("Models", [_model(change) for change in preview.models], room, build)


def _model(change: ModelChange) -> str:
    where = f" · {words(change.where)}" if change.where else ""
    after = code(change.after)
    return f"| {code(change.model)}{where} | {words(change.what)} | {code(change.before)} | **{after}** |"


def _outside(preview: Preview, room: int) -> str:
    found = [(stack, change) for stack in preview.stacks for change in stack.outside]
    lines = [
        f"- **{words(stack.environment)}** · {code(change.address)} {code(outside_words(change))}"
        for stack, change in sorted(found, key=lambda pair: not opens(pair[1]))
    ]
    return fitting("Changed outside Terraform since the last apply", lines, room)


def _policy(preview: Preview, room: int) -> str:
    policy = preview.policy
    lines = [f"- new: {_finding(finding)}" for finding in policy.new]
    lines += [f"- waiver expired: {_finding(finding)}" for finding in policy.expired]
    known = [f"{policy.old} old" if policy.old else "", f"{policy.mended} mended" if policy.mended else ""]
    if policy.waived:
        known.append(
            f"{policy.waived} waived{f', the first until {policy.waived_until}' if policy.waived_until else ''}"
        )
    summary = " · ".join(part for part in known if part)
    lines += [summary] if summary else []
    lines += [f"Not checked: {code(policy.unavailable)}"] if policy.unavailable else []
    return fitting("Policy", lines, room)


def _finding(finding: PolicyFinding) -> str:
    detail = f" · {words(finding.detail)}" if finding.detail else ""
    return f"**{words(finding.check)}** {words(finding.what)} · {code(f'{finding.stack}/{finding.path}')}{detail}"


def _cost(preview: Preview, room: int) -> str:
    cost = preview.cost
    if not cost.lines and not cost.unpriced:
        return ""
    missing = f"Not priced: {', '.join(code(name) for name in cost.unpriced[:30])}." if cost.unpriced else ""
    lines = [_cost_line(line) for line in cost.lines]
    if not lines:
        return fitting("Cost", [missing], room)
    return fitting("Cost", [*lines[:12], *([missing] if missing else [])], room)


def _cost_line(line: CostLine) -> str:
    amount = dollars(line.low, line.high).removeprefix("about ")
    return f"- **{words(line.environment)}** · {code(line.address)} {amount} ({code(line.why)})"


def _unchanged(preview: Preview) -> str:
    """The stacks with nothing to do, in one line."""
    parts = []
    for environment in preview.environments:
        stacks = [stack for stack in preview.stacks if stack.environment == environment]
        same = [stack for stack in stacks if stack.unchanged]
        if same:
            parts.append(_same(environment, same, len(stacks)))
    return f"Unchanged: {folded(', '.join(parts), 2_000)}." if parts else ""


def _same(environment: str, same: list[StackPreview], total: int) -> str:
    if len(same) == total:
        return f"{words(environment)} (all {total} stacks)" if total > 1 else words(same[0].name)
    return ", ".join(words(stack.name) for stack in same)


def _footer(preview: Preview) -> str:
    source = preview.source
    serials = [str(stack.serial) for stack in preview.stacks if stack.serial is not None]
    against = {
        Truth.STATE: f"planned against real state (serials {', '.join(serials[:30]) or 'unknown'})"
        + (f" by {code(source.identity)}" if source.identity else ""),
        Truth.SANDBOX: "planned in the sandbox",
        Truth.RECORDED: "recorded plans",
    }[source.truth]
    commits = f"head {code(source.head)} on base {code(source.base)}" if source.head else ""
    plans = [f"{words(name)} plan {code(identity)}" for name, identity in source.plans]
    first = source.plans[0] if source.plans else None
    how = ""
    if first and source.truth is Truth.STATE:
        how = f"apply: merge, or {code(f'fonderie apply --env {first[0]} --plan {first[1]}')}"
    parts = [
        commits,
        against,
        *plans,
        *map(words, source.tools),
        how,
        words(preview.cost.source),
        *map(words, source.notes),
    ]
    return f"<sub>{folded(' · '.join(part for part in parts if part), 4_000)}</sub>"
