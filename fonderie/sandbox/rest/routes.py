"""Which API a request is for, when one address has them all: by its host where that is Google's, else by its path.

Source: `servicePath` and `flatPath` of the discovery documents. Paths that two APIs share belong to the one that we
call; the other is reached with its host: `curl -H 'Host: eventarc.googleapis.com' ...`.
"""

from __future__ import annotations

import re

_P, _L = r"projects/[^/]+", r"projects/[^/]+/locations/[^/]+"
_VERTEX = (
    "endpoints|models|pipelineJobs|metadataStores|tensorboards|featureGroups|featureOnlineStores|featurestores|"
    "customJobs|schedules|batchPredictionJobs|indexes|indexEndpoints|specialistPools|studies|trainingPipelines"
)
_ROUTES = tuple(
    (re.compile(pattern), name, version)
    for pattern, name, version in (
        (r"(?:(?:resumable/)?upload/|download/)?storage/v1/", "storage", "v1"),
        (r"(?:(?:resumable/)?upload/)?bigquery/v2/", "bigquery", "v2"),
        (r"compute/v1/", "compute", "v1"),
        (r"sql/v1beta4/", "sqladmin", "v1beta4"),
        (r"v1/(token|introspect|oauthtoken)$", "sts", "v1"),
        (rf"v1/{_P}/(topics|subscriptions|snapshots|schemas)\b", "pubsub", "v1"),
        (rf"v1/{_P}/serviceAccounts/[^/]+:(generate\w+|sign\w+)$", "iamcredentials", "v1"),
        (rf"v1/({_P}/(serviceAccounts|roles)|roles|permissions|iamPolicies)\b", "iam", "v1"),
        (rf"v1/{_L}/workloadIdentityPools\b", "iam", "v1"),
        (rf"v1/{_P}/secrets\b|v1/{_L}/secrets\b", "secretmanager", "v1"),
        (rf"v1beta1/{_P}/services\b", "serviceusage", "v1beta1"),
        (rf"v1/{_P}/services\b", "serviceusage", "v1"),
        (rf"v1/{_P}/billingInfo$|v1/billingAccounts/[^/]+$", "cloudbilling", "v1"),
        (r"v1/billingAccounts/[^/]+/budgets\b", "billingbudgets", "v1"),
        (rf"v1/{_P}/(builds|triggers)\b|v1/{_L}/(builds|triggers|workerPools)\b", "cloudbuild", "v1"),
        (rf"v2/{_L}/connections\b", "cloudbuild", "v2"),
        (rf"v2/(entries:|{_P}/(logs|sinks|metrics|exclusions)\b|{_L}/buckets\b)", "logging", "v2"),
        (rf"v3/{_P}/[a-zA-Z]", "monitoring", "v3"),
        (rf"v1/{_P}/dashboards\b", "monitoring", "v1"),
        (rf"v2/{_P}/policies\b", "orgpolicy", "v2"),
        (rf"v1/{_L}/workflows/[^/]+/executions\b", "workflowexecutions", "v1"),
        (rf"v1/{_L}/workflows\b", "workflows", "v1"),
        (rf"v1/{_L}/jobs\b", "cloudscheduler", "v1"),
        (rf"v1/{_L}/repositories\b", "artifactregistry", "v1"),
        (rf"v1/{_L}/(keyRings|ekmConnections)\b", "cloudkms", "v1"),
        (rf"v1/{_L}/connections\b", "bigqueryconnection", "v1"),
        (rf"v1/{_L}/clusters\b", "container", "v1"),
        (rf"v1/{_L}/(memberships|features)\b", "gkehub", "v1"),
        (rf"v2/{_L}/(services|jobs)\b", "run", "v2"),
        (rf"v1/{_L}/(channels|providers)\b", "eventarc", "v1"),
        (rf"v1/{_L}/({_VERTEX})\b", "aiplatform", "v1"),
        (rf"dns/v1/{_P}/managedZones\b", "dns", "v1"),
        (r"v1/(projects/[^/:]+(:[a-zA-Z]+)?)?$|v1/projects$", "cloudresourcemanager", "v1"),
        (rf"v3/{_P}(:[a-zA-Z]+)?$|v3/projects:\w+$", "cloudresourcemanager", "v3"),
    )
)
_REGION = re.compile(r"^(?:[a-z]+-[a-z]+\d+|us|eu|global)-")


def host_api(host: str) -> str | None:
    """`aiplatform` for `europe-west1-aiplatform.googleapis.com`; None for a host that is not of Google's APIs."""
    name, dot, _ = host.partition(".googleapis.com")
    name = _REGION.sub("", name)
    return name if dot and name not in ("www", "oauth2") and "." not in name else None


def api_of_request(host: str, path: str) -> tuple[str, str] | None:
    """Name and version of the API; None where no API that the stand-in knows has such a path."""
    path = path.lstrip("/")
    named = host_api(host)
    for pattern, name, version in _ROUTES:
        if pattern.match(path) and named in (None, name):
            return name, version
    if named is not None:
        versioned = re.search(r"(?:^|/)(v\d+(?:(?:alpha|beta)\d+)?)/", path)
        return (named, versioned[1]) if versioned else None
    return None
