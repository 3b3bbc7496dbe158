"""What Terraform cannot do and a person would: undeploy models, bring back a deleted pool, keep a secret's value.

At Google over its REST API; in the sandbox (FONDERIE_SANDBOX names its cloud file) in that file.
"""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from fonderie.core.errors import MissingToolError, StepFailedError

_TIMEOUT_S = 60
_UNDEPLOY_S = 1800


class Hands(Protocol):
    """What a person would do between destroy and deploy: undeploy, undelete, move secret values."""

    def undeploy(self, endpoint: str) -> int:
        """Take every model off an endpoint (its resource path); how many there were."""

    def undelete(self, path: str) -> bool:
        """Bring back a soft-deleted federation pool or provider; False when nothing of that path was deleted."""

    def secret_value(self, secret: str) -> bytes | None:
        """The latest value of a secret; None when it has none."""

    def put_secret_value(self, secret: str, value: bytes) -> None:
        """Add a version to a secret."""


def hands_for(environment: Mapping[str, str]) -> Hands:
    """The hands that fit the environment of the commands."""
    sandbox = environment.get("FONDERIE_SANDBOX")
    return SandboxHands(Path(sandbox)) if sandbox else GoogleHands()


@dataclass(frozen=True)
class SandboxHands:
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
        from fonderie.sandbox.cloud.cloud import Cloud, Status

        with Cloud(self.cloud_file) as cloud, cloud.transaction():
            gone = [one for one in cloud.deleted() if one.path == path and one.status is Status.SOFT_DELETED]
            for one in gone:
                cloud.mark(one.type, one.path, Status.LIVE)
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


class GoogleHands:
    """Over Google's REST APIs, with the application-default credentials."""

    def undeploy(self, endpoint: str) -> int:
        """Source: Vertex AI, REST methods `endpoints.get` and `endpoints.undeployModel`."""
        location = re.sub(r"^projects/[^/]+/locations/([^/]+)/.*$", r"\1", endpoint)
        host = f"https://{location}-aiplatform.googleapis.com/v1"
        found = self._ask("GET", f"{host}/{endpoint}", absent={})
        deployed = found.get("deployedModels", [])
        for model in deployed:
            operation = self._ask("POST", f"{host}/{endpoint}:undeployModel", {"deployedModelId": model["id"]})
            self._until_done(host, operation, endpoint)
        return len(deployed)

    def undelete(self, path: str) -> bool:
        """Source: IAM, REST methods `workloadIdentityPools.undelete` and `.providers.undelete`."""
        found = self._ask("GET", f"https://iam.googleapis.com/v1/{path}", absent={})
        if found.get("state") != "DELETED":
            return False
        self._ask("POST", f"https://iam.googleapis.com/v1/{path}:undelete", {})
        return True

    def secret_value(self, secret: str) -> bytes | None:
        """Source: Secret Manager, REST method `versions.access`."""
        found = self._ask("GET", f"https://secretmanager.googleapis.com/v1/{secret}/versions/latest:access", absent={})
        return base64.b64decode(found["payload"]["data"]) if found else None

    def put_secret_value(self, secret: str, value: bytes) -> None:
        """Source: Secret Manager, REST method `secrets.addVersion`."""
        body = {"payload": {"data": base64.b64encode(value).decode()}}
        self._ask("POST", f"https://secretmanager.googleapis.com/v1/{secret}:addVersion", body)

    def _until_done(self, host: str, operation: Mapping[str, Any], what: str) -> None:
        end = time.monotonic() + _UNDEPLOY_S
        while not operation.get("done"):
            if time.monotonic() > end:
                raise StepFailedError(f"undeploying took longer than {_UNDEPLOY_S} s", where=what)
            time.sleep(5)
            operation = self._ask("GET", f"{host}/{operation['name']}")
        if "error" in operation:
            raise StepFailedError(f"undeploying failed: {operation['error'].get('message')}", where=what)

    def _ask(self, verb: str, url: str, body: Any = None, *, absent: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = self._session.request(verb, url, json=body, timeout=_TIMEOUT_S)
        if answer.status_code == 404 and absent is not None:
            return absent
        if answer.status_code >= 400:
            raise StepFailedError(f"Google refused: {answer.text[:300]}", where=url)
        found: dict[str, Any] = answer.json()
        return found

    @cached_property
    def _session(self) -> Any:
        import google.auth
        from google.auth.exceptions import DefaultCredentialsError
        from google.auth.transport.requests import AuthorizedSession

        try:
            credentials, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
        except DefaultCredentialsError as error:
            raise MissingToolError(
                "there are no credentials for Google Cloud",
                hint="run `gcloud auth application-default login`, or recreate in the sandbox with --sandbox",
            ) from error
        return AuthorizedSession(credentials)
