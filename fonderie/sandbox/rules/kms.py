"""Keys are for ever, and using one needs the right to.

Source: Cloud KMS's "Key destruction and restoration", "Customer-managed encryption keys", and the recorded cases.
"""

from __future__ import annotations

from fonderie.sandbox.iam.caller import Caller
from fonderie.sandbox.lifecycle import object_requests
from fonderie.sandbox.lifecycle.resource_paths import api_of
from fonderie.sandbox.lifecycle.world import ObjectRequest
from fonderie.sandbox.rules import agents
from fonderie.sandbox.rules.rulebook import LifecycleEvent, rule

_CMEK = "https://cloud.google.com/kms/docs/cmek"
_ROLES = frozenset(
    {
        "roles/cloudkms.cryptoKeyEncrypterDecrypter",
        "roles/cloudkms.cryptoKeyEncrypterDecrypterViaDelegation",
        "roles/owner",
    }
)
_USE = "cloudkms.cryptoKeyVersions.useToEncrypt"
_DISKS = ("boot_disk_kms_key", "disk_encryption_key")


@rule(LifecycleEvent.DELETE, "google_kms_crypto_key", source="recorded: destroy of google_kms_crypto_key")
def versions_are_destroyed_not_the_key(request: ObjectRequest) -> None:
    """Destroying a key schedules its versions for destruction and clears the rotation; the key stays."""
    if request.thing is None:
        return
    primary = [{**one, "state": "DESTROY_SCHEDULED"} for one in request.thing.attributes.get("primary") or []]
    request.extra["stays"] = {**request.thing.attributes, "rotation_period": None, "primary": primary}


@rule(LifecycleEvent.CREATE, "*", source=_CMEK)
def the_agent_may_use_the_key(request: ObjectRequest) -> None:
    """What is encrypted with a key of ours needs the service's agent to be allowed to use that key."""
    if not request.fresh or request.type.startswith("google_kms_"):
        return
    for one in object_requests.references(request):
        if one.type == "google_kms_crypto_key" and one.attribute:
            _check(request, one)


def _check(request: ObjectRequest, key: object_requests.Reference) -> None:
    disk = any(part in key.attribute for part in _DISKS)
    service = "compute.googleapis.com" if disk else api_of(request.type)[0]
    email = agents.email_or_none(service, request.number)
    if email is None or key.path.split("/")[1] not in request.cloud.projects():
        return
    if not request.cloud.has_agent(email) or not _allowed(request, key.path, Caller(f"serviceAccount:{email}")):
        raise request.error(
            403,
            f"Permission denied on Cloud KMS key. Please ensure that the service account {email} has been authorized "
            f"to use the key {key.path} (roles/cloudkms.cryptoKeyEncrypterDecrypter).",
            "forbidden",
        )


def _allowed(request: ObjectRequest, key: str, agent: Caller) -> bool:
    access = request.world.access
    return access.allows(agent, _USE, key) or bool(access.roles_of(agent, key) & _ROLES)
