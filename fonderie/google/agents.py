"""Google's service agents, asked for before they are granted anything.

Some exist on demand only, and a grant to an account that does not exist is refused: that is the first thing that breaks
on a fresh project. Terraform's way, `google_project_service_identity`, is in the google-beta provider alone, so the
bootstrap command asks Google itself (docs/decisions/2026-11-22-service-agents.md).
"""

from __future__ import annotations

from collections.abc import Sequence

from fonderie.google.client import Access, RestClient

# Two services have a call of their own, which makes the agent when it is asked for.
OWN_CALLS = {
    "storage.googleapis.com": ("storage", "storage/v1/projects/{project}/serviceAccount"),
    "bigquery.googleapis.com": ("bigquery", "bigquery/v2/projects/{project}/serviceAccount"),
}


def make_service_agents(access: Access, project_number: int, services: Sequence[str]) -> None:
    """Let the agents of `services` (NAME.googleapis.com) exist in the project. One that exists is left as it is.

    Source: Service Usage, REST method `services.generateServiceIdentity`. Raises FonderieError when Google refuses.
    """
    google = RestClient(access)
    for service in services:
        if service in OWN_CALLS:
            api, path = OWN_CALLS[service]
            google.get(api, path.format(project=access.project))
        else:
            path = f"v1beta1/projects/{project_number}/services/{service}:generateServiceIdentity"
            google.post("serviceusage", path, idempotent=True)
