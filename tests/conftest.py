"""What tests of every folder share."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest


@pytest.fixture
def default_sigint() -> Iterator[None]:
    """SIGINT as a terminal's command gets it: `nohup make test &` ignores it, and every child would inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
