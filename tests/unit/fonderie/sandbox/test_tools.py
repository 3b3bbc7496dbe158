"""Where `gcloud` is sent is where the sandbox answers: the witness is Google's discovery documents."""

from __future__ import annotations

import re

import pytest

from fonderie.sandbox.rest.discovery import service
from fonderie.sandbox.rest.routes import api_of_request
from fonderie.sandbox.tools import GROUPS, SERVICE_PATHS, gcloud_environment

VERSIONS = {"orgpolicy": "v2", "cloudresourcemanager": "v1", "logging": "v2", "monitoring": "v3"}
APIS = sorted({api for group in GROUPS.values() for api in group})


@pytest.mark.parametrize("api", APIS)
def test_an_api_is_answered_at_the_address_that_gcloud_is_given(api: str) -> None:
    known = service(api, VERSIONS.get(api, "v1"))
    address = gcloud_environment("http://127.0.0.1:1", "t")[f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{api.upper()}"]
    assert address == f"http://127.0.0.1:1/{known.prefix}"
    assert SERVICE_PATHS.get(api, "") == known.prefix
    paths = [
        known.prefix + re.sub(r"\{\+?\w+\}", "x", method.get("flatPath", method["path"]))
        for method, *_ in known.methods
    ]
    paths = [path.replace("v1/x/x/services", "v1/projects/x/services") for path in paths]  # of a project, or a folder
    assert any(api_of_request("127.0.0.1:1", path) == (api, VERSIONS.get(api, "v1")) for path in paths)
