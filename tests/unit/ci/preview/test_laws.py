"""Laws of the comment, over generated plans: never a crash, a secret, too long, or a destroy left out."""

import hashlib
import json
import re
import string

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from ci.preview.assemble import Failed, Material, assemble
from ci.preview.masking.patterns import HIDDEN
from ci.preview.render.comment import LIMIT, MARKER, page, render
from fonderie.terraform.plan import read_plan
from tests.unit.ci.preview.plans import ACTIONS, plan_json

HOSTILE = (
    "```\n</details><script>",
    "@everyone",
    "| a | b |\n|---|",
    "\x1b[31m\u202e\u200b",
    "<!-- fonderie:preview -->",
    "`" * 80,
    "~~~",
    "[x](javascript:1)",
    "\ud800",
    "x" * 3_000,
    "{{7*7}}{% raw %}",
    "&lt;b&gt;",
    "- a: &x\n- *x",
)
TEXTS = st.one_of(st.text(max_size=30), st.sampled_from(HOSTILE), st.builds(json.dumps, st.text(max_size=8)))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)
SECRETS = st.text(string.ascii_letters + string.digits + "+/%\"'\\ ", min_size=12, max_size=24).map(
    lambda s: f"s3cr3t{s}"
)
TYPES = st.sampled_from(
    [
        "google_storage_bucket",
        "google_project_iam_member",
        "google_storage_bucket_iam_policy",
        "terraform_data",
        "google_container_node_pool",
        "google_storage_bucket_object",
        "google_cloud_scheduler_job",
    ]
)
NAMES = ("role", "member", "labels", "content", "policy_data", "node_config", "members", "schedule", "password", "id")


@st.composite
def changes(draw):
    """A change with a secret in it, and the secret."""
    secret = draw(SECRETS)
    values = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4)
    before, after = draw(st.none() | values), draw(st.none() | values)
    for value in (before, after):
        if value is not None:
            value["hidden"] = draw(st.sampled_from([secret, {"a": [secret]}, [secret], json.dumps({"k": secret})]))
    key = draw(st.sampled_from(["", '["a"]', '["b|`c"]', "[0]"]))
    kind, name = draw(TYPES), draw(st.text(string.ascii_lowercase, min_size=3, max_size=9))
    action = draw(st.sampled_from(list(ACTIONS)))
    inner = {
        "actions": ACTIONS[action],
        "before": before,
        "after": after,
        "after_unknown": draw(st.sampled_from([{}, {"id": True}, {"labels": {"a": True}}, {"content": True}])),
        "before_sensitive": {"hidden": True},
        "after_sensitive": draw(st.sampled_from([{"hidden": True}, True, {}])),
        "replace_paths": draw(st.sampled_from([[], [["role"]], [["labels", "a"]], [["node_config", 0]]])),
    }
    reason = draw(st.sampled_from(["", "replace_because_cannot_update", "never heard of"]))
    return {"address": f"{kind}.{name}{key}", "type": kind, "change": inner, "action_reason": reason}, secret


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(changes(), max_size=6), TEXTS, st.dictionaries(st.sampled_from(["m", "n"]), TEXTS, max_size=2))
def test_a_comment_is_whole_short_without_secrets_and_lists_every_destroy(drawn, message, files):
    entries = [entry for entry, _ in drawn]
    secrets = [secret for entry, secret in drawn if entry["change"]["before"] or entry["change"]["after"]]
    read = read_plan(plan_json(*entries), environment="prod", stack="prod-data")
    failed = (Failed("prod", "prod-runtime", message + " ".join(secrets)),)
    made = assemble(Material(plans=(read,), failed=failed, base_models=files, head_models={"m": message}))
    written = render(made)
    assert len(written) < 60_000
    assert written.startswith(MARKER)
    assert written == render(assemble(Material((read,), failed, files, {"m": message})))
    everywhere = written + page(made) + made.model_dump_json()
    for secret in secrets:
        assert secret not in everywhere
    listed = written.split("#### ⚠️ Destroyed or replaced")[-1]
    for entry in entries:
        if "delete" in entry["change"]["actions"]:
            assert entry["address"].split("[")[0] in listed


@settings(max_examples=15, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(
    number=st.integers(1, 3_000),
    length=st.integers(4, 60),
    kinds=st.lists(TYPES, min_size=1, max_size=4, unique=True),
    stacks=st.integers(1, 6),
)
def test_of_thousands_of_destroys_the_page_names_all_and_the_comment_counts_all(number, length, kinds, stacks):
    def address(index):
        name = f"thing_{index:04}_" + "of_the_whole_house" * 5
        return f"{kinds[index % len(kinds)]}.{name[: max(length, 10)]}_{index}"

    plans = [
        read_plan(
            plan_json(*(_destroy(address(i)) for i in range(number) if i % stacks == stack)),
            environment="prod",
            stack=f"prod-{stack}",
        )
        for stack in range(stacks)
    ]
    made = assemble(Material(tuple(plans)))
    every = {address(i) for i in range(number)}
    assert every - set(re.findall(r"[\w.]+", page(made))) == set()
    _counts_are_right(render(made), every, {loss.address for loss in made.losses if loss.stateful})


def _counts_are_right(written, every, stateful):
    """The title counts all; the named and the counted are all; a stateful one is left out last, and counted."""
    assert len(written) < 60_000
    section = written.split("#### ⚠️ Destroyed or replaced")[1].split("####")[0].split("<details>")[0]
    assert section.startswith(f" ({len(every):,})\n")
    named = every & set(re.findall(r"[\w.]+", section))
    alike = sum(int(number.replace(",", "")) for number in re.findall(r" and ([\d,]+) more `", section))
    left = re.search(r"\*([\d,]+) more destroyed or replaced(?: \(([^)]*)\))? are left out here", section)
    number = int(left[1].replace(",", "")) if left else 0
    assert len(named) + alike + number == len(every)
    absent = re.search(r"([\d,]+) of them stateful", left[2] or "") if left else None
    assert len(stateful - named) == (int(absent[1].replace(",", "")) if absent else 0)
    if left:
        assert "`fonderie preview --html` has them all" in section
        counted = {name: int(count.replace(",", "")) for count, name in re.findall(r"([\d,]+) `(\w+)`", left[2] or "")}
        assert sum(counted.values()) == number
    if stateful - named:  # then nothing else is named
        assert not named - stateful


def _destroy(address):
    inner = {"actions": ["delete"], "before": {"labels": {"a": "x" * 40}}, "after": None}
    return {"address": address, "type": address.split(".")[0], "change": inner}


@settings(max_examples=30, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=8))
def test_what_is_foreign_stays_in_code(texts):
    from markdown_it import MarkdownIt

    assume(all(HIDDEN not in text for text in texts))
    entries = [
        {
            "address": f"google_project_iam_member.m[{json.dumps(text)}]",
            "type": "google_project_iam_member",
            "change": {
                "actions": ["delete", "create"],
                "before": {"role": text, "member": text, "project": text},
                "after": {"role": text + "x", "member": text, "project": text},
                "replace_paths": [["role"]],
            },
        }
        for text in texts
    ]
    read = read_plan(plan_json(*entries), environment="prod", stack="prod-data")
    written = render(assemble(Material((read,), base_models={"m": ""}, head_models={"m": texts[0]})))
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(written)
    flat = [inner for token in tokens for inner in (token, *(token.children or []))]
    for token in flat:
        assert token.type not in ("link_open", "image", "blockquote_open")
        if token.type in ("html_block", "html_inline"):
            plain = re.sub(r"</?(details|summary|b|code|sub)>|<!-- fonderie:preview -->", "", token.content)
            assert "<" not in plain
        if token.type == "text":
            assert "@everyone" not in token.content
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e\u200b\ud800]", written)
    assert len(written) <= LIMIT + 10


@pytest.mark.parametrize("kinds", [("terraform_data",), ("google_storage_bucket", "terraform_data")], ids=len)
def test_five_thousand_names_with_nothing_in_common_are_counted_and_the_stateful_listed_first(kinds):
    every = {f"{kinds[i % len(kinds)]}.a{hashlib.sha256(str(i).encode()).hexdigest()[:50]}" for i in range(5_000)}
    read = read_plan(plan_json(*map(_destroy, sorted(every))), environment="prod", stack="prod-data")
    made = assemble(Material((read,)))
    assert every - set(re.findall(r"[\w.]+", page(made))) == set()
    _counts_are_right(
        render(made), every, {address for address in every if address.startswith("google_storage_bucket.")}
    )
