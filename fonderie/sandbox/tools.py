"""`gcloud` and `docker` in the sandbox: sent to it, or refused where they would reach the real Google.

Neither knows the sandbox. `gcloud` takes another address for each API and a token from its environment; a command of an
API that is not answered here, or whose address it makes itself, does not start. Sources: gcloud's property section
`api_endpoint_overrides`, which names the command group of each API; "gcloud auth": CLOUDSDK_AUTH_ACCESS_TOKEN.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path

# The APIs that a group of commands calls. Not `ai`: its address is made of the region.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "artifacts": ("artifactregistry",),
    "billing": ("cloudbilling",),
    "builds": ("cloudbuild",),
    "compute": ("compute",),
    "container": ("container", "gkehub"),
    "eventarc": ("eventarc",),
    "iam": ("iam", "iamcredentials"),
    "kms": ("cloudkms",),
    "logging": ("logging",),
    "monitoring": ("monitoring",),
    "org-policies": ("orgpolicy",),
    "projects": ("cloudresourcemanager",),
    "pubsub": ("pubsub",),
    "scheduler": ("cloudscheduler",),
    "secrets": ("secretmanager",),
    "services": ("serviceusage",),
    "storage": ("storage",),
    "workflows": ("workflows", "workflowexecutions"),
}
SERVICE_PATHS: Mapping[str, str] = {"compute": "compute/v1/", "storage": "storage/v1/"}
"""`servicePath` of the discovery documents, where there is one: a client's address has it."""

_GCLOUD = """#!/bin/sh
group=
for word in "$@"; do
  case $word in
    -* | alpha | beta) ;;
    *) group=$word; break ;;
  esac
done
case "$group $*" in
{groups} | "auth "*configure-docker* | "auth "*print-access-token* | "config "* | "version "*) exec {binary} "$@" ;;
esac
echo "error: gcloud $*: the sandbox does not answer it, and it would reach the real Google" >&2
exit 7
"""
_DOCKER = """#!/bin/sh
case "$*" in
*pkg.dev* | *gcr.io*)
  case $1 in
    push | pull | login | run | create | manifest)
      echo "error: docker $*: the sandbox runs no containers, and it would reach the real registry" >&2
      exit 7 ;;
  esac ;;
esac
exec {binary} "$@"
"""


def gcloud_environment(address: str, token: str) -> dict[str, str]:
    """What sends `gcloud` to the sandbox at `address`, as the holder of a token."""
    apis = sorted({api for group in GROUPS.values() for api in group})
    overrides = {
        f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{api.upper()}": f"{address}/{SERVICE_PATHS.get(api, '')}" for api in apis
    }
    return {**overrides, "CLOUDSDK_AUTH_ACCESS_TOKEN": token}


def write_tools(folder: Path, path: str) -> None:
    """Put scripts for the `gcloud` and `docker` of a PATH into `folder`, which comes before it."""
    groups = " | ".join(f'"{group} "*' for group in GROUPS)
    for name, text in (("gcloud", _GCLOUD), ("docker", _DOCKER)):
        if binary := shutil.which(name, path=path):
            script = folder / name
            said = shlex.quote(str(Path(binary).absolute()))
            script.write_text(text.replace("{groups}", groups).replace("{binary}", said), encoding="utf-8")
            script.chmod(0o755)
