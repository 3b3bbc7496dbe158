"""What the platform remembers: buckets, images, datasets, secrets."""

from __future__ import annotations

from infra import names
from infra.constructs.bucket import Bucket
from infra.constructs.dataset import BigQueryDataset
from infra.constructs.registry import ImageRegistry
from infra.constructs.secret import Secret
from infra.names import AgentName, IdentityName, StackName
from infra.stacks.base import EnvironmentStack
from infra.stacks.tables import drift_table, features_table, months_tables, predictions_table

IMAGE_READERS = (
    IdentityName.APPLY,  # it looks whether what it deploys is there
    IdentityName.NODES,
    IdentityName.SYNC,
)


class DataStack(EnvironmentStack):
    """Buckets, the image registry, datasets, secrets. All of it is protected unless the environment is ephemeral."""

    name = StackName.DATA

    def build(self) -> None:
        """Add the stack's resources."""
        self.plan, self.apply, self.builder = self._members(IdentityName.PLAN, IdentityName.APPLY, IdentityName.BUILDER)
        self.pipelines, self.monitoring = self._members(IdentityName.PIPELINES, IdentityName.MONITORING)
        self.serving, self.retrain = self._members(IdentityName.SERVING, IdentityName.RETRAIN)
        self._buckets()
        self._datasets()
        if not self.env.images.registry:
            ImageRegistry(self, "images", env=self.env, readers=self._image_readers(), writers=[self.builder])
        connected = self.env.git.connected
        Secret(  # Cloud Build's connection administers the repository with it: no build reads it
            self,
            "git-token",
            env=self.env,
            which=names.SecretName.GIT_TOKEN,
            readers=[names.agent(self.env, AgentName.CLOUD_BUILD)] if connected else [],
        )
        Secret(  # the builds of preview and apply speak to the Git host with this one, each as the identity it runs as
            self,
            "preview-token",
            env=self.env,
            which=names.SecretName.PREVIEW_TOKEN,
            readers=[self.plan, self.apply] if connected else [],
        )

    def _image_readers(self) -> list[str]:
        """Who pulls: the cluster's nodes and Config Sync, and the projects of environments without a registry; and who
        promotes, to look whether it is there.

        Of another project every account may, since a grant to one that does not exist yet is refused. Vertex AI pulls
        as its service agent, which a project's own registry lets in by itself; no workload pulls.
        Source: Vertex AI, "Use a custom container image: Artifact Registry permissions".
        """
        others = [names.accounts_of(other, kind) for other in self.env.image_readers for kind in names.AccountKind]
        return [*self._members(*IMAGE_READERS), *others, *self.env.people.engineers]

    def _members(self, *identities: IdentityName) -> list[str]:
        return [names.member(self.env, who) for who in identities]

    def _buckets(self) -> None:
        env, retention = self.env, self.env.retention
        Bucket(
            self,
            "raw",
            env=env,
            which=names.BucketName.RAW,
            expire_after_days=retention.raw_days,
        )
        Bucket(
            self,
            "models",
            env=env,
            which=names.BucketName.MODELS,
            # Who applies brings champions onto their endpoints.
            readers=[self.serving, self.monitoring, self.apply, *env.people.engineers],
            writers=[self.pipelines, *env.people.oncall],
        )
        Bucket(  # the monitor's history lies beside the runs, and is kept
            self,
            "pipeline-root",
            env=env,
            which=names.BucketName.PIPELINE_ROOT,
            readers=env.people.engineers,
            writers=[self.pipelines, self.monitoring],
            expire_after_days=retention.pipeline_root_days,
            expires=f"{names.RUNS}/",
        )
        Bucket(  # Terraform's only objects: who plans reads and who applies writes them here, and nowhere else
            self,
            "templates",
            env=env,
            which=names.BucketName.TEMPLATES,
            readers=[self.plan, self.retrain, *env.people.engineers],
            writers=[self.apply],
        )

    def _datasets(self) -> None:
        env = self.env
        BigQueryDataset(
            self,
            "flights",
            env=env,
            which=names.DatasetName.FLIGHTS,
            description="Flights and weather by month, and the register of planes",
            tables=months_tables(),
            readers=[self.pipelines, self.monitoring, *env.people.engineers],
        )
        BigQueryDataset(
            self,
            "features",
            env=env,
            which=names.DatasetName.FEATURES,
            description="Features of every flight, point in time",
            tables={names.FLIGHTS_TABLE: features_table(self.workloads.features)},
        )
        BigQueryDataset(
            self,
            "monitoring",
            env=env,
            which=names.DatasetName.MONITORING,
            description="What the endpoints answered, and how far data and predictions have moved",
            tables={
                names.PREDICTIONS_TABLE: predictions_table(env.retention.predictions_days),
                names.DRIFT_TABLE: drift_table(),
            },
        )
