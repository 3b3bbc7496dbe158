"""Local fixtures of commands from elsewhere: `python foreign_tools.py NOTES docker|gcloud|kustomize ARGUMENTS`.

Each does what our files ask of it against the sandbox, under the caller's own token, notes its arguments in the folder
NOTES, and refuses what it does not know.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from fonderie.google.artifacts import MANIFEST, OciImage, digest

KUBEFLOW = """
apiVersion: v1
kind: Namespace
metadata: { name: kubeflow }
---
apiVersion: v1
kind: ServiceAccount
metadata: { name: pipeline-runner, namespace: kubeflow }
"""
"""In the place of Kubeflow's manifests, which Kustomize fetches from GitHub."""


def google(verb: str, path: str, **content: Any) -> httpx.Response:
    """One request to the sandbox with the caller's token. Exits with Google's words on a refusal but 404."""
    headers = {"Authorization": f"Bearer {os.environ['GOOGLE_OAUTH_ACCESS_TOKEN']}", **content.pop("headers", {})}
    address = f"{os.environ['FONDERIE_GOOGLE_ENDPOINT']}/{path.lstrip('/')}"
    answer = httpx.request(verb, address, headers=headers, timeout=60, **content)
    if not answer.is_success and answer.status_code != 404:
        sys.exit(answer.text)
    return answer


def split(image: str) -> tuple[str, str]:
    """The registry's path of an image, and its tag: HOST/PROJECT/REPOSITORY/IMAGE:TAG."""
    _, _, rest = image.partition("/")
    path, _, tag = rest.rpartition(":")
    return f"v2/{path}", tag


def docker(notes: Path, arguments: Sequence[str]) -> None:
    """Nothing is built: a build notes the image's name, a push wants that note and pushes an image of one file."""
    built = notes / "built"
    match list(arguments):
        case ["build", "--file", file, "--tag", image, "."]:
            if not Path(file).is_file():
                sys.exit(f"docker: no file {file}")
            with built.open("a") as out:
                out.write(f"{image}\n")
        case ["push", image]:
            if image not in (built.read_text().split() if built.is_file() else []):
                sys.exit(f"docker: no image {image}")
            path, tag = split(image)
            pushed = OciImage.of({"name": image})
            for blob in pushed.blobs:
                place = google("POST", f"{path}/blobs/uploads/")
                if place.status_code == 404:
                    sys.exit(place.text)
                google("PUT", place.headers["Location"], params={"digest": digest(blob)}, content=blob)
            google("PUT", f"{path}/manifests/{tag}", content=pushed.manifest, headers={"Content-Type": MANIFEST})
            with (notes / "pushed").open("a") as out:
                out.write(f"{image}\n")
        case ["manifest", "inspect", "--verbose", image]:
            path, tag = split(image)
            answer = google("GET", f"{path}/manifests/{tag}")
            if answer.status_code == 404:
                sys.exit(f"no such manifest: {image}")
            print(json.dumps({"Descriptor": {"digest": digest(answer.content)}}, indent=4))
        case _:
            sys.exit(f"docker: the fixture knows no {' '.join(arguments)}")


def gcloud(_: Path, arguments: Sequence[str]) -> None:
    """The login is the sandbox's token; what is asked of Google is asked of the sandbox."""
    match list(arguments):
        case ["auth", "application-default", "login"] | ["auth", "configure-docker", _, "--quiet"]:
            return
        case ["projects", "describe", project, "--format", "value(projectNumber)"]:
            print(google("GET", f"v1/projects/{project}").json()["projectNumber"])
        case ["secrets", "versions", "add", secret, "--project", project, "--data-file=-"]:
            payload = {"payload": {"data": base64.b64encode(sys.stdin.buffer.read()).decode()}}
            added = google("POST", f"v1/projects/{project}/secrets/{secret}:addVersion", json=payload)
            if added.status_code == 404:
                sys.exit(added.text)
            print(f"Created version [1] of the secret [{secret}].", file=sys.stderr)
        case _:
            sys.exit(f"gcloud: the fixture knows no {' '.join(arguments)}")


def kustomize(_: Path, arguments: Sequence[str]) -> None:
    """Kustomize itself, by `kubectl`; what it would fetch from GitHub is KUBEFLOW."""
    match list(arguments):
        case ["build", folder]:
            given = Path(folder)
        case _:
            sys.exit(f"kustomize: the fixture knows no {' '.join(arguments)}")
    with tempfile.TemporaryDirectory() as scratch:
        copied = Path(scratch) / "kubernetes"
        shutil.copytree(given.parent, copied)
        base = copied / "base" / "kustomization.yaml"
        text, count = re.subn(r"(?:  - https://\S+\n)+", "  - kubeflow.yaml\n", base.read_text())
        if count != 1:
            sys.exit("kustomize: the base fetches something else than Kubeflow's manifests")
        base.write_text(text)
        (base.parent / "kubeflow.yaml").write_text(KUBEFLOW)
        command = ["/usr/bin/kubectl", "kustomize", str(copied / given.name)]
        sys.exit(subprocess.run(command, check=False).returncode)


if __name__ == "__main__":
    folder, tool, *rest = sys.argv[1:]
    with (Path(folder) / tool).open("a") as log:
        log.write(f"{tool} {' '.join(rest)}\n")
    {"docker": docker, "gcloud": gcloud, "kustomize": kustomize}[tool](Path(folder), rest)
