"""Triggers need a repository that a person has connected.

Source: Cloud Build's "Connect to a GitHub repository" pages; its error "Repository mapping does not exist".
"""

from __future__ import annotations

from fonderie.sandbox.lifecycle.world import ObjectRequest, block, text
from fonderie.sandbox.rules.rulebook import LifecycleEvent, rule

_SOURCE = "https://cloud.google.com/build/docs/automating-builds/github/connect-repo-github"


def mapping_note(project: str, owner: str, name: str) -> str:
    """The note under which a cloud keeps that a person has connected a repository (first generation)."""
    return f"repository-mapping:{project}/{owner}/{name}"


@rule(LifecycleEvent.CREATE, "google_cloudbuild_trigger", source=_SOURCE)
def a_repository_must_be_connected_by_a_person(request: ObjectRequest) -> None:
    """A trigger on a first-generation GitHub repository is refused until the app is installed on it."""
    github = block(request.state, "github")
    owner, name = text(github, "owner"), text(github, "name")
    if request.fresh and owner and not request.cloud.note(mapping_note(request.project, owner, name)):
        raise request.error(
            400,
            "Repository mapping does not exist. Please visit https://console.cloud.google.com/cloud-build/triggers/connect"
            f"?project={request.number} to connect a repository to your project",
            "failedPrecondition",
        )


@rule(LifecycleEvent.CREATE, "google_cloudbuildv2_repository", source=_SOURCE)
def a_connection_must_be_authorised(request: ObjectRequest) -> None:
    """A repository needs a connection whose app is installed and whose token is stored: a person's work."""
    path = request.path.rsplit("/repositories/", 1)[0]
    connection = request.cloud.live("google_cloudbuildv2_connection", path)
    if not request.fresh or connection is None:
        return
    github = block(connection.attributes, "github_config")
    if github and not (github.get("app_installation_id") and github.get("authorizer_credential")):
        raise request.error(
            400, f"Connection {path} is not authorised: installation state PENDING_INSTALL_APP.", "failedPrecondition"
        )
