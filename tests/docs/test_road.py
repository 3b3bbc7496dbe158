"""`docs/road.md` names tests that exist, ten steps, and every local fixture of the runner."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from tests.road.github_actions import ACTIONS
from tests.road.machine import PUBLISHED, TOOLS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "road.md").read_text()
STEPS = [
    "bootstrap", "preview in CI", "apply in CI", "runtime stack", "delivery stack", "training image",
    "Kubeflow on the cluster", "drift alarm", "image promotion", "nightly drift check",
]  # fmt: skip


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_the_page_has_the_ten_steps() -> None:
    rows = re.findall(r"^\| ([^|]+) \|", section("The ten steps"), re.MULTILINE)
    assert rows[1:] == STEPS


def test_every_test_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert named
    defined = {
        name
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)\(", file.read_text(), re.MULTILINE)
    }
    assert named <= defined


def test_every_fixture_of_the_runner_is_listed() -> None:
    listed = section("Local fixtures")
    hosts = {str(urlsplit(address).hostname) for address in PUBLISHED}
    for name in {*ACTIONS, *TOOLS, *hosts, "curl", "sha256sum --check", "docker", "gcloud"}:
        assert f"`{name}`" in listed
