"""Cloud Storage's plans: objects follow their content, a locked retention policy stays."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path as File
from typing import Any

from fonderie.sandbox.lifecycle.interface import UNKNOWN, Diagnostic, Path, State
from fonderie.sandbox.planning.type_rules import Situation, TypeRules
from fonderie.sandbox.planning.validation import error

_FOLLOWS_CONTENT = ("crc32c", "generation", "md5hash")  # unknown in the recorded plan of a changed content


def content_md5(content: bytes) -> str:
    """The hash as Cloud Storage tells it: base64 of MD5."""
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()


def _wanted_md5(wanted: Any) -> str | None:
    """The hash of what an object is to hold; None when that is not known, or a file not there."""
    content, source = wanted.get("content"), wanted.get("source")
    if isinstance(content, str):
        return content_md5(content.encode())
    if isinstance(source, str) and File(source).is_file():
        return content_md5(File(source).read_bytes())
    return None


def _changes(prior: Any, wanted: Any) -> bool:
    if UNKNOWN in (wanted.get("content"), wanted.get("source")):
        return True
    if None not in (prior.get("content"), wanted.get("content")) and prior["content"] != wanted["content"]:
        return True
    new = _wanted_md5(wanted)
    return new is not None and prior.get("md5hash") not in (None, "", new)


def _object_wanted(prior: State | None, wanted: State, given: State) -> State:
    if prior is None or not _changes(prior, wanted):
        return wanted
    return {**wanted, **dict.fromkeys(_FOLLOWS_CONTENT, UNKNOWN)}


def _same_content(situation: Situation) -> bool:
    return bool(situation.prior) and not _changes(situation.prior, situation.wanted)


def _object_keeps(state: State) -> State:
    return {**state, "detect_md5hash": state.get("md5hash") or state.get("detect_md5hash")}


def _bucket_keeps(state: State) -> State:
    """A namespace that is flat is told as a block that says so; only buckets of several regions have a recovery point.

    Source: `null_then_set` and `filled` of the recorded creations.
    """
    namespace = state.get("hierarchical_namespace") or [{"enabled": False}]
    location = state.get("location")
    regional = isinstance(location, str) and "-" in location
    return {**state, "hierarchical_namespace": namespace, "rpo": state.get("rpo") or (None if regional else "DEFAULT")}


def _bucket_replaces(prior: State, planned: State) -> list[Path]:
    """A locked retention policy cannot be unlocked."""
    was = [one.get("is_locked") for one in prior.get("retention_policy") or []]
    will = [one.get("is_locked") for one in planned.get("retention_policy") or []]
    return [("retention_policy", 0, "is_locked")] if True in was and True not in will else []


def _check_notification(config: State) -> list[Diagnostic]:
    topic = config.get("topic")
    if isinstance(topic, str) and topic.startswith("//pubsub.googleapis.com/"):
        words = f"The topic must start with 'projects/' and not '//pubsub.googleapis.com/', got: {topic}"
        return [error("Invalid Topic Prefix", words, ("topic",))]
    return []


PLANS = {
    "google_storage_bucket": TypeRules(replaces=_bucket_replaces, keeps=_bucket_keeps),
    "google_storage_bucket_object": TypeRules(
        same={"detect_md5hash": _same_content}, adjust=_object_wanted, keeps=_object_keeps
    ),
    "google_storage_notification": TypeRules(check=_check_notification),
}
