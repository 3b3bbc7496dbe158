"""The recreate of an environment: steps in an order, each noted in the journal when it is done."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from ci.lifecycle.deploy import Deployer, PlannedStack, Stack, by_a_person, synthesise
from ci.lifecycle.recreate.adopt import adopt, import_ids, survivors
from ci.lifecycle.recreate.destroys import DestroyLoss, losses, unprotect
from ci.lifecycle.recreate.journal import RecreateJournal
from ci.lifecycle.recreate.operator_actions import OperatorActions, operator_actions_for
from fonderie.core.errors import BadInputError, FonderieError, RefusedError, StepFailedError
from fonderie.core.files import write_text
from fonderie.sandbox.provider.facts import Facts
from fonderie.sandbox.runner import Options, default_cloud, stand_in
from fonderie.terraform.runner import Event
from infra.settings import load_environment

_IN_USE = ("resourceInUseByAnotherResource", "already being used by", "is still in use")
_PATIENCE_S = (20.0, 60.0, 120.0)  # a cluster leaves firewall rules behind that Google removes a little later

Tell = Callable[[str], None]


@dataclass
class Recreate:
    """One recreate. `stacks` are the environment's, in order; those called `...-bootstrap` are left alone."""

    environment: str
    project: str
    stacks: Sequence[Stack]
    deployer: Deployer
    operator: OperatorActions
    work: Path  # for copies of the configuration without protections
    tell: Tell
    facts: Facts = field(default_factory=Facts.load)
    wait: Callable[[float], None] = time.sleep
    _losing: list[DestroyLoss] = field(default_factory=list)
    _secrets: dict[str, bytes] = field(default_factory=dict)

    @property
    def destroyable(self) -> list[Stack]:
        """The stacks that are destroyed and deployed again."""
        return [one for one in self.stacks if not by_a_person(one.name)]

    def will_lose(self) -> list[DestroyLoss]:
        """What the destroy will lose: Terraform's own plans of it. Raises RefusedError for what is never destroyed."""
        for stack in self.destroyable:
            unprotect(_config(stack), self.facts, stack=stack.name)
        for stack in self.stacks:
            if stack not in self.destroyable and not self.deployer.terraform(stack).state():
                raise RefusedError(
                    "the bootstrap stack has not been deployed",
                    where=stack.name,
                    hint=f"run `fonderie bootstrap --env {self.environment}` first",
                )
        self._losing = losses(self.deployer.plan_all(self.destroyable, destroy=True))
        return self._losing

    def run(self, journal: RecreateJournal) -> list[PlannedStack]:
        """Do what the journal does not say is done, after `will_lose`; the empty plans at the end.

        Raises FonderieError, with the step in the journal.
        """
        try:
            self._hold_secrets()
            for stack in reversed(self.destroyable):
                self._step(journal, f"unprotect {stack.name}", partial(self._unprotect, stack))
            for stack in reversed(self.destroyable):
                self._step(journal, f"destroy {stack.name}", partial(self._destroy, stack))
            for stack in self.destroyable:
                self._step(journal, f"deploy {stack.name}", partial(self._deploy, stack))
            return self._verify(journal)
        except FonderieError as error:
            journal.why = str(error)
            journal.write()
            raise

    # -- the steps

    def _step(self, journal: RecreateJournal, name: str, act: Callable[[], None]) -> None:
        if name in journal.done:
            self.tell(f"{name}: already done")
            return
        self.tell(name)
        journal.failed = name
        journal.write()
        act()
        journal.did(name)

    def _unprotect(self, stack: Stack) -> None:
        lifted = unprotect(_config(stack), self.facts, stack=stack.name)
        present = {one.address.split("[")[0] for one in self._losing if one.stack == stack.name}
        if targets := [f"-target={address}" for address in lifted.addresses if address in present]:
            self.deployer.terraform(self._copy(stack, lifted.config)).apply(*targets)

    def _destroy(self, stack: Stack) -> None:
        self._undeploy_models(stack)
        for patience in (*_PATIENCE_S, None):
            try:
                self.deployer.destroy([stack])
                return
            except StepFailedError as error:
                if patience is None or not any(words in error.what for words in _IN_USE):
                    raise
                self.tell(f"{stack.name}: a resource is still in use; retrying in {patience:.0f} s")
                self.wait(patience)

    def _deploy(self, stack: Stack) -> None:
        adopted = bool(import_ids().keys() & _types(stack))
        while adopted:  # a key's place is known once its ring is imported
            (planned,) = self.deployer.plan_all([stack])
            found = survivors(planned, self.project)
            adopted = adopt(self.deployer.terraform(stack), found, self.operator, self.tell) > 0
        self.deployer.deploy([stack])
        self._put_secrets_back(stack)

    def _verify(self, journal: RecreateJournal) -> list[PlannedStack]:
        self.tell("plan: must be empty")
        journal.failed = "plan"
        plans = self.deployer.plan_all(self.stacks)
        if changed := [one for one in plans if one.changes]:
            addresses = [address for one in changed for address in _changed(one)]
            raise StepFailedError(
                f"the plan is not empty after the recreate: {', '.join(addresses[:5])}",
                where=changed[0].stack,
                hint="see `terraform plan`; run the command again once it is fixed",
            )
        journal.did("plan")
        journal.finished = datetime.now(UTC)
        journal.write()
        return plans

    # -- what Terraform cannot do

    def _hold_secrets(self) -> None:
        """Values are kept in memory while their secrets are away: they are written nowhere."""
        for loss in self._losing:
            if (
                loss.type == "google_secret_manager_secret"
                and (value := self.operator.secret_value(loss.id)) is not None
            ):
                self._secrets[loss.id] = value

    def _put_secrets_back(self, stack: Stack) -> None:
        if "google_secret_manager_secret" not in _types(stack):
            return
        made = self.deployer.terraform(stack).resources()
        for secret in (one["values"]["id"] for one in made if one["type"] == "google_secret_manager_secret"):
            if self.operator.secret_value(secret) is not None:
                continue
            if secret in self._secrets:
                self.operator.put_secret_value(secret, self._secrets[secret])
                self.tell(f"{secret} has its value restored")
            else:
                self.tell(f"{secret} has no value: add one with `gcloud secrets versions add`")

    def _undeploy_models(self, stack: Stack) -> None:
        here = [one.id for one in self._losing if (one.stack, one.type) == (stack.name, "google_vertex_ai_endpoint")]
        for endpoint in here:
            if number := self.operator.undeploy(endpoint):
                self.tell(f"undeployed {number} models from {endpoint}")

    # -- shared

    def _copy(self, stack: Stack, config: Mapping[str, Any]) -> Stack:
        folder = self.work / stack.name
        state = config.get("terraform", {}).get("backend", {}).get("local")
        for block in state if isinstance(state, list) else [state] if state else []:
            if "path" in block:
                block["path"] = str((stack.folder / block["path"]).resolve())
        write_text(folder / "cdk.tf.json", json.dumps(config))
        return Stack(stack.name, folder, stack.after)


def confirm(losing: Sequence[DestroyLoss], environment: str, ask: Callable[[str], str]) -> None:
    """Ask for the environment's name before anything is destroyed. Raises RefusedError for any other answer."""
    if losing and ask(f"Type {environment} to destroy and deploy it again") != environment:
        raise RefusedError("nothing was destroyed", hint="answer with the environment's name, or give --yes")


def _config(stack: Stack) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((stack.folder / "cdk.tf.json").read_text(encoding="utf-8"))
    return config


def _types(stack: Stack) -> set[str]:
    return set(_config(stack).get("resource", {}))


def _changed(planned: PlannedStack) -> list[str]:
    return [
        change["address"]
        for change in planned.plan.get("resource_changes", [])
        if change["change"]["actions"] not in (["no-op"], ["read"])
    ]


ROOT = Path(__file__).parents[3]


@contextmanager
def open_recreate(name: str, *, sandbox: bool, cloud: Path | None, tell: Callable[[str], None]) -> Iterator[Recreate]:
    """A recreate of the environment, ready to run. In a command of the sandbox it is in the sandbox already."""
    load_environment(name)  # what is wrong with its settings is said before anything starts
    if not sandbox:
        with _opened(name, os.environ, tell) as recreate:
            yield recreate
        return
    with (
        stand_in(Options((cloud or default_cloud()).absolute(), identity="person")) as up,
        _opened(name, up.environment, tell) as recreate,
    ):
        yield recreate


@contextmanager
def _opened(name: str, environment: Mapping[str, str], tell: Callable[[str], None]) -> Iterator[Recreate]:
    env = load_environment(name)
    tell(f"synthesising {name}")
    outdir = Path(environment.get("CDKTF_OUTDIR") or ROOT / "cdktf.out")
    stacks = [one for one in synthesise([name], outdir, variables=environment) if _belongs(one, name)]
    if not stacks:
        raise BadInputError(f"the synthesis produced no stack for {name}", where=outdir)
    with tempfile.TemporaryDirectory(prefix="fonderie-recreate-") as work:
        operator = operator_actions_for(environment, env.project_id)
        deployer = Deployer(environment, partial(_tell_waits, tell))
        yield Recreate(name, env.project_id, stacks, deployer, operator, Path(work), tell)


def _tell_waits(tell: Tell, event: Event) -> None:
    if event.kind == "waiting":
        tell(f"{event.stack}: {event.action}")


def _belongs(stack: Stack, environment: str) -> bool:
    return stack.name.startswith(f"{environment}-")
