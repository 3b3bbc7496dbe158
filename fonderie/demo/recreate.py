"""From scratch: destroy what was deployed, deploy it again, and plan once more: nothing may be left to do."""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from ci.lifecycle.deploy import Deployer, stacks_in
from ci.lifecycle.recreate.destroys import by_stack
from ci.lifecycle.recreate.journal import RecreateJournal
from ci.lifecycle.recreate.operator_actions import operator_actions_for
from ci.lifecycle.recreate.run import Recreate
from fonderie.core.page import Section, table
from fonderie.demo.cloud import ENVIRONMENT, DemoCloud
from fonderie.demo.runner import Context


def recreate_environment(context: Context) -> str:
    """What `fonderie recreate --env local --sandbox` does, in the demo's own cloud."""
    cloud = DemoCloud(context.folder)
    context.console.print(f"like fonderie recreate --env {ENVIRONMENT} --sandbox")
    start = time.monotonic()
    with (
        cloud.up() as stand_in,
        tempfile.TemporaryDirectory(prefix="recreate-") as work,
        context.console.status("planning what will be lost") as status,
    ):
        recreate = Recreate(
            ENVIRONMENT,
            cloud.environment.project_id,
            stacks_in(cloud.stacks),
            Deployer(owner := stand_in.as_("person")),
            operator_actions_for(owner, cloud.environment.project_id),
            Path(work),
            status.update,
        )
        lost = by_stack(recreate.will_lose())
        plans = recreate.run(RecreateJournal(environment=f"demo-{ENVIRONMENT}", started=datetime.now(UTC)))
    changed = [plan.stack for plan in plans if plan.changes]
    took = f"{time.monotonic() - start:.1f} s"
    planned = "changes in " + ", ".join(changed) if changed else "no changes"
    outcome = f"{sum(lost.values())} resources destroyed and made again in {took}, then planned: {planned}"
    context.console.print(outcome)
    caption = "Resources destroyed and made again; the bootstrap stack (state, keys, identities) stays"
    shown = table(caption, ("stack", "resources"), list(lost.items()))
    context.sections.append(Section("Made again", shown))
    return outcome
