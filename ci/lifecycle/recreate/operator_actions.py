"""What Terraform cannot do and a person would: undeploy models, bring back a deleted pool, keep a secret's value.

At Google (`fonderie.google.operator`); in the sandbox (FONDERIE_SANDBOX names its cloud file) in that file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fonderie.google import Access


class OperatorActions(Protocol):
    """What a person would do between destroy and deploy: undeploy, undelete, move secret values."""

    def undeploy(self, endpoint: str) -> int:
        """Take every model off an endpoint (its resource path); how many there were."""

    def undelete(self, path: str) -> bool:
        """Bring back a soft-deleted federation pool or provider; False when nothing of that path was deleted."""

    def secret_value(self, secret: str) -> bytes | None:
        """The latest value of a secret; None when it has none."""

    def put_secret_value(self, secret: str, value: bytes) -> None:
        """Add a version to a secret."""


def operator_actions_for(environment: Mapping[str, str], project: str) -> OperatorActions:
    """Those that fit the environment of the commands, in `project`."""
    if sandbox := environment.get("FONDERIE_SANDBOX"):
        return SandboxOperator(Path(sandbox))
    from fonderie.google.operator import GoogleOperator

    return GoogleOperator(Access.from_environment(project))


@dataclass(frozen=True)
class SandboxOperator:
    """The same in the sandbox's cloud file."""

    cloud_file: Path

    def undeploy(self, endpoint: str) -> int:
        """Take every model off an endpoint."""
        from fonderie.sandbox.cloud.cloud import Cloud

        with Cloud(self.cloud_file) as cloud, cloud.transaction():
            found = cloud.live("google_vertex_ai_endpoint", endpoint)
            if found is None:
                return 0
            cloud.change(found.type, found.path, {**found.attributes, "deployed_models": []})
            return len(found.attributes.get("deployed_models") or [])

    def undelete(self, path: str) -> bool:
        """Undelete the object at `path`; False when it was not soft-deleted."""
        from fonderie.sandbox.cloud.cloud import Cloud, ObjectStatus

        with Cloud(self.cloud_file) as cloud, cloud.transaction():
            gone = [one for one in cloud.deleted() if one.path == path and one.status is ObjectStatus.SOFT_DELETED]
            for one in gone:
                cloud.mark(one.type, one.path, ObjectStatus.LIVE)
            return bool(gone)

    def secret_value(self, secret: str) -> bytes | None:
        """The latest value of a secret."""
        from fonderie.sandbox.cloud.cloud import Cloud

        with Cloud(self.cloud_file) as cloud:
            versions = cloud.things("google_secret_manager_secret_version", under=secret)
            return str(versions[-1].attributes.get("secret_data") or "").encode() if versions else None

    def put_secret_value(self, secret: str, value: bytes) -> None:
        """Add a version to a secret."""
        from fonderie.sandbox.cloud.cloud import Cloud
        from fonderie.sandbox.cloud.out_of_band import add_secret_version

        with Cloud(self.cloud_file) as cloud:
            add_secret_version(cloud, secret, value.decode())
