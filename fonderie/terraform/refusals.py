"""What Google refuses because something it was told a moment ago is not known everywhere yet, and how long to wait.

One table. A refusal that is in no row, and one that lasts longer than its row's patience, is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, wait_exponential

from fonderie.terraform.runner import TerraformError, pause

Result = TypeVar("Result")


@dataclass(frozen=True)
class KnownRefusal:
    """A refusal that passes by itself: `pattern` is searched in Terraform's words, in one line."""

    not_ready: str  # what Google is not ready with, for people
    pattern: re.Pattern[str]
    patience_s: float
    source: str  # where the refusal, or how long it lasts, is told


_PROPAGATION = "https://cloud.google.com/iam/docs/access-change-propagation"  # 2 minutes, sometimes 7 and more
_IAM_S = 600.0


def _row(not_ready: str, patience_s: float, source: str, *patterns: str) -> KnownRefusal:
    return KnownRefusal(not_ready, re.compile("|".join(patterns)), patience_s, source)


KNOWN_REFUSALS = (
    _row(
        "the grant of a key is not effective",
        _IAM_S,
        _PROPAGATION,
        r"Permission denied on Cloud KMS key",
        r"cloudkms\.cryptoKeyVersions\.useTo(Encrypt|Decrypt)",
        r"Cloud KMS CryptoKey Encrypter/Decrypter role",
    ),
    _row(
        "Eventarc's service agent has no role",
        _IAM_S,
        "https://github.com/hashicorp/terraform-provider-google/issues/25294",
        r"Permission denied while using the Eventarc Service Agent",
    ),
    _row(
        "the log metric of an alert is not there",
        900.0,  # "could take up to 10 minutes"
        "https://github.com/hashicorp/terraform-provider-google/issues/11102",
        r"Cannot find metric\(s\) that match type",
    ),
    _row(
        "an API was just enabled",
        300.0,
        "https://cloud.google.com/service-usage/docs/enable-disable",
        r"SERVICE_DISABLED",
        r"has not been used in project \S+ before or it is disabled",
    ),
    _row(
        "a service account is not known everywhere",
        180.0,
        "https://cloud.google.com/iam/docs/service-accounts-create",
        r"Service account \S+ does not exist",
    ),
    _row(
        "the right to attach a service account is not effective",
        _IAM_S,
        _PROPAGATION,
        r"iam\.serviceAccounts\.actAs",
    ),
    _row(
        "the cluster's pool of identities is not there",
        300.0,
        "https://github.com/hashicorp/terraform-provider-google/issues/9133",
        r"Identity Pool does not exist \(\S+\.svc\.id\.goog\)",
    ),
)


def known_refusal(error: BaseException) -> KnownRefusal | None:
    """The row of an error of Terraform's, the most patient of several; None if any of its errors is in no row."""
    if not isinstance(error, TerraformError):
        return None
    rows = [_known(message) for message in error.messages]
    known = [row for row in rows if row is not None]
    return max(known, key=lambda row: row.patience_s) if known and len(known) == len(rows) else None


def _known(message: str) -> KnownRefusal | None:
    line = " ".join(message.split())  # Terraform breaks its lines where they are long
    return next((row for row in KNOWN_REFUSALS if row.pattern.search(line)), None)


def patiently(
    act: Callable[[], Result], tell: Callable[[str], None], *, wait: Callable[[float], None] = pause
) -> Result:
    """Do it again while Google refuses for a known reason; `tell` is told each time, `wait` ends with an interrupt.

    Raises what `act` raises, at last after the refusal's patience.
    """

    def out_of_patience(state: RetryCallState) -> bool:
        known = known_refusal(_error(state))
        return known is None or state.idle_for >= known.patience_s

    def announce(state: RetryCallState) -> None:
        known = known_refusal(_error(state))
        if known is not None and state.next_action is not None:
            tell(f"Google is not ready: {known.not_ready}; again in {state.next_action.sleep:.0f} s")

    retrying = Retrying(
        retry=retry_if_exception(lambda error: known_refusal(error) is not None),
        wait=wait_exponential(multiplier=15, max=60),
        stop=out_of_patience,
        before_sleep=announce,
        sleep=wait,
        reraise=True,
    )
    return retrying(act)


def _error(state: RetryCallState) -> BaseException:
    error = state.outcome.exception() if state.outcome else None
    assert error is not None  # it is asked after a failure only
    return error
