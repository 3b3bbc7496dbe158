import re

import pytest

from fonderie.sandbox.lifecycle.interface import ProviderConfig
from fonderie.sandbox.lifecycle.resource_paths import Names, api_of
from fonderie.sandbox.provider.facts import Facts

PROVIDER = ProviderConfig(project="demo-proj", region="us-central1")


@pytest.fixture(scope="module")
def names(facts: Facts) -> Names:
    return Names(facts, lambda _: 123456789012, {123456789012: "demo-proj"}.get)


def test_every_type_has_a_path_of_its_own(names: Names, facts: Facts) -> None:
    for type in facts.types:
        if "_iam_member" not in type and "_iam_binding" not in type and "_iam_audit" not in type:
            assert "{" in names.path_template(type) or type == "google_gke_hub_fleet", type


def test_a_host_and_a_project_number_are_taken_out_of_a_path(names: Names) -> None:
    for written in (
        "https://www.googleapis.com/compute/v1/projects/123456789012/global/networks/n",
        "//compute.googleapis.com/projects/demo-proj/global/networks/n",
        "projects/demo-proj/global/networks/n",
    ):
        assert names.canonical(written) == "projects/demo-proj/global/networks/n"


def test_a_short_name_and_a_path_mean_the_same_object(names: Names) -> None:
    values = names.values("google_compute_subnetwork", {}, PROVIDER)
    path = "projects/demo-proj/global/networks/n"
    assert (
        names.refer("google_compute_network", "n", values)
        == names.refer("google_compute_network", path, values)
        == path
    )


@pytest.mark.parametrize(
    ("path", "type"),
    [
        ("projects/p/topics/t", "google_pubsub_topic"),
        ("projects/p/locations/l/keyRings/r/cryptoKeys/k", "google_kms_crypto_key"),
        ("projects/p/global/networks/n", "google_compute_network"),
        ("projects/p/locations/l/clusters/c/nodePools/n", "google_container_node_pool"),
        ("projects/p/secrets/s/versions/1", "google_secret_manager_secret_version"),
    ],
)
def test_a_path_tells_its_type(names: Names, path: str, type: str) -> None:
    assert type in names.types_of(path)


def test_what_is_no_path_has_no_type(names: Names) -> None:
    assert not any(names.types_of(text) for text in ("Etc/UTC", "projects/p", "a/b/c"))


def test_a_path_lies_within_its_parents(names: Names) -> None:
    found = names.parents("projects/p/secrets/s/versions/1")
    assert found == [("projects/p/secrets/s", "google_secret_manager_secret")]


@pytest.mark.parametrize(
    ("type", "attribute", "named"),
    [
        ("google_container_node_pool", "cluster", "google_container_cluster"),
        ("google_vertex_ai_feature_group_feature", "feature_group", "google_vertex_ai_feature_group"),
        ("google_compute_router_nat", "router", "google_compute_router"),
        ("google_bigquery_table", "dataset_id", "google_bigquery_dataset"),
        ("google_pubsub_subscription", "filter", None),
    ],
)
def test_an_attribute_that_is_called_as_a_type_names_one(
    names: Names, type: str, attribute: str, named: str | None
) -> None:
    assert names.reference(type, attribute) == named


def test_an_id_is_taken_apart_as_it_was_put_together(names: Names, facts: Facts) -> None:
    for type in facts.types:
        template = names.id_template(type)
        holes = dict.fromkeys(re.findall(r"\{(\w+)", template), "x")
        if "_iam_" in type or template.count("{") != len(holes) or not holes or template.startswith("{"):
            continue
        identity = template
        for hole in holes:
            identity = identity.replace("{" + hole + "}", "x").replace("{" + hole + "|url}", "x")
        assert names.parse(type, identity) == holes, type


def test_the_longest_prefix_names_the_api() -> None:
    assert api_of("google_bigquery_connection")[0] == "bigqueryconnection.googleapis.com"
    assert api_of("google_bigquery_table")[0] == "bigquery.googleapis.com"
    assert api_of("google_project_iam_member")[0] == "cloudresourcemanager.googleapis.com"
    assert api_of("google_project_iam_custom_role")[0] == "iam.googleapis.com"
