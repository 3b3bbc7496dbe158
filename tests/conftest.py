"""What tests of every folder share."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import pytest

from fonderie.google.schemes import register

Case = TypeVar("Case")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--prove", action="store_true", help="run the tests marked `prove`, and no others, over every case"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With `--prove`, only what is marked `prove`; without it these run as well, over a sample of their cases."""
    cases: Counter[str] = Counter()
    kept, left_out = [], []
    for item in items:
        marker = item.get_closest_marker("prove")
        test = item.nodeid.partition("[")[0]
        every = 1 if marker is None else marker.kwargs.get("every", 1)
        in_sample = every > 0 and cases[test] % every == 0
        cases[test] += 1
        wanted = marker is not None if config.getoption("--prove") else in_sample
        (kept if wanted else left_out).append(item)
    config.hook.pytest_deselected(items=left_out)
    items[:] = kept


@pytest.fixture(scope="session")
def sample(pytestconfig: pytest.Config) -> Callable[[Sequence[Case], int], Sequence[Case]]:
    """`sample(cases, step)`: every `step`-th case, and every one under `make prove`."""
    return lambda cases, step: cases if pytestconfig.getoption("--prove") else cases[::step]


@pytest.fixture
def default_sigint() -> Iterator[None]:
    """SIGINT as a terminal's command gets it: `nohup make test &` ignores it, and every child would inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


register()  # tests are an entry point like any other: they may open locations at Google
