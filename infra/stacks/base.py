"""What every stack of an environment has: its provider, its labels, its state."""

from __future__ import annotations

from imports.google.provider import GoogleProvider
from infra import names
from infra.bindings import App, GcsBackend, LocalBackend, TerraformStack
from infra.names import StackName
from infra.settings import Backend, Environment
from infra.workloads import Workloads


class EnvironmentStack(TerraformStack):
    """A stack named `<environment>-<stack>`, labelled, with its state in the environment's backend.

    State is one prefix a stack in the bootstrap's bucket, or, for a `local` backend, `.fonderie/state/<id>.tfstate`.
    That path is relative to the folder Terraform works in (`cdktf.out/stacks/<id>`, by `cdktf deploy` as by
    `terraform -chdir`), so the synthesised file is the same on every machine.
    """

    name: StackName

    def __init__(self, app: App, env: Environment, *, backend: Backend, workloads: Workloads) -> None:
        super().__init__(app, names.stack(env, self.name))
        self.env = env
        self.workloads = workloads
        labels = {**env.all_labels, "stack": self.name}
        GoogleProvider(self, "google", project=env.project_id, region=env.region, default_labels=labels)
        if backend is Backend.LOCAL:
            LocalBackend(self, path=names.LOCAL_STATE.format(names.stack(env, self.name)))
        else:
            GcsBackend(self, bucket=names.bucket(env, names.BucketName.STATE), prefix=names.stack(env, self.name))
        self.build()

    def build(self) -> None:
        """Add the stack's resources."""
        raise NotImplementedError
