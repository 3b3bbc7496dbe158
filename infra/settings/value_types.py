"""The kinds of value a setting can have, each with the rule of Google's it must keep and a reason to act on."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Annotated
from zoneinfo import available_timezones

from croniter import CroniterBadCronError, CroniterBadDateError, croniter
from pydantic import AfterValidator, Field

# Regions of Google Cloud with Vertex AI and GKE, November 2026. A new one is added here.
_AREAS = {
    "africa-south": (1,),
    "asia-east": (1, 2),
    "asia-northeast": (1, 2, 3),
    "asia-south": (1, 2),
    "asia-southeast": (1, 2),
    "australia-southeast": (1, 2),
    "europe-central": (2,),
    "europe-north": (1,),
    "europe-southwest": (1,),
    "europe-west": (1, 2, 3, 4, 6, 8, 9, 12),
    "me-central": (1, 2),
    "me-west": (1,),
    "northamerica-northeast": (1, 2),
    "southamerica-east": (1,),
    "southamerica-west": (1,),
    "us-central": (1,),
    "us-east": (1, 4, 5),
    "us-south": (1,),
    "us-west": (1, 2, 3, 4),
}
REGIONS = frozenset(f"{area}{number}" for area, numbers in _AREAS.items() for number in numbers)


def _matching(pattern: str, reason: str) -> Callable[[str], str]:
    rule = re.compile(pattern)

    def check(value: str) -> str:
        if not rule.fullmatch(value):
            raise ValueError(reason)
        return value

    return check


def _project_id(value: str) -> str:
    _matching(
        r"[a-z][a-z0-9-]{4,28}[a-z0-9]",
        "a project id has 6 to 30 lower-case letters, digits and hyphens, begins with a letter, ends with none",
    )(value)
    if word := next((word for word in ("google", "goog", "ssl") if word in value), None):
        raise ValueError(f"a project id may not contain {word!r}, and names of buckets are made from it")
    return value


def _region(value: str) -> str:
    if value not in REGIONS:
        raise ValueError(
            "not a region of Google Cloud with Vertex AI and GKE (infra/settings/value_types.py lists them)"
        )
    return value


def _cidr(value: str) -> str:
    try:
        network = ipaddress.IPv4Network(value)
    except ValueError as error:
        raise ValueError(f"not a range of IPv4 addresses: {error}") from error
    if "/" not in value:
        raise ValueError("a range has a prefix length, like 10.0.0.0/20")
    private = (ipaddress.IPv4Network(block) for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
    if not any(network.subnet_of(block) for block in private):
        raise ValueError("not within the private ranges 10.0.0.0/8, 172.16.0.0/12 and 192.168.0.0/16")
    if network.overlaps(ipaddress.IPv4Network("172.17.0.0/16")):
        raise ValueError("overlaps 172.17.0.0/16, which Docker uses on Cloud Build's and GKE's machines")
    return str(network)


def _cron(value: str) -> str:
    if len(value.split()) != 5:
        raise ValueError("Cloud Scheduler takes unix-cron with five fields: minute hour day month weekday")
    _matching(r"[0-9A-Za-z*/, -]+", "only digits, names of months and weekdays, and * / , - are allowed")(value)
    try:
        croniter(value).get_next()
    except (CroniterBadCronError, CroniterBadDateError) as error:
        raise ValueError(f"not a schedule: {error}") from error
    return value


def _time_zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError("not a name of the time zone database, like Europe/Paris")
    return value


def _environment_name(value: str) -> str:
    _matching(r"[a-z][a-z0-9]{1,7}", "an environment's name has 2 to 8 lower-case letters and digits")(value)
    if value.startswith(("goog", "gcp")) or "google" in value:
        raise ValueError("names that begin with goog or gcp are reserved by Google")
    return value


EnvironmentName = Annotated[str, AfterValidator(_environment_name)]
ProjectId = Annotated[str, AfterValidator(_project_id)]
Region = Annotated[str, AfterValidator(_region), Field(json_schema_extra={"enum": sorted(REGIONS)})]
Cidr = Annotated[str, AfterValidator(_cidr)]
Cron = Annotated[str, AfterValidator(_cron)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
ImageDigest = Annotated[
    str,
    AfterValidator(
        _matching(
            r"[a-z0-9][a-z0-9.-]*(:\d+)?(/[a-z0-9][a-z0-9._-]*)+@sha256:[0-9a-f]{64}",
            "an image is pinned by its digest, like europe-docker.pkg.dev/project/images/pipelines@sha256:<64 hex>",
        )
    ),
]
LabelKey = Annotated[
    str,
    AfterValidator(
        _matching(
            r"(?!environment$|owner$|managed_by$|goog)[a-z][a-z0-9_-]{0,62}",
            "a label's key has up to 63 lower-case letters, digits, _ and -, begins with a letter; "
            "environment, owner, managed_by and goog... are taken",
        )
    ),
]
LabelValue = Annotated[
    str,
    AfterValidator(_matching(r"[a-z0-9_-]{0,63}", "a label's value has up to 63 lower-case letters, digits, _ and -")),
]
MachineType = Annotated[
    str, AfterValidator(_matching(r"[a-z]\d[a-z]?-[a-z]+(-\d+)?", "a machine type is like e2-standard-4"))
]
Email = Annotated[str, AfterValidator(_matching(r"[^@\s\"${}]+@[a-z0-9.-]+\.[a-z]{2,}", "not an e-mail address"))]
Person = Annotated[
    str,
    AfterValidator(
        _matching(r"(group|user):[^@\s\"${}]+@[a-z0-9.-]+\.[a-z]{2,}", "is like group:ml@acme.com or user:ada@acme.com")
    ),
]
GitRepository = Annotated[
    str, AfterValidator(_matching(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}", "is like owner/name"))
]
GitBranch = Annotated[
    str,
    AfterValidator(
        _matching(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}", "a branch's name has up to 100 letters, digits, ., _, / and -")
    ),
]

# Source: Compute Engine, "Allocation quotas", and Vertex AI, "Quotas and limits": those that our resources use.
QUOTAS = (
    "CPUS", "N2_CPUS", "N2D_CPUS", "C2_CPUS", "C2D_CPUS", "C3_CPUS", "T2D_CPUS", "A2_CPUS", "G2_CPUS",
    "PREEMPTIBLE_CPUS", "SSD_TOTAL_GB", "DISKS_TOTAL_GB", "STATIC_ADDRESSES", "NVIDIA_T4_GPUS", "NVIDIA_P4_GPUS",
    "NVIDIA_V100_GPUS", "NVIDIA_P100_GPUS", "CUSTOM_MODEL_SERVING_CPUS",
)  # fmt: skip


def _quota(value: str) -> str:
    if value not in QUOTAS:
        raise ValueError(f"not a quota that is checked; there are: {', '.join(QUOTAS)}")
    return value


QuotaName = Annotated[str, AfterValidator(_quota)]
QuotaLimit = Annotated[int, Field(ge=0)]
