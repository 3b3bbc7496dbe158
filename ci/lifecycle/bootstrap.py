"""The chicken and the egg: the bootstrap stack makes the bucket that its own state is to be kept in.

    local state -> apply -> service agents and their roles -> move the state into the bucket

Every step can be run again: what is there already is left alone, and a run that was interrupted goes on where it was.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ci.synth import synthesise
from fonderie.core.errors import ConflictError, StepFailedError
from fonderie.google import Access, NoCredentialsError
from fonderie.terraform import runner
from fonderie.terraform.refusals import patiently
from fonderie.terraform.runner import Terraform, interruptible
from infra import names
from infra.main import chosen_backend, chosen_outdir
from infra.names import AGENT_ROLES, AGENTS_ON_DEMAND, LOCAL_STATE, AgentName
from infra.settings import Backend, Environment

if TYPE_CHECKING:
    from fonderie.sandbox.cloud.cloud import Cloud


def make_agents(env: Environment, agents: Sequence[AgentName]) -> None:
    """Let `agents` exist in the environment's project, with the roles that Google would have given them.

    At Google's, or in the sandbox if a command runs in one.
    """
    roles = {names.agent(env, agent): AGENT_ROLES[agent] for agent in agents if agent in AGENT_ROLES}
    if sandbox := os.environ.get("FONDERIE_SANDBOX"):
        from fonderie.sandbox.cloud.cloud import Cloud

        with Cloud(Path(sandbox)) as cloud:
            for agent in agents:
                cloud.add_agent(names.agent_email(env, agent))
            _grant_in(cloud, f"projects/{env.project_id}", roles)
        return
    from fonderie.google.agents import grant_roles, make_service_agents

    try:
        access = Access.from_environment(env.project_id)
        make_service_agents(access, env.project_number, agents)
        grant_roles(access, roles)
    except NoCredentialsError as error:
        offline = f"try it offline: `fonderie sandbox run --as person -- fonderie bootstrap --env {env.name}`"
        raise NoCredentialsError(error.what, where=error.where, hint=f"{error.hint}; or {offline}") from error


def _grant_in(cloud: Cloud, project: str, roles: Mapping[str, str]) -> None:
    """Add the members to the policy of the sandbox's project; what is held stays."""
    version, policy = cloud.policy(project)
    bindings = policy.get("bindings", [])
    held = {(one["role"], who) for one in bindings for who in one["members"]}
    added = [
        {"role": role, "condition": None, "members": [member]}
        for member, role in roles.items()
        if (role, member) not in held
    ]
    if added and not cloud.set_policy(project, {**policy, "bindings": [*bindings, *added]}, version=version):
        raise ConflictError("somebody else changed the policy", where=project, hint="run it again")


@dataclass(frozen=True)
class Bootstrap:
    """One run of it. `tell` is told each step as it begins."""

    env: Environment
    tell: Callable[[str], None]
    agents: Callable[[Environment, Sequence[AgentName]], None] = make_agents

    def run(self) -> Path | None:
        """Apply the stack, make the service agents, keep the state where it belongs; the local state's place if any."""
        try:
            return self._run()
        except StepFailedError as error:
            hint = error.hint or "mend the cause and run the command again: it goes on where it was"
            raise StepFailedError(error.what, where=error.where, hint=hint) from error

    def _run(self) -> Path | None:
        remote = chosen_backend(self.env) is Backend.GCS
        if remote and not self.local_state.is_file() and self._is_in_the_bucket():
            self.tell("the state is in its bucket: applying what changed")
            self._apply(Backend.GCS)
            self._make_agents()
            return None
        self.tell(f"applying with the state on this machine ({self.local_state})")
        self._apply(Backend.LOCAL)
        self._make_agents()
        if not remote:
            return self.local_state
        self.tell(f"moving the state into gs://{names.bucket(self.env, names.BucketName.STATE)}")
        self._move()
        return None

    @property
    def stack(self) -> str:
        """Id of the stack."""
        return names.stack(self.env, names.StackName.BOOTSTRAP)

    @property
    def folder(self) -> Path:
        """Where Terraform works."""
        return chosen_outdir().absolute() / "stacks" / self.stack

    @property
    def local_state(self) -> Path:
        """Where the state is before there is a bucket: see `EnvironmentStack`."""
        return (self.folder / LOCAL_STATE.format(self.stack)).resolve()

    def _is_in_the_bucket(self) -> bool:
        """Whether the bucket is there and holds the stack's state. Raises StepFailedError when that can't be told."""
        self._synthesise(Backend.GCS)
        try:
            self._terraform.init("-reconfigure")
        except StepFailedError as error:
            said = " ".join(error.what.split())  # Terraform breaks its lines where they are long
            if any(words in said for words in _NO_BUCKET):
                return False
            raise
        return bool(self._terraform.pull())

    def _apply(self, backend: Backend) -> None:
        self._synthesise(backend)
        self._terraform.init("-reconfigure")
        with interruptible():
            patiently(self._terraform.apply, self.tell)

    def _make_agents(self) -> None:
        self.tell(f"service agents: {', '.join(agent.partition('.')[0] for agent in AGENTS_ON_DEMAND)}")
        self.agents(self.env, AGENTS_ON_DEMAND)

    def _move(self) -> None:
        """Terraform copies the state itself; the local one goes only once the bucket's holds the same resources."""
        self._synthesise(Backend.GCS)
        self._terraform.init("-migrate-state", "-force-copy")
        if _resources(json.loads(self.local_state.read_text(encoding="utf-8"))) != _resources(self._terraform.pull()):
            raise StepFailedError(
                "the state in the bucket differs from the one on this machine",
                where=self.local_state,
                hint="nothing was removed; compare them with `terraform state pull`, then run the command again",
            )
        self.local_state.replace(self.local_state.with_suffix(".moved"))

    def _synthesise(self, backend: Backend) -> None:
        synthesise([self.env], chosen_outdir(), backend=backend)

    @property
    def _terraform(self) -> Terraform:
        return Terraform(runner.find(), self.folder, self.stack, os.environ)


# What Terraform says when there is no bucket yet, or no Cloud Storage: a project that was made by an API may have that
# switched off, and the stack switches it on.
_NO_BUCKET = (
    "bucket doesn't exist",
    "notFound",
    "SERVICE_DISABLED",
    "accessNotConfigured",
    "has not been used in project",
)


def _resources(state: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {(resource["type"], resource["name"]) for resource in state.get("resources", [])}
