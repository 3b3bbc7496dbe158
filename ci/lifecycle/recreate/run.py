"""The recreate itself: steps in an order, each noted in the journal when it is done."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ci.lifecycle.deploy import Deployer, PlannedStack, Stack
from ci.lifecycle.recreate.adopt import adopt, import_ids, survivors
from ci.lifecycle.recreate.destroys import Loss, losses
from ci.lifecycle.recreate.journal import Journal
from ci.lifecycle.recreate.operator_actions import Hands
from ci.lifecycle.recreate.unprotect import lift
from fonderie.core.errors import FonderieError, RefusedError, StepFailedError
from fonderie.core.files import write_text
from fonderie.sandbox.provider.facts import Facts

KEPT = "bootstrap"  # never destroyed with its environment
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
    hands: Hands
    work: Path  # for copies of the configuration without protections
    tell: Tell
    facts: Facts = field(default_factory=Facts.load)
    wait: Callable[[float], None] = time.sleep
    _losing: list[Loss] = field(default_factory=list)
    _secrets: dict[str, bytes] = field(default_factory=dict)

    @property
    def mortal(self) -> list[Stack]:
        """The stacks that are destroyed and deployed again."""
        return [one for one in self.stacks if not one.name.endswith(f"-{KEPT}")]

    def will_lose(self) -> list[Loss]:
        """What the destroy will lose: Terraform's own plans of it. Raises RefusedError for what is never destroyed."""
        for stack in self.mortal:
            lift(_config(stack), self.facts, stack=stack.name)
        for stack in self.stacks:
            if stack not in self.mortal and not self.deployer.terraform(stack).state():
                raise RefusedError(
                    "the bootstrap stack has not been deployed",
                    where=stack.name,
                    hint=f"run `fonderie bootstrap --env {self.environment}` first",
                )
        self._losing = losses(self.deployer.plan_all(self.mortal, destroy=True))
        return self._losing

    def run(self, journal: Journal) -> list[PlannedStack]:
        """Do what the journal does not say is done, after `will_lose`; the empty plans at the end.

        Raises FonderieError, with the step in the journal.
        """
        try:
            self._hold_secrets()
            for stack in reversed(self.mortal):
                self._step(journal, f"unprotect {stack.name}", lambda stack=stack: self._unprotect(stack))  # type: ignore[misc]  # bound now
            for stack in reversed(self.mortal):
                self._step(journal, f"destroy {stack.name}", lambda stack=stack: self._destroy(stack))  # type: ignore[misc]  # bound now
            for stack in self.mortal:
                self._step(journal, f"deploy {stack.name}", lambda stack=stack: self._deploy(stack))  # type: ignore[misc]  # bound now
            return self._verify(journal)
        except FonderieError as error:
            journal.why = str(error)
            journal.write()
            raise

    # -- the steps

    def _step(self, journal: Journal, name: str, act: Callable[[], None]) -> None:
        if name in journal.done:
            self.tell(f"{name}: already done")
            return
        self.tell(name)
        journal.failed = name
        journal.write()
        act()
        journal.did(name)

    def _unprotect(self, stack: Stack) -> None:
        lifted = lift(_config(stack), self.facts, stack=stack.name)
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
            adopted = adopt(self.deployer.terraform(stack), found, self.hands, self.tell) > 0
        self.deployer.deploy([stack])
        self._put_secrets_back(stack)

    def _verify(self, journal: Journal) -> list[PlannedStack]:
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
            if loss.type == "google_secret_manager_secret" and (value := self.hands.secret_value(loss.id)) is not None:
                self._secrets[loss.id] = value

    def _put_secrets_back(self, stack: Stack) -> None:
        if "google_secret_manager_secret" not in _types(stack):
            return
        made = self.deployer.terraform(stack).resources()
        for secret in (one["values"]["id"] for one in made if one["type"] == "google_secret_manager_secret"):
            if self.hands.secret_value(secret) is not None:
                continue
            if secret in self._secrets:
                self.hands.put_secret_value(secret, self._secrets[secret])
                self.tell(f"{secret} has its value restored")
            else:
                self.tell(f"{secret} has no value: add one with `gcloud secrets versions add`")

    def _undeploy_models(self, stack: Stack) -> None:
        here = [one.id for one in self._losing if (one.stack, one.type) == (stack.name, "google_vertex_ai_endpoint")]
        for endpoint in here:
            if number := self.hands.undeploy(endpoint):
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


def confirm(losing: Sequence[Loss], environment: str, ask: Callable[[str], str]) -> None:
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
