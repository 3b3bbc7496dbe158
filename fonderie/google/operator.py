"""What Terraform cannot do and a person would, over Google's REST APIs."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from fonderie.core.errors import StepFailedError
from fonderie.google.answers import NotFoundError
from fonderie.google.client import Access, RestClient

_UNDEPLOY_S = 1800
_LOOK_AGAIN_S = 5


def with_token(access: Access, token: str) -> RestClient:
    """A client that calls with an access token, of an account that the caller may impersonate for example."""
    from google.oauth2.credentials import Credentials

    return RestClient(replace(access, credentials=Credentials(token)))


@dataclass(frozen=True)
class GoogleOperator:
    """Undeploys models, brings back a deleted pool, keeps a secret's value. Paths are resource paths."""

    access: Access
    pause: Callable[[float], None] = time.sleep

    def undeploy(self, endpoint: str) -> int:
        """Take every model off an endpoint; how many there were, 0 for an endpoint that is not there.

        Source: Vertex AI, REST methods `endpoints.get` and `endpoints.undeployModel`.
        """
        api = f"{endpoint.split('/')[3]}-aiplatform"
        deployed = (self._at(api, f"v1/{endpoint}") or {}).get("deployedModels", [])
        for model in deployed:
            operation = self._rest.post(api, f"v1/{endpoint}:undeployModel", {"deployedModelId": model["id"]})
            self._finish(api, operation, endpoint)
        return len(deployed)

    def undelete(self, path: str) -> bool:
        """Bring back a soft-deleted federation pool or provider; False when nothing of that path was deleted.

        Source: IAM, REST methods `workloadIdentityPools.undelete` and `.providers.undelete`.
        """
        if (self._at("iam", f"v1/{path}") or {}).get("state") != "DELETED":
            return False
        self._rest.post("iam", f"v1/{path}:undelete", {})
        return True

    def secret_value(self, secret: str) -> bytes | None:
        """The latest value of a secret; None when it has none. Source: Secret Manager, REST `versions.access`."""
        version = self._at("secretmanager", f"v1/{secret}/versions/latest:access")
        return base64.b64decode(version["payload"]["data"]) if version else None

    def put_secret_value(self, secret: str, value: bytes) -> None:
        """Add a version to a secret. Source: Secret Manager, REST method `secrets.addVersion`."""
        body = {"payload": {"data": base64.b64encode(value).decode()}}
        self._rest.post("secretmanager", f"v1/{secret}:addVersion", body)

    @cached_property
    def _rest(self) -> RestClient:
        return RestClient(self.access)

    def _at(self, api: str, path: str) -> dict[str, Any] | None:
        try:
            return self._rest.get(api, path)
        except NotFoundError:
            return None

    def _finish(self, api: str, operation: dict[str, Any], endpoint: str) -> None:
        end = time.monotonic() + _UNDEPLOY_S
        while not operation.get("done"):
            if time.monotonic() > end:
                raise StepFailedError(f"undeploying took longer than {_UNDEPLOY_S} s", where=endpoint)
            self.pause(_LOOK_AGAIN_S)
            operation = self._rest.get(api, f"v1/{operation['name']}")
        if "error" in operation:
            raise StepFailedError(f"undeploying failed: {operation['error'].get('message')}", where=endpoint)
