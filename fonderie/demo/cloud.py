"""The demo's own cloud: a stand-in with its cloud file, stacks and Terraform state in the demo's folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fonderie.sandbox.cloud.buckets import Buckets
from fonderie.sandbox.runner import Options, StandIn, stand_in
from infra import names
from infra.settings import Environment, load_environment

ENVIRONMENT = "local"


@dataclass(frozen=True)
class DemoCloud:
    """Where things are; all of it is gone when the demo starts anew."""

    folder: Path

    @property
    def cloud_file(self) -> Path:
        """The sandbox cloud file of the demo."""
        return self.folder / "cloud" / "google.sqlite"

    @property
    def stacks(self) -> Path:
        """The synthesised stacks; their state is in `.fonderie/state` beside them."""
        return self.folder / "cdktf.out"

    @property
    def environment(self) -> Environment:
        """Settings of the environment that the demo deploys."""
        return load_environment(ENVIRONMENT)

    @property
    def models_bucket(self) -> Path:
        """The folder that the models bucket is, once Terraform has made it."""
        return Buckets(self.cloud_file).path(names.bucket(self.environment, names.BucketName.MODELS))

    @contextmanager
    def up(self) -> Iterator[StandIn]:
        """The stand-in, while the block runs."""
        self.cloud_file.parent.mkdir(parents=True, exist_ok=True)
        with stand_in(Options(self.cloud_file)) as running:
            yield running

    def resources(self) -> dict[str, int]:
        """Resources by stack, counted in Terraform's own state."""
        counts = {}
        for file in sorted((self.folder / ".fonderie" / "state").glob("*.tfstate")):
            state = json.loads(file.read_text(encoding="utf-8"))
            managed = [resource for resource in state.get("resources", []) if resource["mode"] == "managed"]
            counts[file.stem] = sum(len(resource["instances"]) for resource in managed)
        return counts
