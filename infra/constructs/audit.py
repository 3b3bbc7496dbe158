"""Who read and changed what: Google's audit logs of data access, off by default."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from imports.google.project_iam_audit_config import ProjectIamAuditConfig, ProjectIamAuditConfigAuditLogConfig
from infra.bindings import Construct
from infra.settings import Environment

LOG_TYPES = ("ADMIN_READ", "DATA_READ", "DATA_WRITE")


class AuditTrail(Construct):
    """Data access logs of `services`; what is changed is always logged by Google.

    Source: Cloud Audit Logs, "Configure Data Access audit logs".
    """

    def __init__(
        self, scope: Construct, id: str, *, env: Environment, services: Sequence[str], after: Sequence[Any] = ()
    ) -> None:
        super().__init__(scope, id)
        for service in services:
            ProjectIamAuditConfig(
                self,
                service.removesuffix(".googleapis.com"),
                project=env.project_id,
                service=service,
                audit_log_config=[ProjectIamAuditConfigAuditLogConfig(log_type=kind) for kind in LOG_TYPES],
                depends_on=list(after) or None,
            )
