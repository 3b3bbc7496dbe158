"""Workload identity federation: the Git host's own tokens become identities, so no key exists that could leak."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from imports.google.iam_workload_identity_pool import IamWorkloadIdentityPool
from imports.google.iam_workload_identity_pool_provider import (
    IamWorkloadIdentityPoolProvider,
    IamWorkloadIdentityPoolProviderOidc,
)
from infra import names
from infra.bindings import Construct
from infra.constructs.protection import never_destroyed
from infra.settings import Environment
from infra.settings.sections import TOKEN_ISSUER, CiSystem


class GitFederation(Construct):
    """A pool that trusts one repository on GitHub. `anywhere` is any of its workflows, `protected` those of its
    protected branch; both are empty unless its workflows serve the environment (`git.ci`).

    It is known by its name and, where the settings say them, by GitHub's numbers of it and of its owner: a name can be
    given up and taken by somebody else.

    A deleted pool blocks its id for 30 days, so it lives in the bootstrap stack and is never destroyed.
    Source: IAM, "Configure Workload Identity Federation with deployment pipelines".
    """

    def __init__(self, scope: Construct, id: str, *, env: Environment, after: Sequence[Any] = ()) -> None:
        super().__init__(scope, id)
        pool = IamWorkloadIdentityPool(
            self,
            "Default",
            workload_identity_pool_id=names.identity_pool(env),
            display_name=f"{env.name} Git",
            description="Workflows of the repository, by the tokens of their host",
            lifecycle=never_destroyed(),
            depends_on=list(after) or None,
        )
        self.provider = IamWorkloadIdentityPoolProvider(
            self,
            "github",
            workload_identity_pool_id=pool.workload_identity_pool_id,
            workload_identity_pool_provider_id=names.identity_provider(env),
            display_name="GitHub",
            attribute_mapping={
                "google.subject": "assertion.sub",
                "attribute.repository": "assertion.repository",
                "attribute.repository_ref": "assertion.repository + '@' + assertion.ref",
            },
            attribute_condition=env.git.federation_condition,
            oidc=IamWorkloadIdentityPoolProviderOidc(issuer_uri=TOKEN_ISSUER),
            lifecycle=never_destroyed(),
        )
        members = f"principalSet://iam.googleapis.com/{names.identity_pool_path(env)}"
        served = env.git.ci is CiSystem.GITHUB_ACTIONS
        branch = f"{env.git.repository}@refs/heads/{env.git.branch}"
        self.anywhere = [f"{members}/attribute.repository/{env.git.repository}"] if served else []
        self.protected = [f"{members}/attribute.repository_ref/{branch}"] if served else []
