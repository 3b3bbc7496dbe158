"""Mistakes of the Markdown pages: `python -m ci.markdown_lint` names page, line and what is wrong.

It reads a page as GitHub does: a row that no table takes, a row with more or fewer cells than its header, a heading
that skips a level, a relative link or an anchor that does not exist. Addresses outside the repository are not
followed: a lint must give the same answer offline and tomorrow.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROW = re.compile(r"[\s>*+-]*\|.*\|")
INDENT = re.compile(r"^[\s>*+-]*\|?")  # of a row in a quotation or a list, and its first border
BORDER = re.compile(r"(?<!\\)\|")  # GitHub splits at a pipe inside a code span as well, unless it is escaped


def tracked_pages(root: Path) -> list[Path]:
    """Markdown files git knows of below `root` or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "*.md"], cwd=root, capture_output=True, text=True, check=True
    )
    return [root / line for line in listed.stdout.splitlines() if (root / line).exists()]


def parse(page: Path) -> list[Token]:
    """The page's blocks, tables among them."""
    return MarkdownIt().enable("table").parse(page.read_text(encoding="utf-8"))


def anchors(tokens: list[Token]) -> set[str]:
    """Heading anchors as GitHub makes them: lower case, no punctuation, hyphens for spaces, a number when repeated."""
    seen: Counter[str] = Counter()
    names = set()
    for heading, title in pairwise(tokens):
        if heading.type == "heading_open":
            text = "".join(child.content for child in title.children or [] if child.type in {"text", "code_inline"})
            name = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
            names.add(f"{name}-{seen[name]}" if seen[name] else name)
            seen[name] += 1
    return names


def table_mistakes(tokens: list[Token], lines: list[str]) -> Iterator[tuple[int, str]]:
    """(line, message) of every row outside a table and every row of another width than its table's header."""
    width = 0
    for token in tokens:
        start, end = token.map or (0, 0)
        if token.type == "tr_open":
            row = INDENT.sub("", lines[start].rstrip())
            cells = len(BORDER.split(row)) - row.endswith("|")
            width = width or cells
            if cells != width:
                yield start + 1, f"row of {cells}, header of {width} cells"
        elif token.type == "table_close":
            width = 0
        elif token.type == "paragraph_open":
            yield from ((line + 1, "a row outside a table") for line in range(start, end) if ROW.match(lines[line]))


def heading_mistakes(tokens: list[Token]) -> Iterator[tuple[int, str]]:
    """(line, message) of every heading more than one level below the one before it. The first may have any."""
    before = 6
    for token in tokens:
        if token.type == "heading_open":
            level = int(token.tag[1])
            if level > before + 1:
                yield (token.map or [0])[0] + 1, f"heading of level {level} after level {before}"
            before = level


def link_mistakes(page: Path, tokens: list[Token], root: Path) -> Iterator[tuple[int, str]]:
    """(line, message) of every relative link or picture without its file, and every anchor without its heading."""
    targets = {"link_open": "href", "image": "src"}
    for token in tokens:
        for child in token.children or []:
            link = str(child.attrGet(targets[child.type])) if child.type in targets else ""
            if not link or re.match(r"[a-z]+:", link):
                continue
            path, _, anchor = unquote(link).partition("#")
            target = (page.parent / path).resolve() if path else page
            if not target.exists() or not target.is_relative_to(root.resolve()):
                yield (token.map or [0])[0] + 1, f"{link}: no such file"
            elif anchor and target.suffix == ".md" and anchor not in anchors(parse(target)):
                yield (token.map or [0])[0] + 1, f"{link}: no such heading"


def mistakes(root: Path) -> list[str]:
    """One line a mistake of the pages below `root`: page, line, what is wrong."""
    messages = []
    for page in tracked_pages(root):
        tokens, lines = parse(page), page.read_text(encoding="utf-8").splitlines()
        seen = [*table_mistakes(tokens, lines), *heading_mistakes(tokens), *link_mistakes(page, tokens, root)]
        messages += [f"{page.relative_to(root)}:{line}: {message}" for line, message in sorted(seen)]
    return messages


def main() -> None:
    """Print the mistakes and exit with 1 if there are any."""
    messages = mistakes(Path.cwd())
    print("\n".join(messages) if messages else "markdown: no mistakes")
    sys.exit(bool(messages))


if __name__ == "__main__":
    main()
