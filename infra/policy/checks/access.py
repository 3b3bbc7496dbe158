"""Who may do what: no keys, no public access, no more than is needed, and only the repository from outside."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fonderie.core.resource_types import resource_type
from infra import names
from infra.policy.checks.subject import CheckSubject, at, walk
from infra.settings.sections import CiSystem

PRIMITIVE_ROLE = re.compile(r"roles/(owner|editor|viewer)(?![\w.])")
EVERYBODY = re.compile(r"\ball(Authenticated)?Users\b|\bpublicRead(Write)?\b|\bauthenticatedRead\b")
# A role of Google's that administers what it is granted on, by its name.
ADMINISTERS = re.compile(r"roles/[\w.]*(admin|owner)$", re.IGNORECASE)
# What is kept is granted where it is made: on a bucket, a dataset, a key, a secret, a registry, a topic.
OF_WHAT_IS_KEPT = re.compile(
    r"roles/(storage\.(object|legacy|folder)|bigquery\.(data|filteredDataViewer)|cloudkms\.|secretmanager\."
    r"|artifactregistry\.|pubsub\.(publisher|subscriber|editor))"
)
PROJECT_IAM_ADMIN = "roles/resourcemanager.projectIamAdmin"
# Whoever holds one of these on the whole project can become any service account of it, or change who may do what.
ESCALATING_ROLES = frozenset(
    {
        "roles/iam.securityAdmin",
        "roles/iam.serviceAccountAdmin",
        "roles/iam.serviceAccountKeyAdmin",
        "roles/iam.serviceAccountTokenCreator",
        "roles/iam.serviceAccountUser",
        "roles/iam.workloadIdentityUser",
        PROJECT_IAM_ADMIN,
    }
)
# On one account these say who attaches it and which pod or workflow it is; no other identity becomes an account.
ATTACHING_ROLES = frozenset({"roles/iam.serviceAccountUser", "roles/iam.workloadIdentityUser"})
OF_ACCOUNT = "google_service_account_iam_"
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
READS = re.compile(r"(get\w*|list\w*|fullView)$")
CHANGES_NOTHING = frozenset({"logging.logEntries.create", "serviceusage.services.use"})
READING_ROLE = re.compile(r"roles/[\w.]*(viewer|reader|accessor)$", re.IGNORECASE)
DEFAULT_ACCOUNT = re.compile(
    r"\d+-compute@developer\.gserviceaccount\.com|@appspot\.gserviceaccount\.com|\d+@cloudbuild\.gserviceaccount\.com"
    r"|@cloudservices\.gserviceaccount\.com"
)


def account_keys(subject: CheckSubject) -> Iterator[str]:
    """No service account has a key, and no one may create one: identities are federated or attached."""
    if subject.type in {"google_service_account_key", "google_storage_hmac_key"}:
        yield subject.text("service_account_id") or subject.text("service_account_email")
    if subject.text("role") == "roles/iam.serviceAccountKeyAdmin":
        yield f"{subject.text('role')} to {', '.join(subject.members)}"
    if "iam.serviceAccountKeys.create" in at(subject.values, "permissions"):
        yield "iam.serviceAccountKeys.create"


def primitive_roles(subject: CheckSubject) -> Iterator[str]:
    """No primitive role (owner, editor, viewer) is granted, nor may be."""
    for argument, value in walk(subject.values):
        if isinstance(value, str) and (match := PRIMITIVE_ROLE.search(value)):
            yield f"{argument}: {match.group()} to {', '.join(subject.members) or 'someone'}"


def public_members(subject: CheckSubject) -> Iterator[str]:
    """Nothing is granted to everybody."""
    for argument, value in walk(subject.values):
        if isinstance(value, str) and (match := EVERYBODY.search(value)):
            yield f"{subject.text('role')} to {match.group()} ({argument})".strip()
    yield from (f"{subject.text('role')} to {member}" for member in subject.members if member.startswith("domain:"))


def default_accounts(subject: CheckSubject) -> Iterator[str]:
    """No default service account is used or granted anything."""
    for argument, value in walk(subject.values):
        if isinstance(value, str) and DEFAULT_ACCOUNT.search(value):
            yield f"{argument} = {value}"
    if path := resource_type(subject.type).runs_as:
        accounts = [account for account in at(subject.values, path) if account]
        if not accounts:
            yield f"{path} is not given: Google would take a default account"
        ours = f"@{subject.env.project_id}.iam.gserviceaccount.com"
        yield from (f"{path} = {each}" for each in accounts if not str(each).startswith("${") and ours not in str(each))


def least_privilege(subject: CheckSubject) -> Iterator[str]:
    """No role lets its holder become others or administer, and what is kept is granted where it is made."""
    role = subject.text("role")
    holders = ", ".join(subject.members)
    if role == PROJECT_IAM_ADMIN:
        return  # `bounded` judges it
    if role in ESCALATING_ROLES and not (subject.type.startswith(OF_ACCOUNT) and role in ATTACHING_ROLES):
        yield f"{role} to {holders}"
    elif ADMINISTERS.match(role):
        yield f"{role} administers, to {holders}"
    elif subject.on_project and OF_WHAT_IS_KEPT.match(role):
        yield f"{role} in the whole project, to {holders}"
    if subject.type.endswith("_iam_custom_role"):
        permissions = at(subject.values, "permissions")
        yield from sorted(ESCALATING_PERMISSIONS.intersection(permissions))
        yield from (permission for permission in permissions if "*" in permission)
    if subject.type.endswith("_iam_policy"):
        yield "a whole policy replaces what others were granted"


def bounded(subject: CheckSubject) -> Iterator[str]:
    """Who may grant roles in the project may grant only those that a condition lists."""
    if subject.text("role") != PROJECT_IAM_ADMIN:
        return
    expressions = " ".join(map(str, at(subject.values, "condition.expression")))
    listed = re.fullmatch(r"api\.getAttribute\('iam\.googleapis\.com/modifiedGrantsByRole', \[\]\)"
                          r"\.hasOnly\(\[(.*)\]\)", expressions)  # fmt: skip
    if not listed:
        yield f"no condition lists the roles: {expressions or 'none at all'}"
        return
    for role in re.findall(r"'([^']*)'", listed[1]):
        if role in ESCALATING_ROLES or ADMINISTERS.match(role):
            yield f"the condition allows {role}"


def plan_reads(subject: CheckSubject) -> Iterator[str]:
    """Any pull request's workflow becomes the plan identity, so it reads and changes nothing."""
    own = names.custom_role(subject.env, names.IdentityName.PLAN)
    if subject.type.endswith("_iam_custom_role") and subject.text("role_id") == own:
        for permission in at(subject.values, "permissions"):
            if not READS.search(permission) and permission not in CHANGES_NOTHING:
                yield f"{permission} in {own}"
    if names.member(subject.env, names.IdentityName.PLAN) in subject.members:
        role = subject.text("role")
        if role not in {own, "roles/logging.logWriter"} and not READING_ROLE.match(role):
            yield f"{role} to {names.IdentityName.PLAN}"


PULLS = "roles/artifactregistry.reader"


def federation(subject: CheckSubject) -> Iterator[str]:
    """From outside only the repository comes in, and only its protected branch changes anything."""
    git = subject.env.git
    if subject.type == "google_iam_workload_identity_pool_provider":
        claims = {"repository": git.repository, "repository_id": git.repository_id, "repository_owner_id": git.owner_id}
        wanted = {f"assertion.{claim} == '{value}'" for claim, value in claims.items() if value}
        if set(subject.text("attribute_condition").split(" && ")) != wanted:
            yield f"attribute_condition = {subject.text('attribute_condition') or 'none'}"
        if at(subject.values, "oidc.issuer_uri") != ["https://token.actions.githubusercontent.com"]:
            yield f"issuer = {at(subject.values, 'oidc.issuer_uri') or 'none'}"
        mapping = subject.values.get("attribute_mapping") or {}
        if mapping.get("attribute.repository") != "assertion.repository":
            yield f"attribute.repository = {mapping.get('attribute.repository')}"
        if mapping.get("attribute.repository_ref") not in {None, "assertion.repository + '@' + assertion.ref"}:
            yield f"attribute.repository_ref = {mapping.get('attribute.repository_ref')}"
    pool = f"principalSet://iam.googleapis.com/{names.identity_pool_path(subject.env)}"
    protected = f"{pool}/attribute.repository_ref/{git.repository}@refs/heads/{git.branch}"
    anywhere = f"{pool}/attribute.repository/{git.repository}"
    plan = names.email(subject.env, names.IdentityName.PLAN)
    pulling = {names.accounts_of(other, kind) for other in subject.env.image_readers for kind in names.AccountKind}
    for member in subject.members:
        if not member.startswith("principal") or (member in pulling and subject.text("role") == PULLS):
            continue
        if git.ci is not CiSystem.GITHUB_ACTIONS:
            yield f"{subject.text('role')} to {member}, and git.ci is {git.ci}"
            continue
        account = subject.text("service_account_id")
        of_plan = account.endswith(plan) or account == names.account_id(subject.env, names.IdentityName.PLAN)
        if member not in ({anywhere, protected} if of_plan else {protected}):
            yield f"{subject.text('role')} on {account or subject.type} to {member}"
