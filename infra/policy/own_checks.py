"""Our own checks: what checkov cannot know, because it depends on the environment, and what it does not look at.

A check is a function of (resource, environment) that yields the values which break it. Its docstring's first line is
what it wants, as the report says it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from infra.policy.findings import Finding
from infra.settings import Environment
from infra.synthesised import Resource, Stack

Check = Callable[[Resource, Environment], Iterator[str]]

STATEFUL = frozenset(
    {
        "google_artifact_registry_repository",
        "google_bigquery_dataset",
        "google_bigquery_table",
        "google_container_cluster",
        "google_kms_crypto_key",
        "google_kms_key_ring",
        "google_secret_manager_secret",
        "google_storage_bucket",
    }
)
# Types that hold data and take a customer's key; in `container_cluster` it encrypts the secrets in etcd.
ENCRYPTED = frozenset(
    {
        "google_artifact_registry_repository",
        "google_bigquery_dataset",
        "google_container_cluster",
        "google_pubsub_topic",
        "google_secret_manager_secret",
        "google_storage_bucket",
        "google_vertex_ai_endpoint",
        "google_vertex_ai_tensorboard",
    }
)
KEY_ARGUMENTS = frozenset({"kms_key_name", "default_kms_key_name", "key_name"})
REQUIRED_LABELS = ("environment", "managed_by", "owner")
PRIMITIVE_ROLES = frozenset({"roles/owner", "roles/editor", "roles/viewer"})
PUBLIC_MEMBERS = frozenset({"allUsers", "allAuthenticatedUsers"})
# Whoever holds one of these on the whole project can become any service account of it, or change who may do what.
ESCALATING_ROLES = frozenset(
    {
        "roles/iam.securityAdmin",
        "roles/iam.serviceAccountAdmin",
        "roles/iam.serviceAccountKeyAdmin",
        "roles/iam.serviceAccountTokenCreator",
        "roles/iam.serviceAccountUser",
        "roles/iam.workloadIdentityUser",
        "roles/resourcemanager.projectIamAdmin",
    }
)
# The same powers, one by one, in a role of our own.
ESCALATING_PERMISSIONS = frozenset(
    {
        "iam.roles.create",
        "iam.roles.update",
        "iam.serviceAccountKeys.create",
        "iam.serviceAccounts.actAs",
        "iam.serviceAccounts.getAccessToken",
        "iam.serviceAccounts.getOpenIdToken",
        "iam.serviceAccounts.implicitDelegation",
        "iam.serviceAccounts.setIamPolicy",
        "iam.serviceAccounts.signBlob",
        "iam.serviceAccounts.signJwt",
        "resourcemanager.projects.setIamPolicy",
    }
)
DEFAULT_ACCOUNT = re.compile(r"\d+-compute@developer\.gserviceaccount\.com|@appspot\.gserviceaccount\.com")


def walk(values: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """(name of the argument, scalar) for every scalar at any depth."""
    if isinstance(values, dict):
        for name, inner in values.items():
            yield from walk(inner, name)
    elif isinstance(values, list):
        for inner in values:
            yield from walk(inner, key)
    else:
        yield key, values


def _members(resource: Resource) -> list[str]:
    return [resource.values.get("member", ""), *resource.values.get("members", [])]


def region(resource: Resource, env: Environment) -> Iterator[str]:
    """Everything with a place is in the environment's region."""
    for argument in ("location", "region"):
        place = str(resource.values.get(argument, env.region)).lower()
        if place != "global" and not place.startswith(("${", env.region)):
            yield f"{argument} = {place}, the environment is in {env.region}"


def account_keys(resource: Resource, _env: Environment) -> Iterator[str]:
    """No service account has a key: identities are federated or attached."""
    if resource.type == "google_service_account_key":
        yield str(resource.values.get("service_account_id", ""))


def primitive_roles(resource: Resource, _env: Environment) -> Iterator[str]:
    """No primitive role (owner, editor, viewer) is granted."""
    if resource.values.get("role") in PRIMITIVE_ROLES:
        yield f"{resource.values['role']} to {', '.join(filter(None, _members(resource)))}"


def public_members(resource: Resource, _env: Environment) -> Iterator[str]:
    """Nothing is granted to everybody."""
    for member in PUBLIC_MEMBERS.intersection(_members(resource)):
        yield f"{resource.values.get('role', '')} to {member}"


def default_accounts(resource: Resource, _env: Environment) -> Iterator[str]:
    """No default service account is used or granted anything."""
    for argument, value in walk(resource.values):
        if isinstance(value, str) and DEFAULT_ACCOUNT.search(value):
            yield f"{argument} = {value}"


def least_privilege(resource: Resource, _env: Environment) -> Iterator[str]:
    """A role that lets its holder become other identities is granted on one of them, not on the project."""
    if resource.type == "google_project_iam_member" and resource.values.get("role") in ESCALATING_ROLES:
        yield f"{resource.values['role']} to {resource.values.get('member', '')}"
    if resource.type.endswith("_iam_custom_role"):
        yield from sorted(ESCALATING_PERMISSIONS.intersection(resource.values.get("permissions", ())))


def protection(resource: Resource, env: Environment) -> Iterator[str]:
    """What holds something refuses to be destroyed, unless the environment is ephemeral."""
    if resource.type not in STATEFUL or env.ephemeral:
        return
    prevented = resource.values.get("lifecycle", {}).get("prevent_destroy") is True
    held = resource.values.get("deletion_policy") == "PREVENT" or resource.values.get("deletion_protection") is True
    if not prevented and not held:
        yield "neither prevent_destroy, nor deletion_policy PREVENT, nor deletion_protection"


def encryption(resource: Resource, env: Environment) -> Iterator[str]:
    """What holds data is encrypted with the environment's own key, where it has keys."""
    if resource.type in ENCRYPTED and env.customer_keys:
        keys = [value for argument, value in walk(resource.values) if argument in KEY_ARGUMENTS and value]
        if not keys:
            yield "no key named"


def secret_values(resource: Resource, _env: Environment) -> Iterator[str]:
    """No secret's value is in the configuration: it would be in the state and in every plan."""
    if resource.type == "google_secret_manager_secret_version" and resource.values.get("secret_data"):
        yield "secret_data is given in clear"


CHECKS: dict[str, Check] = {
    "FND_DEFAULT_ACCOUNT": default_accounts,
    "FND_ENCRYPTION": encryption,
    "FND_KEY": account_keys,
    "FND_LEAST_PRIVILEGE": least_privilege,
    "FND_PRIMITIVE_ROLE": primitive_roles,
    "FND_PROTECTION": protection,
    "FND_PUBLIC": public_members,
    "FND_REGION": region,
    "FND_SECRET_VALUE": secret_values,
}


def wanted(check: Check) -> str:
    """What a check wants, in a sentence."""
    return (check.__doc__ or "").splitlines()[0]


def _labels(stack: Stack) -> Iterator[Finding]:
    if missing := [label for label in REQUIRED_LABELS if not stack.default_labels.get(label)]:
        yield Finding(
            check="FND_LABELS",
            what="Every resource says which environment it belongs to, who owns it and what manages it.",
            stack=stack.name,
            path=stack.name,
            address="provider.google",
            detail=f"default_labels lacks {', '.join(missing)}",
        )


def scan(stack: Stack, env: Environment) -> tuple[int, list[Finding]]:
    """(number of checks made, what failed) for one stack of `env`."""
    findings = list(_labels(stack))
    for resource in stack.resources:
        for name, check in CHECKS.items():
            findings += [
                Finding(
                    check=name,
                    what=wanted(check),
                    stack=stack.name,
                    path=resource.path,
                    address=resource.address,
                    detail=detail,
                )
                for detail in check(resource, env)
            ]
    return 1 + len(CHECKS) * len(stack.resources), findings
