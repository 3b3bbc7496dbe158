"""What everything stands on: APIs, the network, the identities of the workloads, the service agents' grants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from imports.google.data_google_storage_project_service_account import DataGoogleStorageProjectServiceAccount
from imports.google.service_account_iam_member import ServiceAccountIamMember
from infra import names
from infra.access.roles import WORKLOAD_ROLES, roles_of
from infra.constructs.apis import Apis
from infra.constructs.identity import USER, Identity
from infra.constructs.keys import grant_encryption
from infra.constructs.network import Network
from infra.names import AgentName, KeyName, StackName
from infra.settings import Environment
from infra.stacks.base import EnvironmentStack

APIS = (
    "aiplatform.googleapis.com",
    "cloudscheduler.googleapis.com",
    "compute.googleapis.com",
    "containerscanning.googleapis.com",
    "logging.googleapis.com",
    "monitoring.googleapis.com",
    "workflows.googleapis.com",
    "workflowexecutions.googleapis.com",
)
APIS_OF_THE_CLUSTER = (
    "anthosconfigmanagement.googleapis.com",
    "binaryauthorization.googleapis.com",
    "container.googleapis.com",
)

PURPOSES = {
    names.IdentityName.PIPELINES: "Runs the training pipelines",
    names.IdentityName.MONITORING: "Runs the monitoring pipelines and asks for a retraining",
    names.IdentityName.SERVING: "Serves the champion",
    names.IdentityName.NODES: "The cluster's nodes; what runs on them has identities of its own",
    names.IdentityName.SCHEDULER: "Starts the workflow that starts pipelines, and the nightly drift check",
    names.IdentityName.SYNC: "Pulls the cluster's manifests; does nothing else",
    names.IdentityName.RETRAIN: "Turns a schedule or a request for a retraining into a run of a pipeline",
}

# Who attaches an identity to what it starts (`iam.serviceAccounts.actAs`); `apply` attaches what Terraform creates.
USERS = {
    names.IdentityName.PIPELINES: (names.IdentityName.RETRAIN,),
    names.IdentityName.MONITORING: (names.IdentityName.RETRAIN,),
    names.IdentityName.SERVING: (names.IdentityName.APPLY,),
    names.IdentityName.NODES: (names.IdentityName.APPLY,),
    names.IdentityName.SCHEDULER: (names.IdentityName.APPLY,),
    names.IdentityName.RETRAIN: (names.IdentityName.APPLY,),
    names.IdentityName.SYNC: (),
}

# Which service agents encrypt with which key, and in which environments. Those that exist on demand only were made by
# `fonderie bootstrap`. The secrets of the cluster are encrypted everywhere.
ENCRYPTERS: dict[tuple[KeyName, tuple[AgentName, ...]], Callable[[Environment], bool]] = {
    (
        KeyName.DATA,
        (AgentName.STORAGE, AgentName.BIGQUERY, AgentName.PUBSUB, AgentName.AIPLATFORM),
    ): (lambda env: env.customer_keys),
    (KeyName.DATA, (AgentName.ARTIFACT_REGISTRY,)): lambda env: env.customer_keys and not env.images.registry,
    (KeyName.SECRETS, (AgentName.SECRET_MANAGER,)): lambda env: env.customer_keys,
    (KeyName.CLUSTER, (AgentName.CONTAINER,)): lambda env: env.features.cluster,
    (KeyName.CLUSTER, (AgentName.COMPUTE,)): lambda env: env.features.cluster and env.customer_keys,
}


class FoundationStack(EnvironmentStack):
    """APIs, network, workload identities; nothing in it holds data."""

    name = StackName.FOUNDATION

    def build(self) -> None:
        """Add the stack's resources."""
        env = self.env
        of_cluster = APIS_OF_THE_CLUSTER if env.features.cluster else ()
        self.apis = Apis(self, "api", services=(*APIS, *of_cluster))
        Network(self, "network", env=env, after=self.apis("compute.googleapis.com"))
        self._identities()
        self._encrypters()

    def _identities(self) -> None:
        env, made = self.env, dict[names.IdentityName, Any]()
        people = {
            names.IdentityName.PIPELINES: env.people.engineers,
            names.IdentityName.MONITORING: env.people.engineers,
            names.IdentityName.SERVING: env.people.oncall,
        }
        for who in WORKLOAD_ROLES:
            identity = Identity(
                self,
                who,
                env=env,
                who=who,
                purpose=PURPOSES[who],
                roles=roles_of(env, who),
                users=[*(names.member(env, user) for user in USERS[who]), *people.get(who, ())],
                after=[made[user] for user in USERS[who] if user in made],
            )
            made[who] = identity.account
        if env.git.connected:  # the drift check's trigger runs as who plans, and the scheduler starts it
            scheduler = made[names.IdentityName.SCHEDULER]
            ServiceAccountIamMember(
                self,
                "scheduler-uses-plan",
                service_account_id=names.account_path(env, names.IdentityName.PLAN),
                role=USER,
                member=scheduler.member,
            )

    def _encrypters(self) -> None:
        after = [*self.apis.all]
        if self.env.customer_keys:
            after.append(DataGoogleStorageProjectServiceAccount(self, "storage-agent"))
        for (key, agents), wanted in ENCRYPTERS.items():
            if wanted(self.env):
                grant_encryption(self, self.env, key, agents, after=after)
