"""Builds and what keeps the cluster: from our repository, its protected branch, as who they should be."""

from __future__ import annotations

from collections.abc import Iterator

from infra import names
from infra.policy.checks.subject import Look, at

SYNC = "fleet_default_member_config.configmanagement.config_sync"


def triggers(look: Look) -> Iterator[str]:
    """A pull request's code runs as who only reads, and only after a look; the rest comes from the protected branch."""
    if look.type != "google_cloudbuild_trigger":
        return
    branch = look.env.git.branch
    plan = names.email(look.env, names.Identity.PLAN)
    if at(look.values, "repository_event_config.pull_request"):
        if not look.text("service_account").endswith(f"/{plan}"):
            yield f"a pull request runs as {look.text('service_account') or 'a default account'}"
        comment = at(look.values, "repository_event_config.pull_request.comment_control")
        if not set(comment) & {"COMMENTS_ENABLED", "COMMENTS_ENABLED_FOR_EXTERNAL_CONTRIBUTORS_ONLY"}:
            yield "a stranger's pull request runs before anyone has reviewed it"
    for push in at(look.values, "repository_event_config.push"):
        if push.get("branch") != f"^{branch}$":
            yield f"a push to {push.get('branch') or push.get('tag') or 'any branch'} runs it"
    for path in ("source_to_build.ref", "git_file_source.revision"):
        yield from (f"{path} = {ref}" for ref in at(look.values, path) if ref != f"refs/heads/{branch}")


def config_sync(look: Look) -> Iterator[str]:
    """The cluster takes what our repository's protected branch says, and nothing else."""
    git = look.env.git
    if look.type != "google_gke_hub_feature" or not at(look.values, SYNC):
        return
    wanted = {"git.sync_repo": f"https://github.com/{git.repository}", "git.sync_branch": git.branch, "enabled": True}
    for path, value in wanted.items():
        if at(look.values, f"{SYNC}.{path}") != [value]:
            yield f"{path} = {at(look.values, f'{SYNC}.{path}') or 'nothing'}, not {value}"


def image_digests(look: Look) -> Iterator[str]:
    """An image that is told to a build is pinned by its digest."""
    for key, value in (look.values.get("substitutions") or {}).items():
        if key.endswith("_IMAGE") and "@sha256:" not in str(value):
            yield f"substitutions.{key} = {value}"
