"""An identity: a service account without keys, what it may do, and who may act as it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from imports.google.project_iam_member import ProjectIamMember, ProjectIamMemberCondition
from imports.google.service_account import ServiceAccount
from imports.google.service_account_iam_member import ServiceAccountIamMember
from infra import names
from infra.bindings import Construct
from infra.constructs.grants import grant_each
from infra.settings import Environment

USER = "roles/iam.serviceAccountUser"


class Identity(Construct):
    """A service account. `roles` hold in the whole project; grants on one resource belong to that resource's construct.

    `users` may attach it to what they create; `federated` are members from outside Google that may become it.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        env: Environment,
        who: names.IdentityName,
        purpose: str,
        roles: Sequence[str] = (),
        conditions: Mapping[str, ProjectIamMemberCondition] | None = None,
        users: Sequence[str] = (),
        federated: Sequence[str] = (),
        after: Sequence[Any] = (),
    ) -> None:
        super().__init__(scope, id)
        self.account = ServiceAccount(
            self,
            "Default",
            account_id=names.account_id(env, who),
            display_name=f"{env.name} {who}",
            description=purpose,
            depends_on=list(after) or None,
        )
        member = self.account.member  # asked of Node once, not for each role
        for role in roles:
            ProjectIamMember(
                self,
                f"may-{role.rpartition('/')[2] if role.startswith('roles/') else 'start'}",
                project=env.project_id,
                role=role,
                member=member,
                condition=(conditions or {}).get(role),
            )
        on = {"service_account_id": self.account.name}
        grant_each(self, "user", ServiceAccountIamMember, users, role=USER, **on)
        for index, member in enumerate(federated):
            ServiceAccountIamMember(
                self, f"federated-{index}", member=member, role="roles/iam.workloadIdentityUser", **on
            )
