"""Plans as nobody should write them, for hypothesis: unknown actions and modes, nulls, masks and values of any shape.

A plan's secret stands only where a mask of the same shape marks it, as Terraform does it.
"""

from __future__ import annotations

import json
import string
from typing import Any

from hypothesis import strategies as st

SECRET = "s3cr3tHUNTER2zzQ"
TYPES = (
    "google_storage_bucket", "google_project_iam_member", "google_storage_bucket_iam_binding", "google_compute_disk",
    "google_storage_bucket_iam_policy", "google_container_cluster", "google_container_node_pool", "google_kms_key_ring",
    "google_storage_bucket_object", "google_cloud_scheduler_job", "google_compute_firewall", "google_compute_address",
    "google_vertex_ai_feature_online_store", "google_iam_workload_identity_pool_provider", "google_bigquery_dataset",
    "google_project_iam_custom_role", "google_workbench_instance", "google_service_account_key", "terraform_data",
    "google_cloud_run_v2_service",
)  # fmt: skip
KEYS = (
    "id", "name", "role", "member", "members", "bucket", "labels", "content", "policy_data", "node_config", "schedule",
    "location", "condition", "network", "cluster", "autoscaling", "node_count", "machine_type", "template", "scaling",
    "bigtable", "gce_setup", "http_target", "body", "time_zone", "source_ranges", "allow", "direction", "access",
    "permissions", "attribute_condition", "size", "type", "project", "disk_size_gb", "min_node_count", "max_node_count",
    "zone", "region", "deletion_policy", "terraform_labels", "effective_labels", "bootstrap",
)  # fmt: skip
_SPEC = {"pipelineInfo": {"name": "x"}, "deploymentSpec": {"executors": {"a": 1}}, "root": 7}
HOSTILE = (
    "```\n</details><script>alert(1)</script>", "@everyone #1", "| a |\n|---|", "\x1b[31mred", "\u202e\u200b", "`" * 80,
    "\ud800", "x" * 5_000, "{{7*7}}", "\n---\nprod plan `p-aaaaaaaaaaaaaaaaaaaa`", "<!-- fonderie:preview -->",
    "allUsers", "roles/owner", "0.0.0.0/0", "e2-standard-4", "projects/p/locations/l/clusters/c", "![](http://x)",
    "\r\n| x", "\U0001f600" * 300, '{"a": 1}', '[{"a": 1}]', "a: 1\nb: [1, 2]\n", "- &a b\n- *a", "1e999", "",
    json.dumps(_SPEC), json.dumps({**_SPEC, "root": {"inputDefinitions": {"parameters": {"config": 5}}}}),
)  # fmt: skip
TEXTS = st.sampled_from(HOSTILE) | st.text(string.ascii_letters + string.digits + "-_/. \n\"'", max_size=12)
NUMBERS = st.sampled_from([0, 1, -1, 3.5, 10**30, -(10**18), float("inf"), float("nan")])
LEAVES = st.none() | st.booleans() | NUMBERS | TEXTS | st.just(SECRET)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | TEXTS, inner, max_size=4),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=8)
DEEP: Any = 1
for _ in range(400):
    DEEP = {"a": [DEEP]}
SIDES = st.none() | OBJECTS | OBJECTS | OBJECTS | st.sampled_from([[], "x", 5, True, {"labels": DEEP}])
ACTIONS = st.sampled_from(
    [["create"], ["update"], ["delete"], ["delete", "create"], ["create", "delete"], ["no-op"], ["forget"], [],
     ["create", "forget"], ["read"], ["explode"], ["delete", "explode"], ["no-op", "delete"], ["DELETE"]]
)  # fmt: skip
REASONS = st.sampled_from(["", "replace_because_cannot_update", "delete_because_no_resource_config"]) | TEXTS
PATHS = st.lists(st.lists(st.sampled_from([*KEYS, 0, 1]) | st.none() | st.just({"a": 1}), max_size=3), max_size=2)


def mask(value: Any) -> Any:
    """What Terraform writes beside a value: of the same shape, true where it is secret."""
    if isinstance(value, dict):
        return {key: inner for key, item in value.items() if (inner := mask(item))}
    if isinstance(value, list):
        return [mask(item) for item in value]
    return value == SECRET


@st.composite
def entries(draw: st.DrawFn) -> dict[str, Any]:
    """An entry of `resource_changes`."""
    kind = draw(st.sampled_from(TYPES))
    before, after = draw(SIDES), draw(SIDES)
    address = draw(
        st.sampled_from([f"{kind}.a", f"{kind}.b[0]", f'module.m["k"].{kind}.c'])
        | TEXTS.map(lambda key: f"{kind}.d[{json.dumps(key, ensure_ascii=False)}]")
    )
    change = {
        "actions": draw(ACTIONS),
        "before": before,
        "after": after,
        "after_unknown": draw(st.sampled_from([{}, True, None, [], "x", {"id": True}, {"labels": {"a": True}}])),
        "before_sensitive": mask(before),
        "after_sensitive": mask(after),
        "replace_paths": draw(st.none() | PATHS),
        "importing": draw(st.sampled_from([None, None, {}, {"id": "x"}, {"id": None}, {"identity": {"a": 1}}])),
    }
    return {
        "address": address,
        "type": kind,
        "mode": draw(st.sampled_from(["managed", "managed", "managed", "data", "ephemeral", None])),
        "change": change,
        "action_reason": draw(REASONS),
        "previous_address": draw(st.none() | TEXTS),
        "deposed": draw(st.sampled_from(["", "", "ab12"]) | TEXTS),
    }


@st.composite
def plans(draw: st.DrawFn) -> dict[str, Any]:
    """What `terraform show -json` never printed."""
    changes = draw(st.lists(entries(), max_size=6))
    output = draw(VALUES)
    return {
        "format_version": "1.2",
        "terraform_version": draw(st.none() | TEXTS),
        "resource_changes": changes + changes[: draw(st.integers(0, 1))],  # one may be there twice
        "resource_drift": draw(st.none() | st.lists(entries(), max_size=1)),
        "deferred_changes": draw(
            st.none() | st.lists(st.builds(lambda one, why: {"reason": why, "resource_change": one}, entries(), TEXTS),
                                 max_size=1)),
        "output_changes": {"o": {"actions": ["update"], "before": output, "after": None,
                                 "before_sensitive": mask(output)}},
        "configuration": draw(st.sampled_from([None, {}, {"root_module": []}, {"root_module": {"resources": [5]}}])),
        "variables": draw(st.sampled_from([None, {}, {"v": {"value": 5}}, {"v": []}])),
        "prior_state": draw(st.sampled_from([None, {}, {"values": 5}, {"values": {"root_module": {"resources": {}}}}])),
        "errored": draw(st.booleans()),
    }  # fmt: skip


def destroyed(plan: dict[str, Any]) -> list[str]:
    """The addresses that a plan takes away, as often as it does."""
    entries = [*plan["resource_changes"], *(one["resource_change"] for one in plan["deferred_changes"] or [])]
    return [
        entry["address"]
        for entry in entries
        if entry["mode"] != "data" and any(action.lower() == "delete" for action in entry["change"]["actions"])
    ]
