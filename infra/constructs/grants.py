"""One binding a member, named by who it is for: a reader finds a grant from its address."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from infra.bindings import Construct


def label_of(member: str) -> str:
    """Short name of a member for construct ids: `dev-pipelines`, `service-123-gcp-sa-pubsub`, `group-ml-acme-com`."""
    account = member.removeprefix("serviceAccount:").removesuffix(".iam.gserviceaccount.com")
    account, _, project = account.partition("@")
    ours = member.startswith("serviceAccount:") and not account.startswith(("service-", "bq-"))
    agent = f"-{project}" if project and not ours else ""
    return re.sub(r"[^A-Za-z0-9-]+", "-", f"{account}{agent}").strip("-")


def grant_each(scope: Construct, relation: str, binding: Any, members: Sequence[str], **arguments: Any) -> list[Any]:
    """A `binding` (an `..._iam_member` class) for each member; additive, so that grants made elsewhere stay."""
    return [binding(scope, f"{relation}-{label_of(member)}", member=member, **arguments) for member in members]
