"""Our own checks: what checkov cannot know, because it depends on the environment, and what it does not look at.

A check is a function of a resource in its stack and environment that yields the values which break it. Its docstring's
first line is what it wants, as the report says it. What must not be taken lightly is checked here even where checkov
looks too: a waiver of one is none of the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from fonderie.sandbox.dependencies import missing
from fonderie.sandbox.lifecycle.resource_paths import Names
from fonderie.sandbox.provider.facts import Facts
from infra import names
from infra.policy.checks import access, data_protection, delivery, network
from infra.policy.checks.hardening import SENTENCES, hardening_check
from infra.policy.checks.subject import Check, CheckSubject
from infra.policy.findings import PolicyFinding
from infra.settings import Environment
from infra.synthesised import SynthesisedStack

CHECKS: dict[str, Check] = {
    "FND_BOUNDED": access.bounded,
    "FND_CONTROL_PLANE": network.control_plane,
    "FND_DEFAULT_ACCOUNT": access.default_accounts,
    "FND_DIGEST": delivery.image_digests,
    "FND_ENCRYPTION": data_protection.encryption,
    "FND_FEDERATION": access.federation,
    "FND_FIREWALL": network.firewall,
    "FND_KEY": access.account_keys,
    "FND_LABELS": data_protection.labels,
    "FND_LEAST_PRIVILEGE": access.least_privilege,
    "FND_NETWORK": network.network,
    "FND_PARTITIONS": data_protection.partitions,
    "FND_PAUSED": delivery.schedules,
    "FND_PLAN_READS": access.plan_reads,
    "FND_PRIMITIVE_ROLE": access.primitive_roles,
    "FND_PROJECT": data_protection.project,
    "FND_PROTECTION": data_protection.protection,
    "FND_PUBLIC": access.public_members,
    "FND_REGION": data_protection.region,
    "FND_ROTATION": data_protection.rotation,
    "FND_SECRET_VALUE": data_protection.secret_values,
    "FND_SYNCED": delivery.config_sync,
    "FND_TRIGGER": delivery.triggers,
    **{check: hardening_check(check) for check in SENTENCES},
}
# What a stack must hold: without it, nothing that is left shows that it is gone.
MUST_HOLD = {
    names.StackName.BOOTSTRAP: {"google_project_iam_audit_config": "data access is not audited"},
    names.StackName.FOUNDATION: {"google_compute_firewall": "no rule says what may come in"},
}


def wanted(check: Check) -> str:
    """What a check wants, in a sentence."""
    return (check.__doc__ or "").splitlines()[0]


def _of_stack(stack: SynthesisedStack, env: Environment) -> Iterator[PolicyFinding]:
    """What no single resource shows: the provider's labels and project, and what must be there."""

    def finding(check: str, what: str, address: str, detail: str) -> PolicyFinding:
        return PolicyFinding(check=check, what=what, stack=stack.name, path=stack.name, address=address, detail=detail)

    sentence = "Every resource says which environment it belongs to, who owns it and what manages it."
    for problem in data_protection.wrong_labels(stack.default_labels, env, "default_labels"):
        yield finding("FND_LABELS", sentence, "provider.google", problem)
    if stack.project and stack.project != env.project_id:
        detail = f"project = {stack.project}, the environment's is {env.project_id}"
        yield finding("FND_PROJECT", wanted(data_protection.project), "provider.google", detail)
    paths = {resource.address: resource.path for resource in stack.resources}
    for lacking in missing([stack.document], _names(env)):
        sentence = "Whatever is needed and made in the same stack is waited for."
        found = finding("FND_WAITS", sentence, lacking.address, f"{lacking.what}: {lacking.fix}")
        yield found.model_copy(update={"path": paths[lacking.address]})
    held = {resource.type for resource in stack.resources}
    kind = stack.name.partition("-")[2]
    for type, why in MUST_HOLD.get(names.StackName(kind), {}).items() if kind in set(names.StackName) else ():
        if type not in held:
            yield finding("FND_MISSING", "Resources that others rely on exist.", type, f"no {type}: {why}")


@cache
def _facts() -> Facts:
    return Facts.load()


def _names(env: Environment) -> Names:
    """How things are named in the project of an environment."""
    return Names(
        _facts(),
        lambda project: env.project_number if project == env.project_id else 0,
        lambda number: env.project_id if number == env.project_number else None,
    )


def scan(stack: SynthesisedStack, env: Environment) -> tuple[int, list[PolicyFinding]]:
    """(number of checks made, what failed) for one stack of `env`."""
    findings = list(_of_stack(stack, env))
    for resource in stack.resources:
        subject = CheckSubject(resource, stack, env)
        for name, check in CHECKS.items():
            findings += [
                PolicyFinding(
                    check=name,
                    what=wanted(check),
                    stack=stack.name,
                    path=resource.path,
                    address=resource.address,
                    detail=detail,
                )
                for detail in check(subject)
            ]
    return 1 + len(CHECKS) * len(stack.resources), findings
