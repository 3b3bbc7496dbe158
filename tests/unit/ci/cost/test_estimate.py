import datetime

import pytest

from ci.cost.estimate import estimate
from ci.cost.prices import load_prices
from ci.cost.resources import PRICED
from fonderie.core.errors import BadInputError
from fonderie.core.resource_types import resource_type, resource_types, types_in_use
from tests.unit.ci.preview.plans import change, plan

HOURS = 730


def cost(*entries):
    return estimate((("prod", item) for item in plan(*entries).changes), load_prices())


def pool(machine="e2-standard-8", spot=False, location="us-central1", fewest=0, most=4):
    return {
        "location": location,
        "autoscaling": [{"total_min_node_count": fewest, "total_max_node_count": most}],
        "node_config": [{"machine_type": machine, "spot": spot, "disk_size_gb": 50, "disk_type": "pd-balanced"}],
    }


def update(before, after, kind="google_container_node_pool"):
    return change(f"{kind}.x", "update", before, after)


def test_autoscaling_is_a_range_from_the_least_to_the_most():
    found = cost(update(pool(most=4), pool(most=8)))
    node = (8 * 0.02181159 + 32 * 0.00292353) * HOURS + 50 * 0.10
    assert found.low == 0
    assert found.high == pytest.approx(4 * node, abs=0.02)


def test_spot_costs_between_nine_and_forty_per_cent():
    found = cost(update(pool(fewest=4, most=4), pool(fewest=4, most=4, spot=True)))
    machine = (8 * 0.02181159 + 32 * 0.00292353) * HOURS
    assert found.low == pytest.approx(4 * machine * (0.09 - 1), abs=0.02)
    assert found.high == pytest.approx(4 * machine * (0.40 - 1), abs=0.02)


def test_a_region_has_its_factor_and_a_zone_its_regions():
    here = cost(change("google_container_node_pool.x", "create", None, pool(fewest=1, most=1)))
    there = cost(
        change("google_container_node_pool.x", "create", None, pool(fewest=1, most=1, location="europe-west3-b"))
    )
    assert there.high == pytest.approx(here.high * 1.288, abs=0.02)


def test_a_region_without_a_factor_says_so():
    (item,) = cost(change("google_container_node_pool.x", "create", None, pool(location="moon-east1"))).items
    assert "no factor for moon-east1" in item.why


def test_counts_a_zone_are_multiplied_by_the_zones():
    values = {"location": "us-central1", "node_count": 1, "node_config": [{"machine_type": "e2-medium"}]}
    region = cost(change("google_container_node_pool.x", "create", None, values))
    zone = cost(change("google_container_node_pool.x", "create", None, values | {"location": "us-central1-a"}))
    assert region.high == pytest.approx(3 * zone.high, abs=0.02)


def test_a_cluster_costs_its_fee():
    values = {"location": "us-central1", "remove_default_node_pool": True, "initial_node_count": 1}
    assert cost(change("google_container_cluster.x", "create", None, values)).high == 73.0


@pytest.mark.parametrize(
    ("kind", "values", "low", "high"),
    [
        ("google_compute_router_nat", {}, 730 * (0.0014 + 0.005), 730 * (0.044 + 0.005)),
        ("google_kms_crypto_key", {"rotation_period": "7776000s"}, 0.06, 0.30),
        ("google_cloud_scheduler_job", {}, 0.0, 0.10),
        ("google_compute_disk", {"size": 100, "type": "pd-ssd", "zone": "us-central1-a"}, 17.0, 17.0),
        ("google_compute_address", {"address_type": "EXTERNAL"}, 3.65, 3.65),
        (
            "google_cloud_run_v2_service",
            {
                "template": [
                    {
                        "scaling": [{"min_instance_count": 1}],
                        "containers": [{"resources": [{"limits": {"cpu": "1", "memory": "1Gi"}}]}],
                    }
                ]
            },
            2_628_000 * 0.000005,
            2_628_000 * 0.0000265,
        ),
        (
            "google_vertex_ai_deployment_resource_pool",
            {
                "dedicated_resources": [
                    {
                        "machine_spec": [{"machine_type": "n1-standard-2"}],
                        "min_replica_count": 1,
                        "max_replica_count": 2,
                    }
                ]
            },
            1 * 730 * 1.15 * (2 * 0.031611 + 7.5 * 0.004237),
            2 * 730 * 1.15 * (2 * 0.031611 + 7.5 * 0.004237),
        ),
    ],
)
def test_what_costs_money_here_has_a_price(kind, values, low, high):
    found = cost(change(f"{kind}.x", "create", None, values))
    assert (found.low, found.high) == (pytest.approx(low, abs=0.02), pytest.approx(high, abs=0.02))


def test_what_is_destroyed_is_taken_off():
    assert cost(change("google_container_node_pool.x", "delete", pool(fewest=1, most=1))).high < 0


def test_a_resource_that_is_replaced_by_its_like_costs_nothing_more():
    found = cost(change("google_container_node_pool.x", "replace", pool(), pool()))
    assert (found.low, found.high, found.items) == (0, 0, ())


@pytest.mark.parametrize(
    ("kind", "values", "named"),
    [
        ("google_quantum_computer", {}, "google_quantum_computer"),
        ("google_storage_bucket", {}, "object storage and operations"),
        ("google_container_node_pool", pool(machine="h9-mega-1"), "google_container_node_pool (machine h9-mega-1)"),
        ("google_container_node_pool", {"node_config": "not a block", "autoscaling": [{"max_node_count": "many"}]},
         "google_container_node_pool (its values are not of the expected form)"),
    ],
)  # fmt: skip
def test_what_is_not_priced_is_named(kind, values, named):
    found = cost(change(f"{kind}.x", "create", None, values))
    assert found.unpriced == (named,)
    assert found.items == ()


def test_a_machine_known_later_is_named():
    entry = change(
        "google_container_node_pool.x", "create", None, pool(), unknown={"node_config": [{"machine_type": True}]}
    )
    assert cost(entry).unpriced == ("google_container_node_pool (its machine is known after apply)",)


def test_free_things_are_neither_priced_nor_named():
    found = cost(
        change("google_project_service.x", "create", None, {}),
        change("google_storage_bucket_iam_member.x", "create", None, {}),
    )
    assert (found.items, found.unpriced) == ((), ())


def test_every_type_in_use_is_priced_named_or_free():
    free = load_prices().is_free
    kinds = [resource_type(name) for name in types_in_use()]
    assert [kind.name for kind in kinds if not (kind.name in PRICED or kind.usage or free(kind.name))] == []


def test_nothing_that_is_free_is_priced_or_billed_by_use():
    free = load_prices().is_free
    assert [name for name in PRICED if free(name)] == []
    assert [kind.name for kind in resource_types().values() if kind.usage and free(kind.name)] == []


def test_a_broken_price_list_names_the_key(tmp_path):
    path = tmp_path / "prices.toml"
    path.write_text("date = 2026-01-01\nhours_a_month = -1\n")
    with pytest.raises(
        BadInputError,
        match=r"prices\.toml: 10 problems:\n  line 2: hours_a_month = -1: input should be greater than 0\n",
    ):
        load_prices(path)


def notebook(**more):
    return change("google_workbench_instance.w", "create", None, {"location": "us-central1-a", "gce_setup": [more]})


def test_a_notebook_counts_its_accelerators_and_disks():
    found = cost(notebook(machine_type="n1-standard-8",
                          accelerator_configs=[{"type": "NVIDIA_TESLA_V100", "core_count": "4"}],
                          data_disks=[{"disk_type": "PD_SSD", "disk_size_gb": "5000"}]))  # fmt: skip
    assert found.high > 4 * 2.48 * HOURS + 5_000 * 0.17
    assert found.low == pytest.approx(5_000 * 0.17 + 150 * 0.10, abs=0.01)  # stopped, its disks stay
    unknown = cost(notebook(accelerator_configs=[{"type": "NVIDIA_B200", "core_count": 1}]))
    assert unknown.unpriced == ("google_workbench_instance (accelerator nvidia-b200)",)


def service(*containers, **template):
    values = {"template": [{"containers": list(containers), "scaling": [{"min_instance_count": 1}], **template}]}
    return change("google_cloud_run_v2_service.s", "create", None, values)


def container(cpu="1", **limits):
    return {"resources": [{"limits": {"cpu": cpu, "memory": "1Gi", **limits}}]}


def test_sidecars_are_counted_and_an_accelerator_of_a_service_is_named():
    alone, beside = cost(service(container())), cost(service(container(), container("2")))
    assert beside.high > 2 * alone.high
    assert "with 1 sidecars" in beside.items[0].why
    for accelerated in (service(container(), node_selector=[{"accelerator": "nvidia-l4"}]),
                        service(container(**{"nvidia.com/gpu": "1"}))):  # fmt: skip
        assert any("accelerator" in name for name in cost(accelerated).unpriced)


def inner(**more):
    return change("google_container_cluster.c", "create", None, {"location": "us-central1-a", **more})


def test_pools_inside_a_cluster_are_counted_and_what_it_adds_by_itself_is_named():
    config = {"node_config": [{"machine_type": "n2-standard-16"}]}
    found = cost(inner(node_pool=[{"node_count": 10, **config}]))
    assert found.high > 73 + 10 * 16 * 0.031611 * HOURS
    limits = [{"resource_type": "cpu", "maximum": 1000}, {"resource_type": "memory", "maximum": 4000}]
    grown = cost(inner(cluster_autoscaling=[{"enabled": True, "resource_limits": limits}]))
    assert "up to 1000 cpu, 4000 memory" in grown.unpriced[0]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"node_config": [{"machine_type": "e2-standard-8"}]}, "its number of nodes is not known"),
        ({"node_count": 1, "node_config": [{"machine_type": "e2-standard-3"}]}, "machine e2-standard-3"),
        ({"node_count": 1, "node_config": [{"machine_type": "n2-standard-8", "local_ssd_count": 8}]}, "8 local SSDs"),
        ({"node_count": 1, "node_config": [{"machine_type": "n2-standard-8", "ephemeral_storage_local_ssd_config": [
            {"local_ssd_count": 2}]}]}, "2 local SSDs"),
    ],
)  # fmt: skip
def test_what_a_pool_does_not_tell_is_named(values, said):
    found = cost(change("google_container_node_pool.p", "create", None, {"location": "us-central1-a", **values}))
    assert found.items == ()
    assert any(said in name for name in found.unpriced)


def test_the_total_before_and_after_counts_what_stays():
    stays = change("google_container_node_pool.a", "none", pool(fewest=1, most=1), pool(fewest=1, most=1))
    grows = change("google_container_node_pool.b", "update", pool(fewest=1, most=1), pool(fewest=2, most=2))
    found = cost(stays, grows)
    node = cost(change("google_container_node_pool.c", "create", None, pool(fewest=1, most=1))).high
    assert found.before["prod"][1] == pytest.approx(2 * node, abs=0.02)
    assert found.after["prod"][1] == pytest.approx(3 * node, abs=0.02)


def test_the_age_of_the_list_is_told():
    prices = load_prices()
    day = prices.date
    assert prices.source(day) == f"list prices of {day}"
    assert prices.source(day + datetime.timedelta(21)) == f"list prices of {day}, 21 days old"
    assert [prices.old(day + datetime.timedelta(days)) for days in (180, 181)] == [False, True]
