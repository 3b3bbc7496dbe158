"""What refuses to go, what stays, what its name is worth afterwards."""

from typing import Any

import pytest

from fonderie.sandbox.cloud.cloud import ObjectStatus
from fonderie.sandbox.lifecycle.interface import ApiError
from tests.unit.fonderie.sandbox.google import PROJECT, Google

LOCATION = f"projects/{PROJECT}/locations/us-central1"


def test_a_bucket_with_objects_stays_without_force_destroy(fresh: Google) -> None:
    fresh.enable("storage")
    bucket = fresh.make("google_storage_bucket", name="b", location="EU")
    fresh.world.buckets.write("b", "runs/1/model.json", b"{}")
    with pytest.raises(ApiError, match="without `force_destroy` set to true"):
        fresh.delete("google_storage_bucket", bucket)
    fresh.delete("google_storage_bucket", {**bucket, "force_destroy": True})
    assert not fresh.world.buckets.path("b").exists()


def test_a_dataset_with_tables_stays_unless_its_contents_may_go(fresh: Google) -> None:
    fresh.enable("bigquery")
    dataset = fresh.make("google_bigquery_dataset", dataset_id="ml", location="US")
    table = fresh.make("google_bigquery_table", dataset_id="ml", table_id="t", deletion_protection=False)
    with pytest.raises(ApiError, match="still in use"):
        fresh.delete("google_bigquery_dataset", dataset)
    fresh.delete("google_bigquery_dataset", {**dataset, "delete_contents_on_destroy": True})
    assert fresh.read("google_bigquery_table", table) is None


def test_a_network_in_use_stays(fresh: Google) -> None:
    fresh.enable("compute")
    network = fresh.make("google_compute_network", name="n")
    subnetwork = fresh.make(
        "google_compute_subnetwork",
        name="s",
        network=network["self_link"],
        ip_cidr_range="10.0.0.0/20",
        region="us-central1",
    )
    with pytest.raises(ApiError, match="already being used by 'projects/demo-proj/regions/us-central1/subnetworks/s'"):
        fresh.delete("google_compute_network", network)
    fresh.delete("google_compute_subnetwork", subnetwork)
    fresh.delete("google_compute_network", network)


def test_ranges_of_one_network_do_not_overlap(fresh: Google) -> None:
    fresh.enable("compute")
    fresh.make("google_compute_network", name="n")
    fresh.make("google_compute_network", name="other")
    common: dict[str, Any] = {"region": "us-central1", "ip_cidr_range": "10.0.0.0/20"}
    fresh.make("google_compute_subnetwork", name="a", network="n", **common)
    with pytest.raises(ApiError, match="conflicts with existing subnetwork"):
        fresh.make("google_compute_subnetwork", name="b", network="n", **common)
    fresh.make("google_compute_subnetwork", name="b", network="other", **common)


def test_an_endpoint_with_models_stays(fresh: Google) -> None:
    fresh.enable("aiplatform")
    endpoint = fresh.make("google_vertex_ai_endpoint", name="1234", display_name="e", location="us-central1")
    path = f"{LOCATION}/endpoints/1234"
    fresh.world.cloud.change("google_vertex_ai_endpoint", path, {**endpoint, "deployed_models": [{"id": "7"}]})
    with pytest.raises(ApiError, match="has deployed or being-deployed DeployedModel"):
        fresh.delete("google_vertex_ai_endpoint", endpoint)


def test_a_store_with_views_needs_force(fresh: Google) -> None:
    fresh.enable("aiplatform")
    store = fresh.make("google_vertex_ai_feature_online_store", name="fos", region="us-central1")
    fresh.make(
        "google_vertex_ai_feature_online_store_featureview", name="fv", feature_online_store="fos", region="us-central1"
    )
    with pytest.raises(ApiError, match="featureViews"):
        fresh.delete("google_vertex_ai_feature_online_store", store)
    fresh.delete("google_vertex_ai_feature_online_store", {**store, "force_destroy": True})


def test_key_rings_and_keys_outlive_a_destroy_and_block_their_names(fresh: Google) -> None:
    fresh.enable("cloudkms")
    ring = fresh.make("google_kms_key_ring", name="r", location="us-central1")
    path = f"{LOCATION}/keyRings/r"
    key = fresh.make("google_kms_crypto_key", name="k", key_ring=path, rotation_period="7776000s")
    fresh.delete("google_kms_crypto_key", key)
    fresh.delete("google_kms_key_ring", ring)
    left = fresh.world.cloud.live("google_kms_crypto_key", f"{path}/cryptoKeys/k")
    assert left is not None
    assert left.attributes["rotation_period"] is None
    assert left.attributes["primary"][0]["state"] == "DESTROY_SCHEDULED"
    with pytest.raises(ApiError, match="Error 409"):
        fresh.make("google_kms_key_ring", name="r", location="us-central1")
    with pytest.raises(ApiError, match="Error 409"):
        fresh.make("google_kms_crypto_key", name="k", key_ring=path)
    assert fresh.bring("google_kms_key_ring", path) is not None


def test_a_deleted_pool_keeps_its_name_and_its_providers_go_with_it(fresh: Google) -> None:
    fresh.enable("iam")
    pool = fresh.make("google_iam_workload_identity_pool", workload_identity_pool_id="github")
    provider = {"workload_identity_pool_id": "github", "workload_identity_pool_provider_id": "actions"}
    inside = fresh.make("google_iam_workload_identity_pool_provider", **provider)
    fresh.delete("google_iam_workload_identity_pool", pool)
    assert fresh.read("google_iam_workload_identity_pool_provider", inside) is None
    with pytest.raises(ApiError, match="Error 409"):
        fresh.make("google_iam_workload_identity_pool", workload_identity_pool_id="github")
    path = f"projects/{PROJECT}/locations/global/workloadIdentityPools/github"
    fresh.world.cloud.mark("google_iam_workload_identity_pool", path, ObjectStatus.LIVE)  # undeleted by hand
    assert fresh.bring("google_iam_workload_identity_pool", path) is not None


def test_a_custom_role_is_undeleted_and_patched(fresh: Google) -> None:
    fresh.enable("iam")
    role = fresh.make("google_project_iam_custom_role", role_id="r", title="old", permissions=["a.b.c"])
    with pytest.raises(ApiError, match="already exists"):
        fresh.make("google_project_iam_custom_role", role_id="r", title="again", permissions=["a.b.c"])
    fresh.delete("google_project_iam_custom_role", role)
    seen = fresh.read("google_project_iam_custom_role", role)
    assert seen is not None
    assert seen["deleted"] is True
    anew = fresh.make("google_project_iam_custom_role", role_id="r", title="new", permissions=["a.b.c"])
    assert (anew["title"], anew["deleted"]) == ("new", False)


def test_a_buckets_name_belongs_to_whoever_has_it(fresh: Google) -> None:
    fresh.enable("storage")
    bucket = fresh.make("google_storage_bucket", name="b", location="EU")
    with pytest.raises(ApiError, match="bucket namespace is shared by all users"):
        fresh.make("google_storage_bucket", name="b", location="EU")
    fresh.delete("google_storage_bucket", bucket)
    fresh.make("google_storage_bucket", name="b", location="EU")


def test_a_service_stays_enabled_unless_it_is_to_be_disabled(fresh: Google) -> None:
    service = fresh.make("google_project_service", service="pubsub.googleapis.com", disable_on_destroy=False)
    fresh.delete("google_project_service", service)
    fresh.make("google_pubsub_topic", name="t")
    fresh.delete("google_project_service", {**service, "disable_on_destroy": True})
    with pytest.raises(ApiError, match="Error 403"):
        fresh.make("google_pubsub_topic", name="u")


def test_a_service_that_another_needs_is_not_disabled(fresh: Google) -> None:
    compute = fresh.make("google_project_service", service="compute.googleapis.com", disable_on_destroy=True)
    fresh.enable("container")
    with pytest.raises(ApiError, match="depended on by the following active service"):
        fresh.delete("google_project_service", compute)


def test_secret_versions_count_up_and_never_repeat(fresh: Google) -> None:
    fresh.enable("secretmanager")
    fresh.make("google_secret_manager_secret", secret_id="s", replication=[{"auto": [{}]}])
    name = f"projects/{PROJECT}/secrets/s"
    first = fresh.make("google_secret_manager_secret_version", secret=name, secret_data="a")
    fresh.delete("google_secret_manager_secret_version", first)
    second = fresh.make("google_secret_manager_secret_version", secret=name, secret_data="b")
    assert (first["version"], second["version"]) == ("1", "2")


def test_a_rotation_wants_topics_and_the_right_to_publish(fresh: Google) -> None:
    fresh.enable("secretmanager", "pubsub")
    secret: dict[str, Any] = {"replication": [{"auto": [{}]}], "rotation": [{"rotation_period": "7776000s"}]}
    with pytest.raises(ApiError, match="at least one topic"):
        fresh.make("google_secret_manager_secret", secret_id="s", **secret)
    topic = fresh.make("google_pubsub_topic", name="t")["id"]
    with pytest.raises(ApiError, match="does not have permission to publish"):
        fresh.make("google_secret_manager_secret", secret_id="s", topics=[{"name": topic}], **secret)


def test_a_notification_wants_a_publisher(fresh: Google) -> None:
    fresh.enable("storage", "pubsub")
    fresh.make("google_storage_bucket", name="b", location="EU")
    topic = fresh.make("google_pubsub_topic", name="t")["id"]
    notification = {"bucket": "b", "topic": topic, "payload_format": "JSON_API_V1"}
    with pytest.raises(ApiError, match="does not have permission to publish"):
        fresh.make("google_storage_notification", **notification)
    agent = "service-123456789012@gs-project-accounts.iam.gserviceaccount.com"
    fresh.make(
        "google_pubsub_topic_iam_member", topic="t", role="roles/pubsub.publisher", member=f"serviceAccount:{agent}"
    )
    fresh.make("google_storage_notification", **notification)


def test_a_trigger_wants_a_repository_a_person_has_connected(fresh: Google) -> None:
    fresh.enable("cloudbuild")
    trigger: dict[str, Any] = {"name": "t", "location": "global", "github": [{"owner": "o", "name": "r"}]}
    with pytest.raises(ApiError, match="Repository mapping does not exist"):
        fresh.make("google_cloudbuild_trigger", **trigger)
    fresh.world.cloud.set_note(f"repository-mapping:{PROJECT}/o/r", "1")
    fresh.make("google_cloudbuild_trigger", **trigger)


def test_a_repository_wants_an_authorised_connection(fresh: Google) -> None:
    fresh.enable("cloudbuild")
    place = {"location": "us-central1"}
    connection = fresh.make(
        "google_cloudbuildv2_connection", name="gh", github_config=[{"app_installation_id": None}], **place
    )
    repository = {"name": "r", "parent_connection": "gh", "remote_uri": "https://github.com/o/r.git", **place}
    with pytest.raises(ApiError, match="not authorised"):
        fresh.make("google_cloudbuildv2_repository", **repository)
    authorised = [{"app_installation_id": 1, "authorizer_credential": [{"oauth_token_secret_version": "v"}]}]
    fresh.world.cloud.change(
        "google_cloudbuildv2_connection", f"{LOCATION}/connections/gh", {**connection, "github_config": authorised}
    )
    fresh.make("google_cloudbuildv2_repository", **repository)


def test_clusters_name_ranges_that_their_subnetwork_has(fresh: Google) -> None:
    fresh.enable("compute", "container")
    fresh.make("google_compute_network", name="n")
    ranges = [{"range_name": "pods", "ip_cidr_range": "10.20.0.0/16"}]
    fresh.make("google_compute_subnetwork", name="s", network="n", ip_cidr_range="10.0.0.0/20", region="us-central1",
               secondary_ip_range=ranges)  # fmt: skip
    cluster: dict[str, Any] = {"name": "c", "location": "us-central1", "network": "n", "subnetwork": "s"}
    with pytest.raises(ApiError, match='secondary range "nodes" does not exist'):
        fresh.make(
            "google_container_cluster", ip_allocation_policy=[{"cluster_secondary_range_name": "nodes"}], **cluster
        )
    fresh.make("google_container_cluster", ip_allocation_policy=[{"cluster_secondary_range_name": "pods"}], **cluster)


def test_a_table_with_a_query_is_a_view(fresh: Google) -> None:
    fresh.enable("bigquery")
    fresh.make("google_bigquery_dataset", dataset_id="ml", location="US")
    view = fresh.make("google_bigquery_table", dataset_id="ml", table_id="v", view=[{"query": "SELECT 1"}])
    table = fresh.make("google_bigquery_table", dataset_id="ml", table_id="t")
    assert (view["type"], table["type"], table["location"]) == ("VIEW", "TABLE", "US")
