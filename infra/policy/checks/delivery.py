"""Builds and what keeps the cluster: from our repository, its protected branch, as who they should be."""

from __future__ import annotations

from collections.abc import Iterator

from infra import names
from infra.policy.checks.subject import CheckSubject, at

SYNC = "configmanagement.config_sync"


def triggers(subject: CheckSubject) -> Iterator[str]:
    """A pull request's code runs as who only reads, and only after a look; the rest comes from the protected branch."""
    if subject.type != "google_cloudbuild_trigger":
        return
    branch = subject.env.git.branch
    plan = names.email(subject.env, names.IdentityName.PLAN)
    if at(subject.values, "repository_event_config.pull_request"):
        if not subject.text("service_account").endswith(f"/{plan}"):
            yield f"a pull request runs as {subject.text('service_account') or 'a default account'}"
        comment = at(subject.values, "repository_event_config.pull_request.comment_control")
        if not set(comment) & {"COMMENTS_ENABLED", "COMMENTS_ENABLED_FOR_EXTERNAL_CONTRIBUTORS_ONLY"}:
            yield "a stranger's pull request runs before anyone has reviewed it"
    for push in at(subject.values, "repository_event_config.push"):
        if push.get("branch") != f"^{branch}$":
            yield f"a push to {push.get('branch') or push.get('tag') or 'any branch'} runs it"
    for path in ("source_to_build.ref", "git_file_source.revision"):
        yield from (f"{path} = {ref}" for ref in at(subject.values, path) if ref != f"refs/heads/{branch}")


def config_sync(subject: CheckSubject) -> Iterator[str]:
    """The cluster takes the artefact that the settings name by digest, as its own identity, and nothing else."""
    if at(subject.values, "fleet_default_member_config"):
        yield "fleet_default_member_config is what clusters take that join, beside what the cluster here has"
    if subject.type != "google_gke_hub_feature_membership" or not at(subject.values, SYNC):
        return
    manifests = subject.env.kubeflow.manifests
    identity = names.email(subject.env, names.IdentityName.SYNC)
    wanted = {
        "enabled": [True],
        "git": [],
        "oci.sync_repo": [manifests] if manifests else [],
        "oci.secret_type": ["gcpserviceaccount"] if manifests else [],
        "oci.gcp_service_account_email": [identity] if manifests else [],
    }
    for path, values in wanted.items():
        if (seen := at(subject.values, f"{SYNC}.{path}")) != values:
            yield f"{path} = {seen or 'nothing'}, not {values or 'nothing'}"


def schedules(subject: CheckSubject) -> Iterator[str]:
    """What was deployed to run by itself does, once there are images to run."""
    is_paused = subject.type == "google_cloud_scheduler_job" and at(subject.values, "paused") == [True]
    if is_paused and subject.env.images.complete:
        yield "the schedule is paused"


def image_digests(subject: CheckSubject) -> Iterator[str]:
    """An image that is told to a build is pinned by its digest."""
    for key, value in (subject.values.get("substitutions") or {}).items():
        if key.endswith("_IMAGE") and "@sha256:" not in str(value):
            yield f"substitutions.{key} = {value}"
