"""A `Preview` as a Markdown comment that fits, as a page with everything, and for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from markupsafe import Markup

from ci.preview.masking.printable import folded
from ci.preview.render.document import (
    Fold,
    Line,
    Row,
    Section,
    bold,
    code,
    html,
    html_fold,
    html_lines,
    html_section,
    line,
    markdown,
    markdown_fence,
    markdown_fold,
    markdown_row,
    markdown_section,
    rich_fold,
    rich_line,
    rich_section,
)
from ci.preview.render.sections import folds, sections
from ci.preview.render.wording import todo, told_counts, verdict
from ci.preview.report import Preview, StackPreview, Truth
from fonderie.core.page import Section as Part
from fonderie.core.page import page as html_page

if TYPE_CHECKING:
    from rich.console import Console

LIMIT = 59_500
MARKER = "<!-- fonderie:preview -->"
_SPARED = 4_000  # of the room, for each section that is still to come
_SMALLEST = 300  # a fold with less room than this is not worth opening
_MOST_KINDS = 20
_SIGNS = {"✅": "✓", "❌": "✗", "⚠️": "⚠"}  # those that every machine has a letter for


# -- the comment


def render(preview: Preview, *, limit: int = LIMIT, marker: str = MARKER) -> str:
    """The comment: fewer than `limit` characters, whatever the preview holds; what matters most is kept."""
    sign, told = verdict(preview)
    head = [marker, f"### {sign} Preview: {told}", *map(markdown, _lead(preview)), *_failures(preview)]
    foot = [markdown(line(_unchanged(preview))), f"---\n<sub>{markdown(_footer(preview))}</sub>"]
    room = limit - sum(len(part) + 2 for part in (*head, *foot))
    left = preview.source.link
    written: list[str] = []
    waiting = [(section, len(markdown_section(section))) for section in sections(preview)]
    for place, (section, size) in enumerate(waiting):
        spared = sum(min(later, _SPARED) + 2 for _, later in waiting[place + 1 :])
        text = _fitting(section, size, room - spared - _SMALLEST, left)
        written += [text] if text else []
        room -= len(text) + 2 if text else 0
    return _joined([*head, *written, *_details(preview, room - _SMALLEST, left), *foot]) + "\n"


def _joined(parts: Iterable[str]) -> str:
    return "\n\n".join(part for part in parts if part)


def _elsewhere(link: str) -> str:
    return f"[the page has them all]({link})" if link else "`fonderie preview --html` has them all"


def _fitting(section: Section, size: int, room: int, link: str) -> str:
    """A section with as many of its rows as fit; what is left out is counted by kind, and the page has it."""
    if size <= room:
        return markdown_section(section)
    rows = sorted(section.rows, key=lambda row: row.rank)
    kept, end = [markdown_row(section, row) for row in rows], ""
    text = markdown_section(section, kept, end)
    while kept and len(text) > room:
        kept = kept[: min(len(kept) - 1, int(len(kept) * max(0.5, room / len(text))) if room > 0 else 0)]
        end = f"*{_left_out(section, rows[len(kept) :])} are left out here for length: {_elsewhere(link)}.*"
        text = markdown_section(section, kept, end)
    return text if len(text) <= max(room, _SMALLEST) else ""


def _left_out(section: Section, rows: list[Row]) -> str:
    """`1,234 more destroyed or replaced (1,200 `google_thing`, 34 stateful)`."""
    total = sum((Counter(row.counts) for row in rows), Counter[str]())
    apart = {name: total.pop(name, 0) for name in ("stateful", "alarms")}
    number = sum(total.values()) + apart["alarms"]
    special = [f"{count:,} of them {name}" for name, count in apart.items() if count]
    kinds = [f"{count:,} `{name}`" for name, count in total.most_common(_MOST_KINDS) if len(total) > 1 or "_" in name]
    detail = ", ".join([*special, *kinds])
    return f"{number:,} more {section.kind}{f' ({detail})' if detail else ''}"


def _details(preview: Preview, room: int, link: str) -> list[str]:
    """A fold a changed stack; the room is shared, and what a stack does not need goes to the next."""
    found = list(folds(preview))
    written: dict[int, str] = {}
    for done, place in enumerate(sorted(range(len(found)), key=lambda place: len(found[place][1].blocks))):
        share = room // (len(found) - done)
        text = _fold(found[place][1], share, link) if share >= _SMALLEST else ""
        if text:
            written[place] = text
            room -= len(text) + 2
    parts = [written[place] for place in sorted(written)]
    if len(written) < len(found):
        parts.append(f"*Details of {len(found) - len(written)} stacks are left out for length: {_elsewhere(link)}.*")
    return parts


def _fold(fold: Fold, room: int, link: str) -> str:
    """As many blocks of a fold as fit; of one that does not, its first line."""
    room -= len(markdown_fold(Fold(fold.summary, ()))) + 160
    lines: list[str] = []
    for place, block in enumerate(fold.blocks):
        kept = block if _size(block) <= room else (f"{folded(block[0], 300)} …",)
        if _size(kept) > room:
            more = f"… and {len(fold.blocks) - place:,} more: {link or '`fonderie preview --html`'} has them all"
            return markdown_fold(Fold(fold.summary, (tuple(lines), (more,)))) if lines else ""
        lines += kept
        room -= _size(kept)
    return markdown_fold(Fold(fold.summary, (tuple(lines),)))


def _size(block: Iterable[str]) -> int:
    return sum(len(text) + 1 for text in block)


# -- the page and the terminal


def page(preview: Preview) -> str:
    """A page with everything: HTML with its style inside, no script, nothing fetched."""
    sign, told = verdict(preview)
    parts = [Part(f"❌ {title}", Markup(html_lines(text.split("\n")))) for title, text in _failed(preview)]
    parts += [Part(section.title, Markup(html_section(section))) for section in sections(preview, complete=True)]
    found = [fold for _, fold in folds(preview, complete=True)]
    details = "\n".join(html_fold(fold, unfolded=len(found) < 8) for fold in found)
    lead = "".join(f"<p>{html(one)}</p>" for one in (*_lead(preview), line(_unchanged(preview))) if one)
    foot = f'<p class="note">{html(_footer(preview))}</p>'
    first = [Part("At a glance", Markup(lead))]
    last = [Part("Details", Markup(details))] if details else []
    return html_page(
        f"{_SIGNS[sign]} Preview: {told}", [*first, *parts, *last, Part("Where this comes from", Markup(foot))]
    )


def show(preview: Preview, console: Console) -> None:
    """Write a preview to a terminal: everything of it."""
    from rich.text import Text

    sign, told = verdict(preview)
    console.print(Text(f"{sign} {told}", "bold"))
    for one in _lead(preview):
        console.print(rich_line(one))
    for title, text in _failed(preview):
        console.print(Text(f"\n❌ {title}", "bold red"), Text(f"\n{text}"))
    for section in sections(preview, complete=True):
        console.print(*rich_section(section), sep="\n")
    for _, fold in folds(preview, complete=True):
        console.print(*rich_fold(fold), sep="\n")
    console.print(rich_line(line("\n", _unchanged(preview))))
    console.print(rich_line(_footer(preview)), style="dim")


# -- what stands above and below the sections


def _lead(preview: Preview) -> list[Line]:
    """What the reviewer has to do, what happens in each environment, and against what it was planned."""
    spans = [
        span
        for name in preview.environments[:30]
        for span in line(
            " \u2003 ",
            bold(folded(name, 60)),
            f" {' · '.join(told_counts(preview, name, ' · ')) or _nothing(preview, name)}",
        )
    ]
    truth = {
        Truth.SANDBOX: "Planned in the sandbox: base deployed on an imitation of a project, head planned on it. What "
        "the real state holds beyond base is not in here.",
        Truth.STATE: "Planned against the real state.",
        Truth.RECORDED: "",
    }[preview.source.truth]
    what = todo(preview)
    by_hand = [
        line(bold(folded(stack.name, 60)), " is applied by a person, not by CI: ", code(stack.applied_by))
        for stack in preview.stacks
        if stack.applied_by and (stack.changes or stack.outputs)
    ]
    found = [line(bold("To do:"), f" {'; '.join(what)}.") if what else (), tuple(spans[1:]), line(truth), *by_hand[:30]]
    return [one for one in found if one]


def _nothing(preview: Preview, environment: str) -> str:
    stacks = [stack for stack in preview.stacks if stack.environment == environment]
    if any(stack.failure for stack in stacks):
        return "not known"
    return "outputs only" if any(stack.outputs for stack in stacks) else "nothing changes"


def _failed(preview: Preview) -> list[tuple[str, str]]:
    """What could not be done, with what was said."""
    failed = [(f"{stack.name} could not be planned", stack.failure) for stack in preview.stacks if stack.failure]
    return [*failed, *(("Not done", text) for text in preview.failures)]


def _failures(preview: Preview) -> list[str]:
    failed = _failed(preview)
    parts = [f"❌ {markdown((bold(title),))}:\n{markdown_fence(text.split(chr(10)), '')}" for title, text in failed[:5]]
    if len(failed) > 5:
        names = ", ".join(folded(title, 60) for title, _ in failed[5:60])
        parts.append(markdown(line(f"❌ {len(failed) - 5} more: {names}")))
    return parts


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
        return f"{environment} (all {total} stacks)" if total > 1 else same[0].name
    return ", ".join(stack.name for stack in same)


def _footer(preview: Preview) -> Line:
    source = preview.source
    serials = [str(stack.serial) for stack in preview.stacks if stack.serial is not None]
    real = line(f"planned against real state (serials {', '.join(serials[:30]) or 'unknown'})",
                *((" by ", code(source.identity)) if source.identity else ()))  # fmt: skip
    against = {Truth.STATE: real, Truth.SANDBOX: line("planned in the sandbox"), Truth.RECORDED: line("recorded plans")}
    parts = [line("head ", code(source.head), " on base ", code(source.base)) if source.head else ()]
    parts += [against[source.truth], *(line(f"{name} plan ", code(identity)) for name, identity in source.plans)]
    parts += [line(tool) for tool in source.tools]
    if source.plans and source.truth is Truth.STATE:
        name, identity = source.plans[0]
        parts.append(line("apply: merge, or ", code(f"fonderie apply --env {name} --plan {identity}")))
    parts += [line(preview.cost.source), *(line(note) for note in source.notes)]
    spans = [span for part in parts if part for span in line(" · ", part)][1:]
    return tuple(spans[:400])
