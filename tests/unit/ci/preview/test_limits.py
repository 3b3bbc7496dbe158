"""The environment's own limits: its budget and the quotas that Google granted."""

import datetime

import pytest

from ci.preview.assemble import Limits, Material, assemble
from ci.preview.render.comment import render
from tests.unit.ci.preview.plans import change, plan


def pool(most, machine="n2-standard-8", spot=False, name="p"):
    values = {
        "location": "us-central1-a",
        "autoscaling": [{"total_min_node_count": 1, "total_max_node_count": most}],
        "node_config": [{"machine_type": machine, "spot": spot, "disk_type": "pd-ssd", "disk_size_gb": 100}],
    }
    return f"google_container_node_pool.{name}", values  # fmt: skip


def made(before, after, **limits):
    address, values = after
    return assemble(Material((plan(change(address, "update", before[1], values)),), limits={"prod": Limits(**limits)},
                             today=datetime.date(2027, 12, 1)))  # fmt: skip


def test_a_change_beyond_the_budget_is_red_and_says_what_it_comes_to():
    preview = made(pool(1), pool(40), budget=1_000)
    text = render(preview)
    assert preview.red
    assert text.split("\n")[2].startswith("### ❌")
    assert "beyond the budget" in text.split("\n")[2]
    assert "raise the budget, or spend less" in text
    (line,) = (line for line in text.split("\n") if "a month before" in line)
    assert "beyond the budget of 1,000 $" in line.replace("&#36;", "$")
    assert "%)" in line.replace("&#37;", "%")
    assert "the prices are a hint only" in text


@pytest.mark.parametrize(("before", "after", "budget"), [(40, 1, 100), (1, 2, 100_000), (1, 40, None)])
def test_less_or_within_or_without_a_budget_is_not_red(before, after, budget):
    assert not made(pool(before), pool(after), budget=budget).red


@pytest.mark.parametrize(
    ("after", "quota", "short"),
    [
        (pool(10), {"N2_CPUS": 72}, ("N2_CPUS", 80, 72)),
        (pool(10, "e2-standard-4"), {"CPUS": 32}, ("CPUS", 40, 32)),
        (pool(10, spot=True), {"PREEMPTIBLE_CPUS": 8, "N2_CPUS": 0}, ("PREEMPTIBLE_CPUS", 80, 8)),
        (pool(10), {"SSD_TOTAL_GB": 500}, ("SSD_TOTAL_GB", 1_000, 500)),
    ],
)
def test_a_quota_that_is_too_low_is_red_with_the_shortfall(after, quota, short):
    preview = made(pool(1), after, quota=quota)
    assert [(one.name, one.needed, one.limit) for one in preview.quota] == [short]
    assert preview.red
    text = render(preview)
    assert f"`{short[0]}` needs {short[1]:,} at most, the limit is {short[2]:,}" in text
    assert f"{short[1] - short[2]:,} short" in text
    assert "1 quota too low" in text.split("\n")[2]


def test_a_quota_that_is_enough_or_was_as_short_before_is_not_told():
    assert made(pool(1), pool(9), quota={"N2_CPUS": 72}).quota == ()
    assert made(pool(10), pool(10, name="p"), quota={"N2_CPUS": 72}).quota == ()
    assert made(pool(10), pool(9), quota={"N2_CPUS": 8}).quota == ()
    assert (
        made(pool(1), pool(1), quota={"CUSTOM_MODEL_SERVING_CPUS": 1}, needs={"CUSTOM_MODEL_SERVING_CPUS": 4}).quota
        == ()
    )
