"""The preview: rendering 2,000 changes, and an environment against base in the sandbox, beside `cdktf diff`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ci.preview.assemble import Material, assemble
from ci.preview.build.preview import Request, make
from ci.preview.build.revisions import ROOT
from ci.preview.render.comment import render
from ci.preview.report import Truth
from fonderie.sandbox.runner import Options, stand_in
from fonderie.terraform.plan import read_plan
from tests.benchmarks.rows import Row, seconds

ENVIRONMENT = "dev"


def measure() -> Iterator[Row]:
    """Seconds, on an otherwise idle machine."""
    plan = _large_plan(2_000)
    comment = ""

    def rendered() -> None:
        nonlocal comment
        comment = render(assemble(Material((read_plan(plan, environment="prod", stack="prod-data"),))))

    took = seconds(rendered)
    listed = sum(f"google_storage_bucket.bucket_{index:04}" in comment for index in range(0, 2_000, 2))
    yield Row("render 2,000 changes, 1,000 of them destroys", took, "s", "<= 1 s", took <= 1)
    yield Row("characters of that comment", len(comment), "", "<= 60,000", len(comment) < 60_000)
    yield Row("destroys listed by address, of 1,000", listed, "", "1,000", listed == 1_000)
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["FONDERIE_HOME"] = f"{scratch}/home"
        try:
            yield from _previews(Path(scratch))
        finally:
            del os.environ["FONDERIE_HOME"]


def _previews(scratch: Path) -> Iterator[Row]:
    copy = _changed_copy(scratch / "copy")

    def preview() -> None:
        made = make(Request((ENVIRONMENT,), "HEAD", None, Truth.SANDBOX, root=copy))
        assert not made.failed
        assert not made.empty

    preview()  # compiled pipelines and policy of base are kept from a first run, as on any machine in use
    shutil.rmtree(scratch / "home" / "cache" / "preview" / "deployed")
    uncached = seconds(preview, runs=1)
    cached = seconds(preview, runs=3)
    one_by_one = _cdktf_diff(scratch, copy)
    name = f"preview of {ENVIRONMENT}, 5 stacks"
    yield Row(f"{name}, base deployed before", cached, "s", "<= 6 s", cached <= 6)
    yield Row(f"{name}, base to deploy", uncached, "s", "<= 12 s", uncached <= 12)
    yield Row(
        f"{name}, against cdktf diff",
        cached,
        "s",
        "3 times faster",
        cached * 3 <= one_by_one,
        one_by_one,
        "cdktf diff, one by one",
    )


def _large_plan(number: int) -> str:
    values = {
        "name": "b",
        "location": "EU",
        "labels": {str(index): "x" * 20 for index in range(10)},
        "force_destroy": False,
    }
    changes = [
        {
            "address": f"google_storage_bucket.bucket_{index:04}",
            "type": "google_storage_bucket",
            "change": {
                "actions": ["update"] if index % 2 else ["delete"],
                "before": values,
                "after": {**values, "labels": {"a": "b"}} if index % 2 else None,
            },
        }
        for index in range(number)
    ]
    return json.dumps({"format_version": "1.2", "resource_changes": changes})


def _changed_copy(folder: Path) -> Path:
    """The committed repository in a folder of its own, with a changed setting in the working copy."""
    subprocess.run(["git", "clone", "-q", "--local", str(ROOT), str(folder)], check=True)
    (folder / "imports").symlink_to(ROOT / "imports", target_is_directory=True)
    settings = folder / "infra" / "environments" / f"{ENVIRONMENT}.toml"
    lines = settings.read_text(encoding="utf-8").replace("max_nodes = 8", "max_nodes = 9")
    settings.write_text(lines, encoding="utf-8")
    return folder


def _cdktf_diff(scratch: Path, copy: Path) -> float:
    """`cdktf diff` of the same five stacks of head, one by one, over the same deployed base."""
    kept = next((scratch / "home" / "cache" / "preview" / "deployed").iterdir())
    shutil.copytree(kept / ".fonderie", copy / ".fonderie", dirs_exist_ok=True)
    cloud = shutil.copy(kept / "cloud.sqlite", scratch / "cloud.sqlite")
    stacks = [f"{ENVIRONMENT}-{name}" for name in ("bootstrap", "foundation", "data", "runtime", "delivery")]
    with stand_in(Options(cloud=Path(cloud), established=True)) as up:
        variables = {
            **up.environment,
            "FONDERIE_ENV": ENVIRONMENT,
            "CI": "1",
            "FORCE_COLOR": "0",
            "PYTHONPATH": str(copy),
        }

        def diff() -> None:
            for stack in stacks:
                command = [ROOT / "node_modules/.bin/cdktf", "diff", stack, "--skip-provider-lock"]
                done = subprocess.run(command, cwd=copy, env=variables, capture_output=True, text=True, check=False)
                assert done.returncode == 0, done.stdout + done.stderr

        return seconds(diff, runs=1)
