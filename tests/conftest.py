"""What tests of every folder share."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from fonderie.google.schemes import register


@pytest.fixture
def default_sigint() -> Iterator[None]:
    """SIGINT as a terminal's command gets it: `nohup make test &` ignores it, and every child would inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


register()  # tests are an entry point like any other: they may open locations at Google
