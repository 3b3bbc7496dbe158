"""`cdktf deploy` of the local environment: the real cdktf, the real Terraform, the sandbox in Google's place."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from rich.table import Table

from fonderie.cli.tables import show_table
from fonderie.core.errors import StepFailedError
from fonderie.core.page import Section, table
from fonderie.demo.cloud import ENVIRONMENT, DemoCloud
from fonderie.demo.runner import Context
from infra import names
from infra.names import StackName

ROOT = Path(__file__).parents[2]
CREATED = re.compile(r"([\w.\-\[\]\"]+): Creation complete")
TAIL_LINES = 15


def provision(context: Context) -> str:
    """Bootstrap as the owner, deploy every stack as `apply`; the registry of the later steps is a bucket that Terraform
    made."""
    cloud = DemoCloud(context.folder)
    stacks = [names.stack(cloud.environment, each) for each in StackName if each is not StackName.BOOTSTRAP]
    command = ["cdktf", "deploy", *stacks, "--ignore-missing-stack-dependencies"]
    bootstrap = ["fonderie", "bootstrap", "--env", ENVIRONMENT]
    log = context.folder / "deploy.log"
    settings = {"FONDERIE_ENV": ENVIRONMENT, "CI": "1", "FORCE_COLOR": "0", "CDKTF_OUTDIR": str(cloud.stacks)}
    with cloud.up() as stand_in:
        context.console.print(f"fonderie sandbox run --as person -- {' '.join(bootstrap)}")
        owner = {**stand_in.as_("person"), **settings}
        _run([sys.executable, "-m", "fonderie.cli.main", *bootstrap[1:]], owner, log, context)
        context.console.print(f"fonderie sandbox run -- {' '.join(command)}")
        options = ["--auto-approve", "--skip-provider-lock", "--output", str(cloud.stacks)]
        _run([*command, *options], {**stand_in.environment, **settings}, log, context)
    counts = cloud.resources()
    shown = Table("stack", "resources", box=None)
    for stack, count in counts.items():
        shown.add_row(stack, str(count))
    show_table(shown, context.console)
    context.registry = str(cloud.models_bucket / "registry")
    context.console.print(f"models go to the bucket {cloud.models_bucket.name}, which is a folder here")
    caption = "Created by the real Terraform on a fresh project that the sandbox imitates"
    context.sections.append(Section("Resources", table(caption, ("stack", "resources"), list(counts.items()))))
    return f"{sum(counts.values())} resources in {len(counts)} stacks"


def _run(command: list[str], environment: dict[str, str], log: Path, context: Context) -> None:
    """Run a command with its output added to `log` and a counter on the screen."""
    created = 0
    with (
        log.open("a", encoding="utf-8") as output,
        context.console.status("synthesising") as status,
        subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process,
    ):
        for line in process.stdout or ():
            output.write(line)
            if match := CREATED.search(line):
                created += 1
                status.update(f"{created} resources created, {match[1]}")
    if process.returncode:
        tail = "\n".join(log.read_text(encoding="utf-8").splitlines()[-TAIL_LINES:])
        raise StepFailedError(f"{' '.join(command[:5])} failed\n{tail}", where=log)
