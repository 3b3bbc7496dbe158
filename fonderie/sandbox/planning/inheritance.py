"""What a resource takes over from the provider block: project, labels, deletion policy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fonderie.sandbox.lifecycle.interface import UNKNOWN, ProviderConfig, State
from fonderie.sandbox.planning.fields import AttributeField, FieldKind
from fonderie.sandbox.planning.values import has_unknown
from fonderie.sandbox.provider.facts import TypeFacts

ATTRIBUTION = "goog-terraform-provisioned"
_PROJECT_IS_READ_BACK = frozenset(
    # written by hand in the provider: the project is not planned but learnt at apply (computed/ of the recordings)
    {"google_container_cluster", "google_logging_project_sink", "google_storage_bucket"}
)


def inherit(
    facts: TypeFacts,
    fields: Mapping[str, AttributeField],
    prior: State | None,
    configured: State,
    given: State,
    provider: ProviderConfig,
) -> State:
    """`configured` (the proposed state) with what the provider adds before it compares; `given` is what the user wrote.

    Source: the planned defaults of the recordings (`computed/`), and "provider default labels" of its documentation.
    """
    added = dict(configured)
    if facts.meta.get("customize_diff"):
        _project(facts, fields, added, provider)
        _deletion_policy(fields, added, given, provider)
    _labels(fields, prior, added, provider)
    _annotations(fields, prior, added)
    return added


def _project(facts: TypeFacts, fields: Mapping[str, AttributeField], added: State, provider: ProviderConfig) -> None:
    if "project" not in fields or facts.name in _PROJECT_IS_READ_BACK:
        return
    if fields["project"].computed and added.get("project") is None and provider.project:
        added["project"] = provider.project.removeprefix("projects/")


def _deletion_policy(
    fields: Mapping[str, AttributeField], added: State, given: State, provider: ProviderConfig
) -> None:
    policy = fields.get("deletion_policy")
    if policy and policy.computed and policy.optional and not given.get("deletion_policy"):
        added["deletion_policy"] = provider.deletion_policy or "DELETE"


def _labels(fields: Mapping[str, AttributeField], prior: State | None, added: State, provider: ProviderConfig) -> None:
    if not {"terraform_labels", "effective_labels"} <= fields.keys():
        return
    own = _own_labels(fields)
    labels = added.get(own) or {}
    if labels is UNKNOWN or has_unknown(labels):
        added["terraform_labels"] = added["effective_labels"] = UNKNOWN
        return
    before = prior or {}
    effective = dict(before.get("effective_labels") or {})
    managed = {**provider.default_labels, **_attribution(prior, effective, provider), **labels}
    forgotten = [key for key in before.get("terraform_labels") or {} if key not in managed]
    added["terraform_labels"] = managed
    added["effective_labels"] = {
        key: value for key, value in {**effective, **managed}.items() if key not in forgotten or key in managed
    }


def _own_labels(fields: Mapping[str, AttributeField]) -> str:
    """The attribute that users write labels into: `labels` as a rule, `resource_labels` of a cluster."""
    theirs = [
        name
        for name, field in fields.items()
        if field.kind is FieldKind.MAP and field.optional and not field.computed and name.endswith("labels")
    ]
    return "labels" if "labels" in theirs or not theirs else theirs[0]


def _attribution(prior: State | None, effective: Mapping[str, Any], provider: ProviderConfig) -> dict[str, str]:
    wanted = (
        ATTRIBUTION in effective
        or provider.terraform_attribution_label_addition_strategy == "PROACTIVE"
        or (provider.terraform_attribution_label_addition_strategy == "CREATION_ONLY" and prior is None)
    )
    return {ATTRIBUTION: "true"} if provider.add_terraform_attribution_label and wanted else {}


def _annotations(fields: Mapping[str, AttributeField], prior: State | None, added: State) -> None:
    if not {"annotations", "effective_annotations"} <= fields.keys():
        return
    own = added.get("annotations") or {}
    if own is UNKNOWN or has_unknown(own):
        added["effective_annotations"] = UNKNOWN
        return
    before = prior or {}
    gone = [key for key in before.get("annotations") or {} if key not in own]
    kept = {key: value for key, value in (before.get("effective_annotations") or {}).items() if key not in gone}
    added["effective_annotations"] = {**kept, **own}
