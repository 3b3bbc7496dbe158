"""Google's APIs, which a fresh project has switched off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from imports.google.project_service import ProjectService
from infra.bindings import Construct


class Apis(Construct):
    """Enabled APIs. Destroying the stack leaves them on: to disable one breaks whatever else uses it.

    Source: terraform-provider-google issues 410 and 168.
    """

    def __init__(self, scope: Construct, id: str, *, services: Sequence[str]) -> None:
        super().__init__(scope, id)
        self._enabled = {
            service: ProjectService(
                self, service.removesuffix(".googleapis.com"), service=service, disable_on_destroy=False
            )
            for service in services
        }

    def __call__(self, *services: str) -> list[Any]:
        """What depends on `services` comes after these."""
        return [self._enabled[service] for service in services]

    @property
    def all(self) -> list[Any]:
        """Every one of them."""
        return list(self._enabled.values())
