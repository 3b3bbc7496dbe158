"""Where the models run: the GKE cluster with Kubeflow Pipelines, Vertex AI's endpoints and features."""

from __future__ import annotations

from imports.google.service_account_iam_member import ServiceAccountIamMember
from infra import names
from infra.constructs.cluster import Cluster
from infra.constructs.config_sync import ConfigSync
from infra.constructs.endpoint import Endpoint
from infra.constructs.feature_group import FeatureGroup
from infra.constructs.node_pool import NodePool
from infra.constructs.tensorboard import Tensorboard
from infra.names import IdentityName, StackName
from infra.stacks.base import EnvironmentStack

# Kubernetes' service accounts (namespace/name) and the identity each one is: Config Sync's own, and those of
# infra/kubernetes/. Source: Config Sync, "Sync OCI artifacts from Artifact Registry".
SYNC = "config-management-system/root-reconciler"
WORKLOADS = {
    "kubeflow/pipeline-runner": IdentityName.PIPELINES,
    "kubeflow/monitoring-runner": IdentityName.MONITORING,
    "serving/server": IdentityName.SERVING,
}


class RuntimeStack(EnvironmentStack):
    """Cluster, pools, fleet; an endpoint per model, their features. Everything in it can be made again."""

    name = StackName.RUNTIME

    def build(self) -> None:
        """Add the stack's resources."""
        env = self.env
        if env.features.cluster:
            self._kubernetes()
        for model in self.workloads.models:
            Endpoint(self, f"{model.name}-endpoint", env=env, model=model.name, description=model.description)
        read = {name for model in self.workloads.models for name in model.features}
        if features := [feature for feature in self.workloads.features if feature.name in read]:
            FeatureGroup(self, "features", env=env, features=features)
        if env.features.tensorboard:
            Tensorboard(self, "tensorboard", env=env)

    def _kubernetes(self) -> None:
        env = self.env
        cluster = Cluster(self, "cluster", env=env).cluster
        if env.features.config_sync:
            ConfigSync(self, "config-sync", env=env, cluster=cluster)
        system, pipelines = env.cluster.system, env.cluster.pipelines
        NodePool(
            self,
            "system-pool",
            env=env,
            cluster=cluster,
            pool="system",
            machine_type=system.machine_type,
            min_nodes=system.min_nodes,
            max_nodes=system.max_nodes,
        )
        NodePool(
            self,
            "pipelines-pool",
            env=env,
            cluster=cluster,
            pool="pipelines",
            machine_type=pipelines.machine_type,
            min_nodes=0,
            max_nodes=pipelines.max_nodes,
            spot=True,
        )
        syncing = {SYNC: IdentityName.SYNC} if env.features.config_sync else {}
        for account, who in {**WORKLOADS, **syncing}.items():
            ServiceAccountIamMember(
                self,
                f"{who}-on-cluster",
                service_account_id=names.account_path(env, who),
                role="roles/iam.workloadIdentityUser",
                member=f"serviceAccount:{names.workload_pool(env)}[{account}]",
                depends_on=[cluster],  # the pool of identities exists once the first cluster does
            )
