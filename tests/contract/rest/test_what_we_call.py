"""Every method that our code, our workflows and our builds call is answered, and what it needs is known."""

from __future__ import annotations

import re
from typing import Any

import pytest

from fonderie.sandbox.rest import judgement
from fonderie.sandbox.rest.discovery import service
from tests.contract.rest.conftest import LOCATION, PROJECT, Sandbox, person

VERTEX = "aiplatform v1 aiplatform.projects.locations"
CALLED = [
    f"{VERTEX}.endpoints.deployModel",
    f"{VERTEX}.endpoints.get",
    f"{VERTEX}.endpoints.operations.get",
    f"{VERTEX}.endpoints.patch",
    f"{VERTEX}.endpoints.undeployModel",
    f"{VERTEX}.metadataStores.contexts.addContextChildren",
    f"{VERTEX}.metadataStores.contexts.create",
    f"{VERTEX}.metadataStores.contexts.get",
    f"{VERTEX}.metadataStores.create",
    f"{VERTEX}.metadataStores.get",
    f"{VERTEX}.metadataStores.operations.get",
    f"{VERTEX}.models.listVersions",
    f"{VERTEX}.models.mergeVersionAliases",
    f"{VERTEX}.models.operations.get",
    f"{VERTEX}.models.upload",
    f"{VERTEX}.pipelineJobs.cancel",
    f"{VERTEX}.pipelineJobs.create",
    f"{VERTEX}.pipelineJobs.get",
    f"{VERTEX}.pipelineJobs.list",
    "artifactregistry v1 artifactregistry.projects.locations.repositories.dockerImages.get",
    "bigquery v2 bigquery.jobs.get",
    "bigquery v2 bigquery.jobs.getQueryResults",
    "bigquery v2 bigquery.jobs.insert",
    "bigquery v2 bigquery.projects.getServiceAccount",
    "bigquery v2 bigquery.tabledata.insertAll",
    "cloudbilling v1 cloudbilling.projects.getBillingInfo",
    "cloudbuild v1 cloudbuild.projects.locations.builds.get",
    "cloudbuild v1 cloudbuild.projects.locations.builds.list",
    "cloudbuild v1 cloudbuild.projects.locations.triggers.run",
    "cloudbuild v2 cloudbuild.projects.locations.connections.get",
    "cloudresourcemanager v1 cloudresourcemanager.projects.get",
    "cloudresourcemanager v3 cloudresourcemanager.projects.getIamPolicy",
    "cloudscheduler v1 cloudscheduler.projects.locations.jobs.get",
    "cloudscheduler v1 cloudscheduler.projects.locations.jobs.list",
    "cloudscheduler v1 cloudscheduler.projects.locations.jobs.run",
    "compute v1 compute.regions.get",
    "iam v1 iam.projects.locations.workloadIdentityPools.get",
    "iam v1 iam.projects.locations.workloadIdentityPools.providers.get",
    "iam v1 iam.projects.locations.workloadIdentityPools.providers.undelete",
    "iam v1 iam.projects.locations.workloadIdentityPools.undelete",
    "iamcredentials v1 iamcredentials.projects.serviceAccounts.generateAccessToken",
    "logging v2 logging.entries.list",
    "logging v2 logging.entries.write",
    "monitoring v3 monitoring.projects.timeSeries.create",
    "orgpolicy v2 orgpolicy.projects.policies.getEffectivePolicy",
    "pubsub v1 pubsub.projects.topics.publish",
    "secretmanager v1 secretmanager.projects.secrets.addVersion",
    "secretmanager v1 secretmanager.projects.secrets.versions.access",
    "serviceusage v1 serviceusage.services.list",
    "serviceusage v1beta1 serviceusage.services.generateServiceIdentity",
    "storage v1 storage.buckets.get",
    "storage v1 storage.objects.delete",
    "storage v1 storage.objects.get",
    "storage v1 storage.objects.insert",
    "storage v1 storage.objects.list",
    "storage v1 storage.projects.serviceAccount.get",
    "workflowexecutions v1 workflowexecutions.projects.locations.workflows.executions.create",
    "workflowexecutions v1 workflowexecutions.projects.locations.workflows.executions.get",
    "workflowexecutions v1 workflowexecutions.projects.locations.workflows.executions.list",
]
BODIES: dict[str, dict[str, Any]] = {
    "bigquery.jobs.insert": {"configuration": {"query": {"query": "select 1", "useLegacySql": False}}},
    "logging.entries.list": {"resourceNames": [f"projects/{PROJECT}"]},
    "logging.entries.write": {"entries": [{"logName": f"projects/{PROJECT}/logs/x"}]},
}
NAMES = {"project": PROJECT, "projectId": PROJECT, "bucket": "b", "region": "europe-west1", "jobId": "j"}


def path_of(method: dict[str, Any]) -> str:
    """A path that the method's patterns take: their parts are filled with `x`."""

    def fill(match: re.Match[str]) -> str:
        pattern = method["parameters"][match[1]].get("pattern", "")
        words = re.sub(r"\[\^/\]\+", "x", pattern.strip("^$"))
        words = re.sub(r"^(x|projects)/x", f"projects/{PROJECT}", words.replace("projects/x/locations/x", LOCATION))
        return NAMES.get(match[1]) or words or "x"

    return re.sub(r"\{\+?(\w+)\}", fill, method["path"])


@pytest.mark.parametrize("called", CALLED)
def test_what_we_call_is_answered(sandbox: Sandbox, called: str) -> None:
    name, version, identifier = called.split()
    api = service(name, version)
    method = next(method for method, *_ in api.methods if method["id"] == identifier)
    verb, body = method["httpMethod"], BODIES.get(identifier, {})
    answer = sandbox.call(person, verb, f"{api.prefix}{path_of(method)}", json=body if "request" in method else None)
    assert answer.status_code != 501, answer.text
    assert "not found on this server" not in answer.text
    assert "Error" not in answer.headers.get("content-type", "")
    assert answer.status_code != 500, answer.text


@pytest.mark.parametrize("called", CALLED)
def test_nobody_without_a_grant_may_call_it(sandbox: Sandbox, called: str) -> None:
    """But what needs no permission: an account's own address, a job of one's own, what one may do."""
    name, version, identifier = called.split()
    api = service(name, version)
    method = next(method for method, *_ in api.methods if method["id"] == identifier)
    if judgement.needs_none(identifier):
        return
    sandbox.bucket("b")
    content = BODIES.get(identifier, {}) if "request" in method else None
    answer = sandbox.call("retrain", method["httpMethod"], f"{api.prefix}{path_of(method)}", json=content)
    assert answer.status_code == 403, answer.text
    assert answer.json()["error"]["details"][0]["reason"] == "IAM_PERMISSION_DENIED"
