"""Small synthesised stacks, written by hand: as `cdktf synth` would leave them."""

import json
from pathlib import Path
from typing import Any

PROVIDER = {"google": {"project": "demo-proj", "region": "us-central1"}}
Resources = dict[str, dict[str, Any]]


def write_stacks(outdir: Path, stacks: dict[str, tuple[list[str], Resources]]) -> Path:
    """`stacks` is name -> (names of the stacks before it, resources)."""
    listed = {}
    for name, (after, resources) in stacks.items():
        folder = outdir / "stacks" / name
        folder.mkdir(parents=True, exist_ok=True)
        backend = {"local": {"path": str(outdir / "state" / f"{name}.tfstate")}}
        written = {"terraform": {"backend": backend}, "provider": PROVIDER, "resource": resources}
        (folder / "cdk.tf.json").write_text(json.dumps(written))
        listed[name] = {"name": name, "workingDirectory": f"stacks/{name}", "dependencies": after}
    (outdir / "manifest.json").write_text(json.dumps({"version": "0.21.0", "stacks": listed}))
    return outdir


def apis(*services: str) -> dict[str, Any]:
    return {name: {"service": f"{name}.googleapis.com", "disable_on_destroy": False} for name in services}
