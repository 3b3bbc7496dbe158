"""The comment, the page and the terminal tell the same; what is alike is told once; nothing is cut on the page."""

import io
import json
import re
import time

import pytest
from rich.console import Console

from ci.preview.assemble import Failed, Material, assemble
from ci.preview.render.comment import page, render, show
from ci.preview.report import CostResult, NewWaiver, PolicyResult, Preview, Source, Truth, merged
from fonderie.core.errors import BadInputError
from infra.policy.findings import PolicyFinding
from tests.unit.ci.preview.plans import change, comment, plan, preview


def terminal(made, width=200):
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    show(made, console)
    return console.file.getvalue()


def grants(number, **values):
    return [
        change(f"google_storage_bucket_iam_member.m{index}", "create", None,
               {"bucket": "acme-raw", "role": "roles/storage.objectViewer", "member": f"user:u{index}@x.io"} | {
                   name: value.format(index) for name, value in values.items()})
        for index in range(number)
    ]  # fmt: skip


def finding(index, check="CKV_1"):
    path = f"prod-data/m{index}"
    return PolicyFinding(check=check, what="a title", stack="prod-data", path=path, address=f"a.b{index}", detail="x")


@pytest.mark.parametrize("values", [{}, {"bucket": "acme-{}", "member": "user:a@x.io"}], ids=["members", "resources"])
def test_four_hundred_equal_grants_are_a_few_lines(values):
    made = preview(*grants(400, **values))
    policy = PolicyResult(new=tuple(finding(index) for index in range(71)))
    made = made.model_copy(update={"policy": policy})
    text = render(made)
    assert len(text) <= 4_000
    assert sum(line.startswith("- **prod**") for line in text.split("\n")) == 1
    assert text.count("**CKV_1**") == 1
    assert "and 394 more" in text
    assert all(f"u{index}@x.io" in page(made) or f"acme-{index}" in page(made) for index in range(400))


def test_a_resource_and_its_verb_agree():
    two = grants(2, bucket="acme-{}", member="user:a@x.io")
    assert "`user:a@x.io` gains **`roles/storage.objectViewer`** on buckets `acme-0`, `acme-1`" in comment(*two)
    assert "`user:u0@x.io`, `user:u1@x.io` gain **" in comment(*grants(2))


def test_what_is_destroyed_alike_is_one_row_and_stateful_things_are_all_named():
    members = [change(f"google_storage_bucket_iam_member.m{i}", "delete", {"member": f"user:{i}"}) for i in range(50)]
    buckets = [change(f"google_storage_bucket.b{i:02}", "delete", {"name": f"acme-bucket-{i:02}"}) for i in range(50)]
    text = comment(*members, *buckets)
    rows = [line for line in text.split("\n") if line.startswith("| **prod**")]
    assert len(rows) == 4
    assert "google_storage_bucket.b00" in rows[0]
    assert all(f"google_storage_bucket.b{i:02}`" in text for i in range(50))
    assert "and 44 more `google_storage_bucket_iam_member` destroyed" in rows[3]


def test_details_that_are_alike_are_shown_as_an_example():
    text = comment(*grants(30))
    assert text.count("+ google_storage_bucket_iam_member") == 4
    assert "… and 26 more google_storage_bucket_iam_member added alike" in text
    assert page(preview(*grants(30))).count("+ google_storage_bucket_iam_member") == 30


def test_a_protection_in_state_means_that_the_apply_will_fail():
    entry = change("google_storage_bucket.raw", "delete", {"name": "acme-raw", "deletion_policy": "PREVENT"})
    text = comment(entry)
    assert text.split("\n")[2].startswith("### ❌ Preview: this apply will fail")
    assert "lift the protection in a change of its own" in text
    assert "**this apply will fail**: deletion_policy PREVENT refuses it" in text


SPEC = {"pipelineInfo": {"name": "training-air-time"}, "deploymentSpec": {}, "root": {}}


def template(name, action, version, side):
    content = json.dumps({**SPEC, "root": {"version": version}})
    values = {"name": f"training/{version}.json", "content": content}
    return change(f"google_storage_bucket_object.{name}", action, *((values, None) if side else (None, values)))


def test_a_new_version_of_a_pipeline_is_called_that_and_no_loss():
    made = preview(template("old", "delete", 1, True), template("new", "create", 2, False))
    text = render(made)
    assert text.split("\n")[2].startswith("### ✅ Preview: 1 added · 1 new version · ")
    assert "**prod** 1 added · 1 new version" in text
    assert "Destroyed" not in text
    assert "#### New versions\n- **prod** · `pipeline training-air-time`" in text
    gone = render(preview(template("old", "delete", 1, True)))
    assert "Destroyed or replaced (1)" in gone


MODEL = 'task = "regression"\n[gate]\nmin_gain = {}\n[drift]\nerror_increase = {}\n'


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ((0.02, 0.15), (0.0, 0.15), ["LOOSENS the gate"]),
        ((0.02, 0.15), (0.02, 9.9), ["drift is noticed LATER or never"]),
        ((0.02, 9.9), (0.03, 0.15), []),
    ],
)
def test_a_looser_gate_or_a_later_alarm_says_so(before, after, said):
    base, head = ({"air_time": MODEL.format(*side)} for side in (before, after))
    made = assemble(Material((plan(),), base_models=base, head_models=head))
    assert [row.alarm for row in made.models if row.alarm] == said
    assert made.red is bool(said)
    if said:
        assert render(made).split("\n")[2].startswith("### ⚠️")
        assert "agree that a gate or a limit is looser" in render(made)


def test_what_is_not_set_in_a_block_is_left_out():
    rule = {"action": [{"type": "Delete", "storage_class": ""}],
            "condition": [{"age": 14, "created_before": "", "custom_time_before": None, "matches_prefix": [],
                           "with_state": "LIVE"}]}  # fmt: skip
    entry = change("google_storage_bucket.b", "create", None, {"lifecycle_rule": [rule]})
    text = '[{action: [{type: "Delete"}], condition: [{age: 14, with_state: "LIVE"}]}]'
    assert text in comment(entry)
    assert text in page(preview(entry)).replace("&quot;", '"')


def test_the_page_and_the_terminal_cut_nothing():
    blocks = [{"name": f"block-{index:03}", "value": "v" * 40} for index in range(120)]
    made = preview(change("google_thing.x", "update", {"a": 1}, {"a": 2, "blocks": blocks, **{
        f"k{index:03}": index for index in range(90)}}))  # fmt: skip
    for text in (page(made), terminal(made, 10_000)):
        for index in range(120):
            assert f"block-{index:03}" in text
        for index in range(90):
            assert f"k{index:03} " in text
        assert "more attributes" not in text
    assert len(render(made)) < 60_000


def test_the_three_ways_to_write_a_preview_tell_the_same_sections():
    made = assemble(
        Material(
            (plan(*grants(2), change("google_storage_bucket.b", "update", {"versioning": [{"enabled": True}]},
                                     {"versioning": []}), change("google_storage_bucket.c", "delete", {})),),
            (Failed("prod", "prod-runtime", "Error: boom\nsecond"),),
            policy=PolicyResult(new=(finding(1),), waived=3, waived_until="2027-01-01", changed=("checks/access.py",),
                                waivers=(NewWaiver(check="CKV_9", path="x/*", reason="because", expires="2027"),)),
            source=Source(truth=Truth.STATE, identity="me@acme", head="abc", base="def", plans=(("prod", "p-1"),)),
        )
    )  # fmt: skip
    told = ["Destroyed or replaced (1)", "Data lost or unprotected", "Access", "Policy", "boom", "checks/access.py",
            "CKV_9", "counts when it is merged", "To do:", "serials", "me@acme", "fonderie apply --env prod --plan p-1",
            "agree to the changed checks"]  # fmt: skip
    for text in (render(made), page(made), terminal(made)):
        plain = re.sub(r"<[^>]+>|[`*]", "", text)
        assert [item for item in told if item not in plain] == []
    policy = render(made).split("#### Policy\n")[1]
    assert policy.index("checks/access.py") < policy.index("CKV_9") < policy.index("CKV_1**")


def test_a_page_loads_nothing_and_leaves_no_tag_of_a_value():
    text = page(preview(change('google_thing.x["<script>alert(1)</script>"]', "update", {"a": "<b>"}, {"a": "&"})))
    assert "<script" not in text
    assert "<b>&quot;" not in text
    assert re.findall(r"(?:src|href)=\"(?!#)", text) == []


def test_what_is_left_out_has_a_link():
    made = preview(*[change(f"google_storage_bucket.b{i}", "delete", {"name": "x" * 20}) for i in range(3_000)])
    linked = made.model_copy(update={"source": Source(link="https://github.com/acme/x/actions/runs/1")})
    assert "are left out here for length: [the page has them all](https://github.com/acme/x/actions/runs/1)" in render(
        linked
    )


def test_two_thousand_changes_are_rendered_within_a_second():
    made = preview(*[
        change(f"google_thing.x{i:04}", "update", {"a": "b" * 40, f"k{i}": 1}, {"a": "c" * 40}) for i in range(2_000)
    ])  # fmt: skip
    start = time.process_time()
    render(made)
    assert time.process_time() - start <= 1.0


# -- one comment for every environment


def of(environment, *changes, **more):
    source = Source(truth=Truth.STATE, head="abc", base="def", plans=((environment, f"p-{environment}"),), **more)
    return assemble(Material((plan(*changes, environment=environment),), source=source))


def test_previews_of_several_environments_are_one_comment():
    dev, prod = of("dev", *grants(1)), of("prod", change("google_storage_bucket.c", "delete", {}))
    made = merged([dev, prod])
    text = render(made)
    assert made.environments == ("dev", "prod")
    assert text.count("### ") - text.count("#### ") == 1
    assert "**dev** 1 added" in text
    assert "**prod** 1 destroyed" in text
    assert "dev plan `p-dev`" in text.replace(" · ", " ")
    assert made.of("dev").model_copy(update={"source": dev.source, "cost": dev.cost}) == dev
    assert (made.of("dev").red, made.of("prod").red, made.red) == (False, True, True)


def test_previews_of_different_commits_or_of_one_environment_twice_are_refused():
    dev = of("dev")
    other = of("prod").model_copy(update={"source": Source(head="zzz", base="def")})
    for previews, said in (([dev, dev], "twice"), ([dev, other], "different commits"), ([], "no previews")):
        with pytest.raises(BadInputError, match=said):
            merged(previews)


def test_costs_and_findings_are_added_up():
    one, other = (
        Preview(stacks=(), cost=CostResult(low=1, high=2, unpriced=("x",)),
                policy=PolicyResult(new=(finding(index),), old=1, waived_until=f"2027-01-0{index}"))
        for index in (1, 2)
    )  # fmt: skip
    made = merged([one, other])
    assert (made.cost.low, made.cost.high, made.cost.unpriced) == (2, 4, ("x",))
    assert (len(made.policy.new), made.policy.old, made.policy.waived_until) == (2, 2, "2027-01-01")
