"""Google's service agents, asked for before they are granted anything.

Some exist on demand only, and a grant to an account that does not exist is refused: that is the first thing that breaks
on a fresh project. Terraform's way, `google_project_service_identity`, is in the google-beta provider alone, so the
bootstrap command asks Google itself (docs/decisions/2026-11-22-service-agents.md).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fonderie.core.errors import MissingToolError, StepFailedError
from infra import names
from infra.names import Agent
from infra.settings import Environment

MakeAgents = Callable[[Environment, Sequence[Agent]], None]

USAGE = "https://serviceusage.googleapis.com/v1beta1/projects"
# Two services have a call of their own, which makes the agent when it is asked for.
OWN_CALLS = {
    Agent.STORAGE: "https://storage.googleapis.com/storage/v1/projects/{project}/serviceAccount",
    Agent.BIGQUERY: "https://bigquery.googleapis.com/bigquery/v2/projects/{project}/serviceAccount",
}
TIMEOUT_S = 60


def make_agents(env: Environment, agents: Sequence[Agent]) -> None:
    """Let `agents` exist in the environment's project: at Google's, or in the sandbox if a command runs in one.

    An agent that exists already is left as it is. Raises StepFailedError when Google refuses.
    """
    sandbox = os.environ.get("FONDERIE_SANDBOX")
    if sandbox:
        _in_sandbox(Path(sandbox), env, agents)
    else:
        _at_google(env, agents)


def _in_sandbox(cloud_file: Path, env: Environment, agents: Sequence[Agent]) -> None:
    from fonderie.sandbox.cloud.cloud import Cloud

    with Cloud(cloud_file) as cloud:
        for agent in agents:
            cloud.add_agent(names.agent_email(env, agent))


def _at_google(env: Environment, agents: Sequence[Agent]) -> None:
    """Source: Service Usage, REST method `services.generateServiceIdentity`."""
    session = _session(env)
    for agent in agents:
        if url := OWN_CALLS.get(agent):
            answer = session.get(url.format(project=env.project_id), timeout=TIMEOUT_S)
        else:
            url = f"{USAGE}/{env.project_number}/services/{agent}:generateServiceIdentity"
            answer = session.post(url, timeout=TIMEOUT_S)
        if answer.status_code >= 400:
            reason = answer.json().get("error", {}).get("message", answer.text) if answer.content else ""
            raise StepFailedError(f"Google refused to make the service agent: {reason}", where=agent)


def _session(env: Environment) -> Any:
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError
    from google.auth.transport.requests import AuthorizedSession

    try:
        credentials, _ = google.auth.default(
            scopes=["https://www.googleapis.com/auth/cloud-platform"], quota_project_id=env.project_id
        )
    except DefaultCredentialsError as error:
        raise MissingToolError(
            "there are no credentials for Google Cloud",
            hint="run `gcloud auth application-default login`; or try it offline: "
            f"`fonderie sandbox run -- fonderie bootstrap --env {env.name}`",
        ) from error
    return AuthorizedSession(credentials)
