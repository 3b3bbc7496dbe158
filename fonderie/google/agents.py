"""Google's service agents, asked for before they are granted anything.

Some exist on demand only, and a grant to an account that does not exist is refused: that is the first thing that breaks
on a fresh project. Terraform's way, `google_project_service_identity`, is in the google-beta provider alone, so the
bootstrap command asks Google itself (docs/decisions/2026-11-22-service-agents.md). An agent that comes by itself brings
its role; one that was asked for has none until whoever asked grants it.
Source: IAM, "Create and grant roles to service agents".
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_fixed

from fonderie.core.errors import BadInputError, ConflictError, StepFailedError
from fonderie.google.client import Access, RestClient

# Two services have a call of their own, which makes the agent when it is asked for.
OWN_CALLS = {
    "storage.googleapis.com": ("storage", "storage/v1/projects/{project}/serviceAccount"),
    "bigquery.googleapis.com": ("bigquery", "bigquery/v2/projects/{project}/serviceAccount"),
}
_MADE_S, _LOOK_AGAIN_S = 300, 2
_ATTEMPTS, _GAP_S = 12, 10  # a new agent is known everywhere after a minute or two
Pause = Callable[[float], None]


def make_service_agents(
    access: Access, project_number: int, services: Sequence[str], *, pause: Pause = time.sleep
) -> None:
    """Let the agents of `services` (NAME.googleapis.com) exist in the project. One that exists is left as it is.

    Source: Service Usage, REST methods `services.generateServiceIdentity` and `operations.get`. Raises FonderieError
    when Google refuses.
    """
    google = RestClient(access)
    for service in services:
        if service in OWN_CALLS:
            api, path = OWN_CALLS[service]
            google.get(api, path.format(project=access.project))
        else:
            path = f"v1beta1/projects/{project_number}/services/{service}:generateServiceIdentity"
            _finish(google, google.post("serviceusage", path, idempotent=True), service, pause)


def _finish(google: RestClient, operation: dict[str, Any], service: str, pause: Pause) -> None:
    waited_s = 0
    while not operation.get("done"):
        if waited_s >= _MADE_S:
            raise StepFailedError(f"no service agent after {_MADE_S} s", where=service, hint="run it again")
        pause(_LOOK_AGAIN_S)
        waited_s += _LOOK_AGAIN_S
        operation = google.get("serviceusage", f"v1beta1/{operation['name']}")
    if "error" in operation:
        raise StepFailedError(f"Google made no service agent: {operation['error'].get('message')}", where=service)


def grant_roles(access: Access, roles: Mapping[str, str], *, pause: Pause = time.sleep) -> list[str]:
    """Give each member of `roles` (member -> role) its role in the project; who had none.

    The policy is read and written whole, conditions included, with its etag. Source: Resource Manager, REST methods
    `projects.getIamPolicy` and `projects.setIamPolicy`. Raises FonderieError when Google refuses.
    """
    google, project = RestClient(access), f"v3/projects/{access.project}"

    def grant() -> list[str]:
        asked = {"options": {"requestedPolicyVersion": 3}}
        policy = google.post("cloudresourcemanager", f"{project}:getIamPolicy", asked, idempotent=True)
        bindings = policy.get("bindings", [])
        held = {(one["role"], who) for one in bindings if not one.get("condition") for who in one.get("members", [])}
        missing = {member: role for member, role in roles.items() if (role, member) not in held}
        if missing:
            added = [{"role": role, "members": [member]} for member, role in missing.items()]
            changed = {**policy, "bindings": [*bindings, *added], "version": 3}
            google.post("cloudresourcemanager", f"{project}:setIamPolicy", {"policy": changed})
        return list(missing)

    again = retry_if_exception(_passes)
    attempts = Retrying(
        retry=again, wait=wait_fixed(_GAP_S), stop=stop_after_attempt(_ATTEMPTS), sleep=pause, reraise=True
    )
    return attempts(grant)


def _passes(error: BaseException) -> bool:
    """Somebody else wrote the policy meanwhile, or the agent that was just made is not known everywhere."""
    return isinstance(error, ConflictError) or (isinstance(error, BadInputError) and "does not exist" in error.what)
