"""Vertex AI Pipelines' part of a run: each task of a job as the job's account, artefacts on /gcs.

Kubeflow's local runner orders the tasks, Kubeflow's executor loads the component from the job's spec. Before each task
the folder holds what the bucket holds, after it the bucket what the task wrote: nothing passes from one task to the
next but through calls of the job's account. `tests/e2e/test_images.py` runs the same commands in their image.

Source: Vertex AI, "Configure a service account with granular permissions" and "Use Cloud Storage FUSE".
"""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
import traceback
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from pipelines.engines.local import local_spec
from tests.road.project import Project, acting


@dataclass
class _Tasks:
    """The tasks of one job."""

    environment: Mapping[str, str]
    mount: Path  # of the bucket of the job's artefacts
    place: Path  # the job's own folder in it
    said: list[str] = field(default_factory=list)

    def run(self, full_command: Sequence[str], env_vars: Mapping[str, str] | None = None) -> int:
        """One task, as Kubeflow's runner starts it: `sh -ec SCRIPT SOURCE ARGUMENTS...`; its exit code."""
        with httpx.Client(base_url=self.environment["FONDERIE_GOOGLE_ENDPOINT"], timeout=60) as google:
            google.headers["Authorization"] = f"Bearer {self.environment['GOOGLE_OAUTH_ACCESS_TOKEN']}"
            before = self._fetch(google)
            out = io.StringIO()
            with acting({**self.environment, **(env_vars or {})}) as patch, contextlib.redirect_stdout(out):
                code = _execute(patch, *full_command[3:])
            self._keep(google, before)
        self.said.append(out.getvalue())
        return code

    def _fetch(self, google: httpx.Client) -> dict[Path, bytes]:
        for path in self._files():
            path.unlink()
        of_the_job = {"prefix": f"{self.place.relative_to(self.mount)}/"}
        listed = google.get(f"/storage/v1/b/{self.mount.name}/o", params=of_the_job).raise_for_status().json()
        for name in (each["name"] for each in listed.get("items", [])):
            address = f"/storage/v1/b/{self.mount.name}/o/{quote(name, safe='')}"
            path = self.mount / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(google.get(address, params={"alt": "media"}).raise_for_status().content)
        return {path: path.read_bytes() for path in self._files()}

    def _keep(self, google: httpx.Client, before: Mapping[Path, bytes]) -> None:
        for path in self._files():
            if (content := path.read_bytes()) != before.get(path):
                given = {"uploadType": "media", "name": str(path.relative_to(self.mount))}
                upload = f"/upload/storage/v1/b/{self.mount.name}/o"
                google.post(upload, params=given, content=content).raise_for_status()

    def _files(self) -> list[Path]:
        return [path for path in self.place.rglob("*") if path.is_file()]


def _execute(patch: pytest.MonkeyPatch, source: str, *arguments: str) -> int:
    """Kubeflow's executor, in this process: libraries are imported once."""
    from kfp.dsl import executor_main

    with tempfile.TemporaryDirectory() as scratch:
        module = Path(scratch) / f"component_{Path(scratch).name}.py"
        module.write_text(source)
        patch.setattr("sys.argv", ["executor", "--component_module_path", str(module), *arguments])
        patch.setattr(executor_main, "_setup_logging", lambda: None)
        try:
            executor_main.executor_main()
        except BaseException:
            print(traceback.format_exc())
            return 1
    return 0


def run_job(project: Project, job: Mapping[str, Any], folder: Path, surroundings: Mapping[str, str]) -> None:
    """Every task of a PipelineJob as it was submitted. Raises AssertionError for one that fails, with its words."""
    from kfp import components, local
    from kfp.local import subprocess_task_handler

    config = job["runtimeConfig"]
    bucket, _, root = config["gcsOutputDirectory"].removeprefix("gs://").partition("/")
    place = folder / bucket / root / job["name"].rpartition("/")[2]
    place.mkdir(parents=True)
    environment = {**surroundings, **project.environment_for(f"serviceAccount:{job['serviceAccount']}")}
    tasks = _Tasks(environment, folder / bucket, place)
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        patch.setattr(subprocess_task_handler, "run_local_subprocess", tasks.run)
        local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(place), raise_on_error=True)
        try:
            text = json.dumps(local_spec(json.loads(json.dumps(job["pipelineSpec"]))))
            components.load_component_from_text(text)(**config.get("parameterValues", {}))
        except RuntimeError as error:
            raise AssertionError(f"{error}\n{''.join(tasks.said)[-6000:]}") from error
