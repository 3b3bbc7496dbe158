"""The connection to the Git host, the repository, and the triggers that build it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from imports.google.cloudbuild_trigger import (
    CloudbuildTrigger,
    CloudbuildTriggerApprovalConfig,
    CloudbuildTriggerGitFileSource,
    CloudbuildTriggerRepositoryEventConfig,
    CloudbuildTriggerRepositoryEventConfigPullRequest,
    CloudbuildTriggerRepositoryEventConfigPush,
    CloudbuildTriggerSourceToBuild,
)
from imports.google.cloudbuildv2_connection import (
    Cloudbuildv2Connection,
    Cloudbuildv2ConnectionGithubConfig,
    Cloudbuildv2ConnectionGithubConfigAuthorizerCredential,
)
from imports.google.cloudbuildv2_repository import Cloudbuildv2Repository
from infra import names
from infra.bindings import Construct
from infra.settings import Environment

BUILDS = "ci/cloudbuild"


class GitConnection(Construct):
    """Cloud Build's connection to GitHub and the repository behind it.

    A person installs the app and stores its token once (docs/platform.md); until then `git.ci` is none.
    Source: Cloud Build, "Connect to a GitHub repository"; terraform-provider-google issue 7138.
    """

    def __init__(self, scope: Construct, id: str, *, env: Environment) -> None:
        super().__init__(scope, id)
        connection = Cloudbuildv2Connection(
            self,
            "Default",
            name=names.connection(env),
            location=env.region,
            github_config=Cloudbuildv2ConnectionGithubConfig(
                app_installation_id=env.git.app_installation_id,
                authorizer_credential=Cloudbuildv2ConnectionGithubConfigAuthorizerCredential(
                    oauth_token_secret_version=names.secret_version(env, names.SecretName.GIT_TOKEN)
                ),
            ),
        )
        self.repository = Cloudbuildv2Repository(
            self,
            "repository",
            name=names.resource(env, "repository"),
            location=env.region,
            parent_connection=connection.id,
            remote_uri=f"https://github.com/{env.git.repository}.git",
        )


class Trigger(Construct):
    """A build of `ci/cloudbuild/<what>.yaml` as an identity of ours, never as Cloud Build's default account.

    It starts on a pull request (`on_pull_request`), on a push to the protected branch that touches `paths`, or, with
    neither, when it is called.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        env: Environment,
        what: str,
        description: str,
        repository: Any,
        runs_as: names.IdentityName,
        on_pull_request: bool = False,
        on_push: bool = False,
        paths: Sequence[str] = (),
        approval: bool = False,
        substitutions: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(scope, id)
        file = f"{BUILDS}/{what}.yaml"
        started, called = _event(env, repository, file, on_pull_request), _call(env, repository, file)
        self.trigger = CloudbuildTrigger(
            self,
            "Default",
            name=names.resource(env, what),
            location=env.region,
            description=description,
            service_account=names.account_path(env, runs_as),
            included_files=list(paths) or None,
            include_build_logs="INCLUDE_BUILD_LOGS_WITH_STATUS" if on_pull_request else None,
            approval_config=CloudbuildTriggerApprovalConfig(approval_required=True) if approval else None,
            substitutions={"_ENVIRONMENT": env.name, **(substitutions or {})},
            tags=[env.name, what],
            **(started if on_pull_request or on_push else called),
        )


def _event(env: Environment, repository: Any, file: str, on_pull_request: bool) -> dict[str, Any]:
    branch = f"^{env.git.branch}$"
    pull_request = CloudbuildTriggerRepositoryEventConfigPullRequest(
        branch=branch, comment_control="COMMENTS_ENABLED_FOR_EXTERNAL_CONTRIBUTORS_ONLY"
    )
    push = CloudbuildTriggerRepositoryEventConfigPush(branch=branch)
    return {
        "filename": file,
        "repository_event_config": CloudbuildTriggerRepositoryEventConfig(
            repository=repository.id,
            pull_request=pull_request if on_pull_request else None,
            push=None if on_pull_request else push,
        ),
    }


def _call(env: Environment, repository: Any, file: str) -> dict[str, Any]:
    ref = f"refs/heads/{env.git.branch}"
    return {
        "source_to_build": CloudbuildTriggerSourceToBuild(repository=repository.id, ref=ref, repo_type="GITHUB"),
        "git_file_source": CloudbuildTriggerGitFileSource(
            repository=repository.id, path=file, revision=ref, repo_type="GITHUB"
        ),
    }
