"""Steps in order with their results, one page, and one demo at a time."""

import io
import re
from pathlib import Path

import pytest
from markupsafe import Markup
from rich.console import Console

from fonderie.core.errors import ConflictError, StepFailedError
from fonderie.core.page import Section
from fonderie.demo.runner import Context, DemoStep, empty_folder, run_steps


def context(folder: Path) -> Context:
    return Context(Console(file=io.StringIO(), width=80), folder, "m", "r")


def test_the_page_has_a_section_a_step_and_a_line_with_its_result_and_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FONDERIE_HOME", str(tmp_path))

    def first(on: Context) -> str:
        on.sections.append(Section("A part", Markup("<p>1</p>")))
        return "12 made"

    def second(on: Context) -> str:
        on.console.print("working")
        return f"{len(on.sections)} sections of its own"

    shared = context(tmp_path)
    steps = [DemoStep("One", "the first", first), DemoStep("Two", "the second", second)]
    text = run_steps(steps, shared).read_text()

    assert text.index("<h2>Steps</h2>") < text.index("<h2>One</h2>") < text.index("<h3>A part</h3>")
    assert text.index("<h3>A part</h3>") < text.index("<h2>Two</h2>")
    assert "12 made" in text
    assert "0 sections of its own" in text
    assert len(re.findall(r"\d+\.\d s", text)) == 2
    assert isinstance(shared.console.file, io.StringIO)
    assert re.search(r"2\. Two: the second.*\nworking\n\d+\.\d s\n$", shared.console.file.getvalue())
    assert "<p>The first.</p>" in text


def test_a_step_that_fails_ends_the_demo_without_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FONDERIE_HOME", str(tmp_path))

    def broken(on: Context) -> str:
        raise StepFailedError("it broke")

    with pytest.raises(StepFailedError):
        run_steps([DemoStep("One", "the first", broken)], context(tmp_path))

    assert not (tmp_path / "reports").exists()


def test_a_second_demo_is_told_and_touches_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "home" / "demo"
    with empty_folder(folder):
        (folder / "kept").touch()
        with pytest.raises(ConflictError, match="another demo"), empty_folder(folder):
            pass
        assert (folder / "kept").exists()

    with empty_folder(folder):
        assert list(folder.iterdir()) == []
