from ci.preview.assemble import Material, assemble
from ci.preview.render.comment import page, render
from tests.unit.ci.preview.plans import change, plan

CLUSTER = "projects/acme/locations/europe-west1/clusters/main"


def cluster(**more):
    before, after = ({"id": CLUSTER, "name": "main-cluster", "location": "europe-west1", "network": n} for n in "ab")
    return change("google_container_cluster.main", "replace", before, after | {"id": None}, unknown={"id": True},
                  forces=[["network"]], **more)  # fmt: skip


def pool(name, forces=(("cluster",),), **more):
    before = {"id": f"{CLUSTER}/nodePools/{name}", "name": f"{name}-pool", "cluster": CLUSTER, **more}
    after = {"name": f"{name}-pool", **{key: f"{value} new" for key, value in more.items()}}
    return change(f"google_container_node_pool.{name}", "replace", before, after, unknown={"cluster": True, "id": True},
                  forces=[list(path) for path in forces])  # fmt: skip


def quiet(address, **values):
    return change(address, "none", values, values)


def configuration(*names):
    refers = {"cluster": {"references": ["google_container_cluster.main.id", "google_container_cluster.main"]}}
    resources = [{"address": f"google_container_node_pool.{name}", "expressions": refers} for name in names]
    return {"root_module": {"resources": resources}}


def made(*changes, **more):
    return assemble(Material((plan(*changes, **more),)))


def test_pools_that_are_replaced_only_with_their_cluster_stand_below_it_in_one_row_that_says_why():
    entries = (pool("spot"), pool("cpu"), cluster())
    found = made(*entries, configuration=configuration("spot", "cpu"))
    assert [(loss.address, loss.parent, loss.depth) for loss in found.losses] == [
        ("google_container_cluster.main", "", 0),
        ("google_container_node_pool.spot", "google_container_cluster.main", 1),
        ("google_container_node_pool.cpu", "google_container_cluster.main", 1),
    ]
    why = "only because google_container_cluster.main is replaced: it changes its cluster"
    assert found.losses[1].why == why
    rows = [line for line in render(found).split("\n") if line.startswith("| ")]
    assert rows[2] == (
        "| ↳ **prod** · data · `google_container_node_pool.spot`, `google_container_node_pool.cpu` replaced "
        "| only because `google_container_cluster.main` is replaced: it changes its cluster "
        "| nothing but the resource |"
    )
    assert "Destroyed or replaced (3)" in render(found)
    assert "google_container_node_pool.cpu</code>" in page(found)


def test_a_pool_with_a_reason_of_its_own_keeps_it_and_still_stands_below_its_cluster():
    found = made(cluster(), pool("cpu", forces=(["cluster"], ["location"]), location="west"),
                 configuration=configuration("cpu"))  # fmt: skip
    loss = found.losses[1]
    assert (loss.parent, loss.depth) == ("", 1)
    assert 'location "west"' in loss.why


def test_a_pool_whose_cluster_is_not_replaced_says_what_it_can():
    found = made(pool("cpu"), configuration=configuration("cpu"))
    assert found.losses[0].parent == ""
    assert found.losses[0].why.startswith("cluster ")


def test_what_follows_by_name_over_stacks_is_told_with_its_cause():
    data = plan(change("google_pubsub_topic.t", "replace", {"id": "projects/a/topics/one-topic", "name": "one-topic"},
                       {"name": "two-topic"}, unknown={"id": True}, forces=[["name"]]), stack="prod-data")  # fmt: skip
    runtime = plan(change("google_cloud_run_service.s", "replace", {"topic": "one-topic"}, {"topic": "two-topic"},
                          forces=[["topic"]]), stack="prod-runtime")  # fmt: skip
    other = plan(change("google_cloud_run_service.s", "replace", {"topic": "one-topic"}, {"topic": "six-topic"},
                        forces=[["topic"]]), stack="prod-delivery")  # fmt: skip
    found = {loss.stack: loss for loss in assemble(Material((data, runtime, other))).losses}
    assert found["prod-runtime"].parent == "prod-data: google_pubsub_topic.t"
    assert found["prod-delivery"].parent == ""


def test_a_chain_is_told_link_by_link():
    network = change("google_compute_network.n", "replace", {"id": "projects/a/networks/n", "name": "network-n"},
                     {"name": "network-m"}, unknown={"id": True}, forces=[["name"]])  # fmt: skip
    middle = change("google_container_cluster.main", "replace", {"id": CLUSTER, "network": "projects/a/networks/n"}, {},
                    unknown={"id": True, "network": True}, forces=[["network"]])  # fmt: skip
    refers = configuration("cpu")
    refers["root_module"]["resources"].append(
        {
            "address": "google_container_cluster.main",
            "expressions": {"network": {"references": ["google_compute_network.n"]}},
        }
    )
    found = made(pool("cpu"), middle, network, configuration=refers)
    assert [(loss.type, loss.depth) for loss in found.losses] == [
        ("google_compute_network", 0), ("google_container_cluster", 1), ("google_container_node_pool", 2)]  # fmt: skip


def test_of_several_clusters_a_pool_follows_the_one_with_its_key():
    entries = []
    for key in ("a", "b"):
        values = {"id": f"{CLUSTER}-{key}", "name": f"cluster-{key}", "network": "x"}
        entries.append(change(f'google_container_cluster.main["{key}"]', "replace", values, {"network": "y"},
                              unknown={"id": True}, forces=[["network"]]))  # fmt: skip
        entries.append(change(f'google_container_node_pool.cpu["{key}"]', "replace", {"cluster": "old"}, {},
                              unknown={"cluster": True}, forces=[["cluster"]]))  # fmt: skip
    found = made(*entries, configuration=configuration("cpu")).losses
    follows = {loss.address: loss.parent for loss in found if loss.parent}
    assert follows == {f'google_container_node_pool.cpu["{k}"]': f'google_container_cluster.main["{k}"]' for k in "ab"}


def test_children_that_name_their_parent_by_a_name_that_stays_are_lost_though_not_planned():
    inside = quiet("google_container_node_pool.cpu", id=f"{CLUSTER}/nodePools/cpu", cluster="main-cluster")
    beside = quiet("google_container_node_pool.other", id=f"{CLUSTER}-2/nodePools/cpu", cluster="main-2")
    found = made(cluster(), inside, beside)
    assert found.losses[0].unplanned == ("google_container_node_pool.cpu",)
    for written in (render(found), page(found)):
        assert "not in the plan, but inside it and gone with it:" in written
        assert "google_container_node_pool.other" not in written


def test_grants_and_objects_of_a_bucket_in_another_stack_go_with_it():
    bucket = change("google_storage_bucket.raw", "delete", {"id": "acme-raw", "name": "acme-raw"})
    grant = quiet("google_storage_bucket_iam_member.m", id="b/acme-raw/roles/x/user:a", bucket="b/acme-raw")
    thing = quiet("google_storage_bucket_object.o", id="acme-raw-o", bucket="acme-raw")
    near = quiet("google_storage_bucket_object.p", id="acme-raw-2-o", bucket="acme-raw-2")
    plans = (plan(bucket, stack="prod-data"), plan(grant, thing, near, stack="prod-runtime"))
    (loss,) = assemble(Material(plans)).losses
    assert loss.unplanned == (
        "prod-runtime: google_storage_bucket_iam_member.m", "prod-runtime: google_storage_bucket_object.o")  # fmt: skip


def test_what_is_only_left_behind_takes_nothing_with_it():
    values = {"id": CLUSTER, "name": "main-cluster", "deletion_policy": "ABANDON"}
    inside = quiet("google_container_node_pool.cpu", id=f"{CLUSTER}/nodePools/cpu")
    assert made(change("google_container_cluster.main", "delete", values), inside).losses[0].unplanned == ()


def test_things_that_follow_each_other_in_a_circle_are_both_listed():
    one, other = (
        change(f"google_thing.{name}", "replace", {"id": f"thing-{name}", "peer": f"thing-{peer}"}, {},
               unknown={"id": True, "peer": True}, forces=[["peer"]])
        for name, peer in (("a", "b"), ("b", "a"))
    )  # fmt: skip
    assert {loss.address for loss in made(one, other).losses} == {"google_thing.a", "google_thing.b"}


def test_the_name_of_a_replaced_thing_may_become_a_list():
    bucket = {"id": "acme-raw", "name": "acme-raw"}
    found = made(
        change("google_storage_bucket.raw", "replace", bucket, {"name": "acme-other"}, forces=[["name"]]),
        change("terraform_data.t", "replace", {"triggers_replace": "acme-raw"}, {"triggers_replace": ["acme-raw"]},
               forces=[["triggers_replace"]]),
    )  # fmt: skip
    assert len(found.losses) == 2


def test_grants_of_one_account_do_not_need_each_other_but_its_destroy_names_them():
    member = "serviceAccount:train@acme.iam.gserviceaccount.com"

    def grant(name, role):
        values = {"id": f"b/acme-{name}/{role}/{member}", "bucket": f"b/acme-{name}", "member": member, "role": role}
        return change(f"google_storage_bucket_iam_member.{name}", "delete", values)

    found = made(grant("one", "roles/x.user"), grant("two", "roles/x.user"))
    assert [loss.dependents for loss in found.losses] == [(), ()]
    account = change("google_service_account.train", "delete", {"id": "projects/p/train", "member": member})
    keeps = {"bucket": "acme-one", "member": member, "role": "roles/x.user"}
    found = made(account, quiet("google_storage_bucket_iam_member.one", **keeps))
    assert found.losses[0].dependents == ("google_storage_bucket_iam_member.one",)


def test_a_grant_that_names_its_bucket_as_google_does_is_replaced_only_because_of_it():
    bucket = {"id": "acme-raw", "name": "acme-raw"}
    grant = {"bucket": "b/acme-raw", "role": "roles/x.user", "member": "user:a@acme.com"}
    found = made(
        change("google_storage_bucket.raw", "replace", bucket, {"name": "acme-new", "id": "acme-new"},
               forces=[["name"]]),
        change("google_storage_bucket_iam_member.m", "replace", grant, grant | {"bucket": "b/acme-new"},
               forces=[["bucket"]]),
    )  # fmt: skip
    assert [loss.parent for loss in found.losses] == ["", "google_storage_bucket.raw"]
