"""Dead links of the documentation: `python -m ci.links` names every relative link or heading that does not exist.

Addresses outside the repository are not followed: a lint must give the same answer offline and tomorrow.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.token import Token

PAGE = re.compile(r"\.md$")


def tracked_pages(root: Path) -> list[Path]:
    """Markdown files git knows of below `root` or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "*.md"], cwd=root, capture_output=True, text=True, check=True
    )
    return [root / line for line in listed.stdout.splitlines() if (root / line).exists()]


def _inline(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _inline(token.children or [])


def links(page: Path) -> list[str]:
    """Targets of the page's links and pictures, as written."""
    wanted = {"link_open": "href", "image": "src"}
    found = _inline(MarkdownIt().enable("table").parse(page.read_text(encoding="utf-8")))
    return [str(token.attrGet(wanted[token.type])) for token in found if token.type in wanted]


def anchors(page: Path) -> set[str]:
    """Heading anchors as GitHub makes them: lower case, punctuation dropped, spaces to hyphens."""
    tokens = MarkdownIt().parse(page.read_text(encoding="utf-8"))
    titles = [tokens[at + 1].content for at, token in enumerate(tokens) if token.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def dead_links(root: Path) -> list[str]:
    """One line a dead link: page, link, what is missing."""
    dead = []
    for page in tracked_pages(root):
        for link in links(page):
            if re.match(r"[a-z]+:", link):
                continue
            path, _, anchor = unquote(link).partition("#")
            target = (page.parent / path).resolve() if path else page
            if not target.exists():
                dead.append(f"{page.relative_to(root)}: {link}: no such file")
            elif anchor and PAGE.search(target.name) and anchor not in anchors(target):
                dead.append(f"{page.relative_to(root)}: {link}: no such heading")
    return dead


def main() -> None:
    """Print dead links and leave with 1 if there are any."""
    dead = dead_links(Path.cwd())
    print("\n".join(dead) if dead else "links: all alive")
    sys.exit(bool(dead))


if __name__ == "__main__":
    main()
