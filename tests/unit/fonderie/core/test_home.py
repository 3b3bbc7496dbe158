from __future__ import annotations

from pathlib import Path

import pytest

from fonderie.core.home import home


def test_home_is_in_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FONDERIE_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    assert home() == tmp_path / ".fonderie"


def test_home_is_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FONDERIE_HOME", str(tmp_path / "elsewhere"))
    assert home() == tmp_path / "elsewhere"
