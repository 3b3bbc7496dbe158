"""How Google says no, service by service: each has words of its own for the same refusal.

Sources: the public issue threads that quote them, named beside each; where a service is not listed it has the words
that most of Google's APIs share (`Permission '...' denied on resource '//SERVICE/...' (or it may not exist).`).
"""

from __future__ import annotations

from collections.abc import Callable

from fonderie.sandbox.iam.caller import ANONYMOUS, Caller

_SERVICES = {"resourcemanager": "cloudresourcemanager", "billing": "billingbudgets"}


def denied(caller: Caller, permission: str, path: str) -> str:
    """Google's message for a permission that `caller` lacks on the resource of a canonical path."""
    service = permission.partition(".")[0]
    if permission.startswith("iam.serviceAccounts.actAs"):
        return _act_as(path)
    say = _WORDS.get(service)
    return say(caller, permission, path) if say else _usual(caller, permission, path)


def service_of(permission: str) -> str:
    """The API a permission belongs to: `storage.googleapis.com`."""
    if permission.startswith("iam.googleapis.com/"):
        return "iam.googleapis.com"
    service = permission.partition(".")[0]
    return f"{_SERVICES.get(service, service)}.googleapis.com"


def resource_type(path: str) -> tuple[str, str]:
    """`resource.type` and `resource.service` of conditions, as far as they are known here; else two empty texts.

    Source: IAM's "Resource types and names".
    """
    if path.startswith("b/"):
        return f"storage.googleapis.com/{'Object' if '/o/' in path else 'Bucket'}", "storage.googleapis.com"
    parts = path.split("/")
    kind = parts[-2] if len(parts) > 1 else ""
    return _TYPES.get(kind, ("", ""))


_TYPES = {
    "projects": ("cloudresourcemanager.googleapis.com/Project", "cloudresourcemanager.googleapis.com"),
    "secrets": ("secretmanager.googleapis.com/Secret", "secretmanager.googleapis.com"),
    "versions": ("secretmanager.googleapis.com/SecretVersion", "secretmanager.googleapis.com"),
    "keyRings": ("cloudkms.googleapis.com/KeyRing", "cloudkms.googleapis.com"),
    "cryptoKeys": ("cloudkms.googleapis.com/CryptoKey", "cloudkms.googleapis.com"),
    "datasets": ("bigquery.googleapis.com/Dataset", "bigquery.googleapis.com"),
    "tables": ("bigquery.googleapis.com/Table", "bigquery.googleapis.com"),
    "serviceAccounts": ("iam.googleapis.com/ServiceAccount", "iam.googleapis.com"),
}


def _usual(_: Caller, permission: str, path: str) -> str:
    return f"Permission '{permission}' denied on resource '//{service_of(permission)}/{path}' (or it may not exist)."


def _storage(caller: Caller, permission: str, path: str) -> str:
    """Source: googleapis/google-cloud-php #1040, hashicorp/terraform #17222, and the newer second sentence."""
    who = "Anonymous caller" if caller == ANONYMOUS else caller.email
    what = "project" if path.startswith("projects/") else "Storage object" if "/o/" in path else "Storage bucket"
    return (
        f"{who} does not have {permission} access to the Google Cloud {what}. "
        f"Permission '{permission}' denied on resource (or it may not exist)."
    )


def _compute(_: Caller, permission: str, path: str) -> str:
    """Source: world-federation-of-advertisers/cross-media-measurement #2956."""
    return f"Required '{permission}' permission for '{path}'"


def _container(_: Caller, permission: str, path: str) -> str:
    """Source: terraform-google-modules/terraform-google-kubernetes-engine, issues that quote it."""
    return f'Required "{permission}" permission(s) for "{path}".'


def _scheduler(_: Caller, permission: str, path: str) -> str:
    """Source: hashicorp/terraform-provider-google #7001."""
    return (
        f'The principal (user or service account) lacks IAM permission "{permission}" for the resource "{path}" '
        "(or the resource may not exist)."
    )


def _bigquery(_: Caller, permission: str, path: str) -> str:
    """Source: BigQuery's "Error messages" and "Access control" pages."""
    parts = path.split("/")
    project = parts[1] if len(parts) > 1 else ""
    if "datasets" not in parts:
        return f"Access Denied: Project {project}: User does not have {permission} permission in project {project}."
    name = f"{project}:{parts[3]}"
    kind, name = ("Table", f"{name}.{parts[5]}") if len(parts) > 5 else ("Dataset", name)
    return (
        f"Access Denied: {kind} {name}: Permission {permission} denied on {kind.lower()} {name} (or it may not exist)."
    )


def _secrets(_: Caller, permission: str, path: str) -> str:
    """Source: Secret Manager's "Troubleshooting" page."""
    return f"Permission '{permission}' denied for resource '{path}' (or it may not exist)."


def _monitoring(_: Caller, permission: str, path: str) -> str:
    return f"Permission {permission} denied on {path} (or the resource may not exist)."


def _act_as(path: str) -> str:
    """Source: Service accounts' "Attach service accounts to resources" and its troubleshooting."""
    email = path.rsplit("/", 1)[-1]
    return f"Permission 'iam.serviceAccounts.actAs' denied on service account {email} (or it may not exist)."


def _iam(_: Caller, permission: str, path: str) -> str:
    """Source: IAM's "Troubleshoot permission error messages"."""
    return f"Permission '{permission}' denied on resource '{path}' (or it may not exist)."


_WORDS: dict[str, Callable[[Caller, str, str], str]] = {
    "storage": _storage,
    "compute": _compute,
    "container": _container,
    "cloudscheduler": _scheduler,
    "bigquery": _bigquery,
    "secretmanager": _secrets,
    "cloudkms": _secrets,
    "monitoring": _monitoring,
    "iam": _iam,
    "resourcemanager": _iam,
    "cloudbuild": _iam,
    "workflows": _iam,
}
