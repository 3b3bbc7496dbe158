"""The story: steps in order with what came of them, one page, and one demo at a time."""

import io
from concurrent.futures import Future
from pathlib import Path

import pytest
from markupsafe import Markup
from rich.console import Console

from fonderie.core.errors import ConflictError, StepFailedError
from fonderie.core.page import Section
from fonderie.demo.background import Done
from fonderie.demo.runner import Stage, Step, anew, play


def done(result: object, seconds: float) -> Future[Done[object]]:
    future: Future[Done[object]] = Future()
    future.set_result(Done(result, seconds))
    return future


def stage(folder: Path) -> Stage:
    return Stage(Console(file=io.StringIO(), width=80), folder, done("replay", 12.25), done("preview", 3.0), "m", "r")


def test_the_page_has_a_chapter_a_step_and_a_line_of_what_came_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FONDERIE_HOME", str(tmp_path))

    def first(on: Stage) -> str:
        on.sections.append(Section("A part", Markup("<p>1</p>")))
        return "12 made"

    def second(on: Stage) -> str:
        return str(on.waited(on.replayed, "it"))

    text = play([Step("One", "the first", first), Step("Two", "the second", second)], stage(tmp_path)).read_text()

    assert text.index("<h2>Steps</h2>") < text.index("<h2>One</h2>") < text.index("<h3>A part</h3>")
    assert text.index("<h3>A part</h3>") < text.index("<h2>Two</h2>")
    assert "12 made" in text
    assert "after 12.2 s beside the steps before" in text
    assert "<p>The first.</p>" in text


def test_a_step_that_fails_ends_the_story_without_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FONDERIE_HOME", str(tmp_path))

    def broken(on: Stage) -> str:
        raise StepFailedError("it broke")

    with pytest.raises(StepFailedError):
        play([Step("One", "the first", broken)], stage(tmp_path))

    assert not (tmp_path / "reports").exists()


def test_a_second_demo_is_told_and_touches_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "home" / "demo"
    with anew(folder):
        (folder / "kept").touch()
        with pytest.raises(ConflictError, match="another demo"), anew(folder):
            pass
        assert (folder / "kept").exists()

    with anew(folder):
        assert list(folder.iterdir()) == []
