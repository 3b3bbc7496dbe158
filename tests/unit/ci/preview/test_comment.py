import hashlib
import re

from ci.preview.assemble import Failed, Material, assemble
from ci.preview.render.comment import render
from ci.preview.report import Source, Truth
from tests.unit.ci.preview.plans import change, comment, plan


def many(number, action="update", size=40):
    return [change(f"google_thing.x{i:04}", action, {"a": "b" * size}, {"a": "c" * size}) for i in range(number)]


def test_nothing_is_one_line():
    lines = render(assemble(Material((plan(),)))).split("\n")
    assert lines[2] == "### ✅ Preview: nothing changes · policy not checked"


def test_details_are_cut_before_anything_else_and_it_is_said():
    unequal = [change(f"google_thing.x{i:04}", "update", {}, {f"a{i}": "c" * 40}) for i in range(3_000)]
    written = comment(*unequal, change("google_storage_bucket.raw", "delete", {"name": "acme-raw"}))
    assert len(written) < 60_000
    assert "google_storage_bucket.raw" in written.split("<details>")[0]
    assert re.search(r"… and [\d,]+ more: `fonderie preview --html` has them all", written)


def test_a_small_stack_keeps_its_details_beside_a_large_one():
    large = plan(*many(3_000), stack="prod-data")
    small = plan(change("google_thing.small", "update", {"a": 1}, {"a": 2}), stack="prod-runtime")
    written = render(assemble(Material((large, small))))
    assert "!   a   1 → 2" in written


def test_a_stack_that_a_person_applies_says_so_with_the_command():
    entry = change("google_kms_key_ring.keys", "update", {"a": 1}, {"a": 2})
    written = render(assemble(Material((plan(entry, stack="prod-bootstrap"), plan(entry)))))
    assert "**prod-bootstrap** is applied by a person, not by CI: `fonderie bootstrap --env prod`" in written
    assert written.count("applied by a person") == 1
    assert "applied by a person" not in render(assemble(Material((plan(stack="prod-bootstrap"), plan(entry)))))


def test_other_addresses_for_pods_in_use_are_said_to_be_refused_by_google():
    def subnet(pods, **more):
        ranges = [{"range_name": "pods", "ip_cidr_range": pods}, {"range_name": "s", "ip_cidr_range": "10.9.0.0/22"}]
        return {"name": "nodes", "secondary_ip_range": ranges, **more}

    moved = comment(change("google_compute_subnetwork.n", "update", subnet("10.4.0.0/18"), subnet("10.5.0.0/18")))
    other = comment(change("google_compute_subnetwork.n", "update", subnet("10.4.0.0/18"), subnet("10.4.0.0/18", a=1)))
    assert "Google refuses to change a secondary range while a cluster uses it" in moved
    assert "Google refuses" not in other


def unlike(number):
    """Destroys whose names have nothing in common: only so many of them fit into a comment."""
    names = [hashlib.sha256(str(index).encode()).hexdigest() for index in range(number)]
    return [change(f"google_thing.a{name}", "delete", {}) for name in names]


def opened(number):
    rule = {"source_ranges": ["0.0.0.0/0"], "direction": "INGRESS"}
    return [change(f"google_compute_firewall.f{i}", "create", None, {**rule, "allow": [{"ports": [str(i)]}]})
            for i in range(number)]  # fmt: skip


def public(number, roles=1):
    values = {"bucket": "b", "role": "roles/x"}
    return [
        change(
            f"google_storage_bucket_iam_member.m{i}",
            "create",
            None,
            {**values, "role": f"roles/x{i % roles}", "member": "allUsers", "bucket": f"b{i}"},
        )
        for i in range(number)
    ]


def test_public_grants_are_kept_however_much_is_destroyed():
    written = comment(*unlike(5_000), *public(5))
    assert len(written) < 60_000
    assert re.search(r"\*[\d,]+ more destroyed or replaced \(", written)
    assert [f"`b{i}`" in written.split("#### Access")[-1] for i in range(5)] == [True] * 5


def test_alarms_come_before_harmless_grants_of_other_stacks():
    member = {"bucket": "b", "role": "roles/x.viewer"}
    harmless = [
        change(f"google_storage_bucket_iam_member.h{i}", "create", None, member | {"member": f"user:u{i}@x.io"})
        for i in range(2_000)
    ]
    written = render(assemble(Material((plan(*harmless, stack="prod-data"), plan(*public(1), stack="prod-runtime")))))
    assert "PUBLIC" in written.split("#### Access")[1].split("\n")[1]


def test_alarms_that_do_not_fit_are_counted_in_the_first_line_and_where_they_are_left_out():
    written = comment(*unlike(5_000), *public(400, 50), *opened(5_000))
    assert "5,400 access alarms" in written.split("\n")[2]
    left = re.search(
        r"\*([\d,]+) more changes of access \(([\d,]+) of them alarms\) are left out here for length", written
    )
    assert left[1] == left[2]


def test_a_stack_that_failed_does_not_hide_the_others():
    failed = Failed("prod", "prod-runtime", "Error: \x1b[31mno\x1b[0m\nsecond line")
    written = render(assemble(Material((plan(change("google_thing.x", "create", None, {"a": 1})),), (failed,))))
    assert "**prod-runtime could not be planned**" in written
    assert "Error: no\nsecond line" in written
    assert "google_thing.x" in written
    assert "❌" in written.split("\n")[2]


def test_ten_thousand_destroys_end_in_a_number_by_type():
    written = comment(*[change(f"google_thing.{i * 7919 % 10**8:08}{'y' * 40}", "delete", {}) for i in range(10_000)])
    assert len(written) < 60_000
    assert "Destroyed or replaced (10,000)" in written
    assert re.search(r"\*[\d,]+ more destroyed or replaced \([\d,]+ of them stateful, [\d,]+ `google_thing`\)", written)


def test_one_enormous_address_is_shortened_and_listed():
    written = comment(change(f'google_thing.x["{"k" * 100_000}"]', "delete", {}))
    assert len(written) < 60_000
    assert "google_thing.x[" in written


def test_the_footer_says_what_it_was_planned_against():
    source = Source(truth=Truth.STATE, identity="plan@acme", head="abc", base="def", plans=(("prod", "p-1"),))
    written = render(assemble(Material((plan(),), source=source)))
    assert "planned against real state" in written
    assert "`fonderie apply --env prod --plan p-1`" in written


def test_a_hundred_environments_and_stacks_still_fit():
    plans = [plan(*many(5), environment=f"env{i}", stack=f"env{i}-data") for i in range(100)]
    failed = [Failed(f"bad{i}", f"bad{i}-data", "x" * 9_000) for i in range(100)]
    assert len(render(assemble(Material(tuple(plans), tuple(failed))))) < 60_000
