"""What our own step recorded of a pull request's preview, sealed with a key that no pull request's code is given.

The seal stands in the preview's comment. An edited one does not verify; an older one, one of another pull request or of
another environment is not taken for what it is not: all of that is inside.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import zlib
from collections.abc import Iterator

from pydantic import Field, ValidationError

from ci.preview.fingerprint import NOTHING, PlanRecord
from ci.preview.report import Frozen

_SEAL = re.compile(r"<!-- fonderie:review ([\w-]+={0,2})\.([0-9a-f]{64}) -->")


class Review(Frozen):
    """An environment's plan as it was reviewed: at one head, on one base, over states of one version each.

    By hand there is only the hash. `missing`: why nothing was reviewed.
    """

    environment: str
    hash: str = NOTHING
    pull_request: int = 0
    head: str = ""
    base: str = ""
    actions: str = ""
    delta: str = ""
    states: dict[str, tuple[int | None, str]] = Field(default={})
    keyed: dict[str, bool] = Field(default={})
    missing: str = ""

    @classmethod
    def of(cls, record: PlanRecord, pull_request: int) -> Review:
        """The review of a recorded plan."""
        return cls(
            environment=record.environment,
            hash=record.hash,
            pull_request=pull_request,
            head=record.head,
            base=record.base,
            actions=record.actions,
            delta=record.delta,
            states=record.states,
            keyed=record.keyed,
        )


def seal(review: Review, key: str) -> str:
    """The line of a comment that holds a review."""
    packed = base64.urlsafe_b64encode(zlib.compress(review.model_dump_json().encode(), 9)).decode()
    return f"<!-- fonderie:review {packed}.{_signature(packed, key)} -->"


def opened(text: str, key: str) -> Iterator[Review]:
    """The reviews in a comment whose seal is by `key`."""
    for packed, signature in _SEAL.findall(text):
        if hmac.compare_digest(signature, _signature(packed, key)):
            try:
                yield Review.model_validate_json(zlib.decompress(base64.urlsafe_b64decode(packed)))
            except (ValueError, zlib.error, ValidationError):
                continue  # of another version of this program


def _signature(packed: str, key: str) -> str:
    return hmac.new(hashlib.sha256(f"review of {key}".encode()).digest(), packed.encode(), "sha256").hexdigest()
