"""What our own step recorded of a pull request's preview, sealed with a key that no pull request's code is given.

The seal ends the preview's comment and covers its text. An edited one does not verify; an older one, one of another
pull request or of another environment is not taken for what it is not: all of that is inside.
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
_LAST = re.compile(rf"(?:{_SEAL.pattern}\s*)+\Z")


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


def seal(review: Review, key: str, text: str = "") -> str:
    """The line that holds a review, at the end of a comment whose text is `text`."""
    packed = base64.urlsafe_b64encode(zlib.compress(review.model_dump_json().encode(), 9)).decode()
    return f"<!-- fonderie:review {packed}.{_signature(packed, text, key)} -->"


def opened(comment: str, key: str) -> Iterator[Review]:
    """The reviews in a comment whose seal is by `key`, over the text that stands before the seals."""
    text = _LAST.sub("", comment)
    for packed, signature in _SEAL.findall(comment):
        if hmac.compare_digest(signature, _signature(packed, text, key)):
            try:
                yield Review.model_validate_json(zlib.decompress(base64.urlsafe_b64decode(packed)))
            except (ValueError, zlib.error, ValidationError):
                continue  # of another version of this program


def _signature(packed: str, text: str, key: str) -> str:
    """A forge may end lines its own way and drop the last ones that are empty."""
    read = hashlib.sha256(text.replace("\r\n", "\n").strip().encode("utf-8", "surrogatepass")).hexdigest()
    secret = hashlib.sha256(f"review of {key}".encode()).digest()
    return hmac.new(secret, f"{packed}.{read}".encode(), "sha256").hexdigest()
