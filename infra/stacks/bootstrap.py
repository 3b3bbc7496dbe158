"""What must be there before anything else, and outlives every environment's destruction.

State bucket, keys, the trust in the Git host, and the identities that plan, apply and build. `fonderie bootstrap`
applies it, with its own state on the machine first and in its own bucket from then on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from imports.google.data_google_storage_project_service_account import DataGoogleStorageProjectServiceAccount
from imports.google.project_iam_custom_role import ProjectIamCustomRole
from imports.google.project_iam_member import ProjectIamMember, ProjectIamMemberCondition
from infra import names
from infra.access.roles import LOG_WRITER, PROJECT_IAM_ADMIN, custom_roles, grantable_roles
from infra.constructs.apis import Apis
from infra.constructs.audit import AuditTrail
from infra.constructs.bucket import Bucket
from infra.constructs.budget import MonthlyBudget
from infra.constructs.federation import GitFederation
from infra.constructs.grants import label_of
from infra.constructs.identity import Identity
from infra.constructs.keys import KeyRing, grant_encryption
from infra.constructs.protection import never_destroyed
from infra.names import AGENTS_ON_DEMAND, AgentName, IdentityName, KeyName, StackName, TeamName
from infra.stacks.base import EnvironmentStack

OWN_APIS = (
    "cloudresourcemanager.googleapis.com",
    "serviceusage.googleapis.com",
    "iam.googleapis.com",
    "iamcredentials.googleapis.com",
    "sts.googleapis.com",
    "storage.googleapis.com",
    "cloudkms.googleapis.com",
)
STATE_VERSIONS = 100
ROLES = {
    IdentityName.PLAN: "Reads every kind of resource the stacks hold, and nothing that is kept in one",
    IdentityName.APPLY: "Reads and writes every kind of resource of the later stacks, and nothing that is kept in one",
    IdentityName.SCHEDULER: "Starts pipelines and the nightly drift check",
    IdentityName.RETRAIN: "Takes the event of a request and starts the training pipeline",
    TeamName.ENGINEER: "Reads what is deployed, runs pipelines and previews",
    TeamName.ONCALL: "Promotes and rolls back models",
}


class BootstrapStack(EnvironmentStack):
    """State, keys, federation; the identities `plan` (reads) and `apply` (writes).

    Where the images are kept, also `builder`, which pushes them.
    """

    name = StackName.BOOTSTRAP

    def build(self) -> None:
        """Add the stack's resources."""
        env = self.env
        billing = ("billingbudgets.googleapis.com",) if env.budget else ()
        self.apis = Apis(self, "api", services=(*OWN_APIS, *AGENTS_ON_DEMAND, *billing))
        accounts = self._identities()
        self._state(after=accounts)
        AuditTrail(self, "audit", env=env, services=["allServices"], after=self.apis(*OWN_APIS[:1]))
        if env.budget:
            MonthlyBudget(self, "budget", env=env, budget=env.budget, after=self.apis(*billing))

    def _identities(self) -> list[Any]:
        env, after = self.env, self.apis("iam.googleapis.com", "cloudresourcemanager.googleapis.com")
        git = GitFederation(self, "git", env=env, after=[*after, *self.apis("sts.googleapis.com")])
        trusted = [*after, git.provider]
        apply = Identity(
            self,
            "apply",
            env=env,
            who=IdentityName.APPLY,
            purpose="Applies what was reviewed, from the protected branch only",
            roles=[PROJECT_IAM_ADMIN],
            conditions={PROJECT_IAM_ADMIN: _may_grant(grantable_roles(env))},
            users=self._triggering,
            federated=git.protected,
            after=trusted,
        ).account
        plan = Identity(
            self,
            "plan",
            env=env,
            who=IdentityName.PLAN,
            purpose="Plans what a pull request would change; reads only",
            users=self._triggering,
            federated=git.anywhere,
            after=[*trusted, apply],
        ).account
        if not env.images.registry:
            Identity(
                self,
                "builder",
                env=env,
                who=IdentityName.BUILDER,
                purpose="Builds the images and pushes them; writes nothing else",
                roles=[LOG_WRITER],
                users=self._triggering,
                federated=git.protected,
                after=[*trusted, apply],
            )
        roles = self._custom_roles(after=after)
        self._grant("plan-reads", roles[IdentityName.PLAN], plan.member)
        self._grant("apply-writes", roles[IdentityName.APPLY], apply.member)
        for team, people in ((TeamName.ENGINEER, env.people.engineers), (TeamName.ONCALL, env.people.oncall)):
            for person in people:
                self._grant(f"{team}-{label_of(person)}", roles[team], person)
        return [plan, apply]

    @property
    def _triggering(self) -> list[str]:
        """Who makes the triggers, and so attaches an identity to what they start."""
        return [names.member(self.env, IdentityName.APPLY)] if self.env.git.connected else []

    def _custom_roles(self, *, after: Sequence[Any]) -> dict[IdentityName | TeamName, Any]:
        """Roles of exactly what is needed: one grant instead of twenty. Who applies grants those of the workloads."""
        return {
            who: ProjectIamCustomRole(
                self,
                f"{who}-role",
                project=self.env.project_id,
                role_id=names.custom_role(self.env, who),
                title=f"{self.env.name} {who}",
                description=ROLES[who],
                permissions=permissions,
                lifecycle=never_destroyed(),
                depends_on=list(after),
            )
            for who, permissions in custom_roles(self.env).items()
        }

    def _grant(self, id: str, role: Any, member: str) -> None:
        ProjectIamMember(self, id, project=self.env.project_id, role=role.name, member=member)

    def _state(self, *, after: list[Any]) -> None:
        env = self.env
        keys = KeyRing(self, "keys", env=env, after=self.apis("cloudkms.googleapis.com"))
        storage = self.apis("storage.googleapis.com")
        after = [*after, *storage]
        if env.customer_keys:
            agent = DataGoogleStorageProjectServiceAccount(self, "storage-agent", depends_on=storage)
            after += grant_encryption(self, env, KeyName.STATE, [AgentName.STORAGE], after=[agent, *keys.keys.values()])
        Bucket(
            self,
            "state",
            env=env,
            which=names.BucketName.STATE,
            key=KeyName.STATE,
            versions=STATE_VERSIONS,
            readers=[names.member(env, IdentityName.PLAN), *env.people.engineers],
            writers=[names.member(env, IdentityName.APPLY)],
            retained=True,
            after=after,
        )


def _may_grant(roles: frozenset[str]) -> ProjectIamMemberCondition:
    """Source: IAM, "Limit role granting": a project's IAM administrator who can give only the roles listed."""
    listed = ", ".join(f"'{role}'" for role in sorted(roles))
    return ProjectIamMemberCondition(
        title="only-the-roles-of-the-stacks",
        expression=f"api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly([{listed}])",
    )
