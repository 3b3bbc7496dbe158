"""The local registry keeps the contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from ml.registry import Registry, open_registry
from tests.contract.registry.contract import RegistryContract


class TestLocalRegistry(RegistryContract):
    @pytest.fixture
    def registry(self, tmp_path: Path) -> Registry:
        return open_registry("air_time", str(tmp_path / "registry"))
