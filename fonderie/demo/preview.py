"""A pull request that changes infrastructure and a model, and the comment that its reviewer reads."""

from __future__ import annotations

import shutil
from pathlib import Path

from markupsafe import Markup
from rich.markdown import Markdown

from ci.preview.build.preview import Request, make
from ci.preview.render.comment import page, render
from ci.preview.report import Preview, Truth
from fonderie.core.errors import BadInputError
from fonderie.core.files import write_text
from fonderie.core.git import git
from fonderie.core.home import home
from fonderie.core.page import Section
from fonderie.demo.cloud import ENVIRONMENT
from fonderie.demo.runner import Context

ROOT = Path(__file__).parents[2]
PACKAGES = ("fonderie", "infra", "ml", "pipelines", "ci")
# One line each: a cluster that would be replaced, a pool that may grow, a gate that asks for more.
CHANGES = (
    (f"infra/environments/{ENVIRONMENT}.toml", "control_plane = ", 'control_plane = "172.16.9.0/28"'),
    (f"infra/environments/{ENVIRONMENT}.toml", "max_nodes = ", "max_nodes = 12"),
    ("ml/models/late_arrival.toml", "min_gain = ", "min_gain = 0.02"),
)


def pull_request(copy: Path) -> Preview:
    """Preview the change in a copy of the repository: its base deployed in a sandbox, the change planned on it."""
    _committed_copy(copy)
    for file, start, line in CHANGES:
        _change(copy / file, start, line)
    return make(Request((ENVIRONMENT,), "HEAD", None, Truth.SANDBOX, root=copy))


def preview_change(context: Context) -> str:
    """Show the change and the comment that its reviewer would read."""
    for file, _, line in CHANGES:
        context.console.print(f"  {file}: {line}")
    with context.console.status("previewing the pull request"):
        preview = pull_request(context.folder / "pull-request")
    path = home() / "reports" / "preview.html"
    write_text(path, page(preview))
    comment = render(preview)
    context.console.print(Markdown(comment.split("<details>")[0]))
    context.console.print(f"the whole comment: {path}", soft_wrap=True)
    shown = Markup('<iframe title="The comment" style="width:100%;height:46rem;border:0" srcdoc="{}"></iframe>')
    context.sections.append(Section("The comment", shown.format(page(preview))))
    return comment.partition("Preview: ")[2].splitlines()[0]


def _committed_copy(folder: Path) -> None:
    """The packages as they are now, as the first commit of a repository of its own."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("cdktf.json", ".gitignore", "pyproject.toml"):
        shutil.copyfile(ROOT / file, folder / file)
    author = ["-c", "user.name=demo", "-c", "user.email=demo@localhost", "-c", "commit.gpgsign=false"]
    for arguments in (["init", "-q", "-b", "main"], ["add", "-A"], [*author, "commit", "-q", "-m", "The base"]):
        git(folder, *arguments)
    (folder / "imports").symlink_to(ROOT / "imports", target_is_directory=True)  # generated: not part of a commit


def _change(file: Path, start: str, line: str) -> None:
    """Replace the last line that begins with `start`."""
    lines = file.read_text(encoding="utf-8").splitlines()
    matches = [number for number, text in enumerate(lines) if text.startswith(start)]
    if not matches:
        raise BadInputError(f"the demo's pull request changes a line `{start}...` that is not there", where=file)
    lines[matches[-1]] = line
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
