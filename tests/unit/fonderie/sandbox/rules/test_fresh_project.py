"""APIs, parents, references, agents, keys: what must exist before."""

from pathlib import Path
from typing import Any

import pytest

from fonderie.sandbox.lifecycle.interface import UNKNOWN, ApiError
from fonderie.sandbox.rules.rulebook import all_rules, table
from tests.unit.fonderie.sandbox.google import NUMBER, PROJECT, Google

PLACE = {"region": "us-central1"}
ACCOUNT = f"w@{PROJECT}.iam.gserviceaccount.com"
POOL = {"workload_identity_pool_id": "pool", "workload_identity_pool_provider_id": "prov"}
SECRET = f"projects/{PROJECT}/secrets/s"
CHANNEL = f"projects/{PROJECT}/notificationChannels/1"
RING = f"projects/{PROJECT}/locations/us-central1/keyRings/r"
KEY = f"{RING}/cryptoKeys/k"


def test_every_rule_says_what_it_is_and_where_it_is_written() -> None:
    for rule in all_rules():
        assert rule.words.endswith("."), rule.name
        assert rule.source, rule.name


def test_nothing_is_made_while_its_api_is_off(fresh: Google) -> None:
    with pytest.raises(
        ApiError, match="Error 403: Cloud Pub/Sub API has not been used in project 123456789012"
    ) as error:
        fresh.make("google_pubsub_topic", name="events")
    assert "apis/api/pubsub.googleapis.com/overview?project=123456789012" in str(error.value)
    assert "SERVICE_DISABLED" in error.value.diagnostics[0].detail


def test_an_enabled_api_takes_requests(fresh: Google) -> None:
    fresh.enable("pubsub")
    assert fresh.make("google_pubsub_topic", name="events")["id"] == f"projects/{PROJECT}/topics/events"


def test_every_type_wants_its_api(fresh: Google) -> None:
    for type in (
        "google_storage_bucket",
        "google_service_account",
        "google_kms_key_ring",
        "google_vertex_ai_tensorboard",
    ):
        with pytest.raises(ApiError, match="Error 403"):
            fresh.make(type, name="x", account_id="xxxxxx", location="us-central1")


@pytest.mark.parametrize(
    ("services", "type", "attributes", "what"),
    [
        (["pubsub"], "google_pubsub_subscription", {"name": "s", "topic": "events"}, "topics/events"),
        (["pubsub"], "google_pubsub_subscription", {"name": "s", "topic": f"projects/{PROJECT}/topics/e"}, "topics/e"),
        (["compute"], "google_compute_subnetwork", {"name": "s", "network": "n", **PLACE}, "networks/n"),
        (["compute"], "google_compute_router_nat", {"name": "n", "router": "rt", **PLACE}, "routers/rt"),
        (["cloudkms"], "google_kms_crypto_key", {"name": "k", "key_ring": RING}, "keyRings/r"),
        (["bigquery"], "google_bigquery_table", {"table_id": "t", "dataset_id": "d"}, "datasets/d"),
        (
            ["container"],
            "google_container_node_pool",
            {"name": "p", "cluster": "c", "location": "us-central1"},
            "clusters/c",
        ),
        (["secretmanager"], "google_secret_manager_secret_version", {"secret": SECRET}, "secrets/s"),
        (["storage"], "google_storage_bucket_object", {"bucket": "b", "name": "o", "content": "x"}, "b/b"),
        (["workflows"], "google_workflows_workflow", {"name": "w", "service_account": ACCOUNT}, "Service account w@"),
        (
            ["aiplatform"],
            "google_vertex_ai_feature_group_feature",
            {"name": "f", "feature_group": "g"},
            "featureGroups/g",
        ),
        (["iam"], "google_iam_workload_identity_pool_provider", POOL, "workloadIdentityPools/pool"),
        (
            ["monitoring"],
            "google_monitoring_alert_policy",
            {"notification_channels": [CHANNEL]},
            "notificationChannels/1",
        ),
    ],
)
def test_what_is_referred_to_must_exist(
    fresh: Google, services: list[str], type: str, attributes: dict[str, Any], what: str
) -> None:
    fresh.enable(*services)
    with pytest.raises(ApiError, match=what):
        fresh.make(type, **attributes)


def test_an_established_project_has_what_is_named_from_outside(established: Google) -> None:
    state = established.make("google_pubsub_subscription", name="s", topic=f"projects/{PROJECT}/topics/elsewhere")
    assert state["id"] == f"projects/{PROJECT}/subscriptions/s"


def test_what_lies_in_another_project_is_taken_on_trust(fresh: Google) -> None:
    fresh.enable("pubsub")
    fresh.make("google_pubsub_subscription", name="s", topic="projects/somebody-elses/topics/t")


def test_what_is_still_being_made_is_not_there_for_others(fresh: Google) -> None:
    fresh.enable("pubsub")
    fresh.make("google_pubsub_topic", name="events")
    fresh.world.settling._unsettled.made.add(f"projects/{PROJECT}/topics/events")
    with pytest.raises(ApiError, match="topics/events"):
        fresh.make("google_pubsub_subscription", name="s", topic="events")


def test_an_agent_on_demand_exists_only_after_the_first_use(fresh: Google) -> None:
    fresh.enable("pubsub", "cloudresourcemanager")
    member = f"serviceAccount:service-{NUMBER}@gcp-sa-pubsub.iam.gserviceaccount.com"
    with pytest.raises(ApiError, match=r"Error 400: Service account service-.* does not exist"):
        fresh.make("google_project_iam_member", role="roles/pubsub.publisher", member=member)
    fresh.make("google_pubsub_topic", name="events")
    fresh.make("google_project_iam_member", role="roles/pubsub.publisher", member=member)


def test_other_agents_come_with_their_api(fresh: Google) -> None:
    fresh.enable("cloudresourcemanager")
    member = f"serviceAccount:service-{NUMBER}@gcp-sa-aiplatform.iam.gserviceaccount.com"
    with pytest.raises(ApiError, match="does not exist"):
        fresh.make("google_project_iam_member", role="roles/viewer", member=member)
    fresh.enable("aiplatform")
    fresh.make("google_project_iam_member", role="roles/viewer", member=member)


def test_asking_for_the_storage_agent_makes_it(fresh: Google) -> None:
    fresh.enable("cloudkms", "storage")
    fresh.make("google_kms_key_ring", name="r", location="us-central1")
    fresh.make("google_kms_crypto_key", name="k", key_ring=RING)
    role, email = (
        "roles/cloudkms.cryptoKeyEncrypterDecrypter",
        f"service-{NUMBER}@gs-project-accounts.iam.gserviceaccount.com",
    )
    grant = {"crypto_key_id": KEY, "role": role, "member": f"serviceAccount:{email}"}
    with pytest.raises(ApiError, match="does not exist"):
        fresh.make("google_kms_crypto_key_iam_member", **grant)
    asked = fresh.life.read_data("google_storage_project_service_account", _empty(fresh), fresh.provider)
    assert asked["email_address"] == email
    fresh.make("google_kms_crypto_key_iam_member", **grant)


def test_encrypting_with_a_key_needs_the_right_to_it(fresh: Google) -> None:
    fresh.enable("cloudkms", "storage")
    fresh.make("google_kms_key_ring", name="r", location="us-central1")
    fresh.make("google_kms_crypto_key", name="k", key_ring=RING)
    bucket = {"name": "b", "location": "US-CENTRAL1", "encryption": [{"default_kms_key_name": KEY}]}
    with pytest.raises(ApiError, match="Permission denied on Cloud KMS key"):
        fresh.make("google_storage_bucket", **bucket)
    fresh.life.read_data("google_storage_project_service_account", _empty(fresh), fresh.provider)
    member = f"serviceAccount:service-{NUMBER}@gs-project-accounts.iam.gserviceaccount.com"
    role = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
    fresh.make("google_kms_crypto_key_iam_member", crypto_key_id=KEY, role=role, member=member)
    fresh.make("google_storage_bucket", **bucket)


def test_workload_identities_exist_once_the_first_cluster_does(fresh: Google) -> None:
    fresh.enable("iam", "container")
    account = fresh.make("google_service_account", account_id="pipelines")
    grant = {"service_account_id": account["name"], "role": "roles/iam.workloadIdentityUser"}
    member = f"serviceAccount:{PROJECT}.svc.id.goog[ns/sa]"
    with pytest.raises(ApiError, match="Identity Pool does not exist"):
        fresh.make("google_service_account_iam_member", member=member, **grant)
    pool = [{"workload_pool": f"{PROJECT}.svc.id.goog"}]
    fresh.make("google_container_cluster", name="c", location="us-central1", workload_identity_config=pool)
    fresh.make("google_service_account_iam_member", member=member, **grant)


def test_new_manifests_reach_a_cluster_that_has_joined(fresh: Google) -> None:
    fresh.enable("container", "gkehub")

    def synced(digest: str) -> list[dict[str, Any]]:
        oci = [{"sync_repo": f"europe-west1-docker.pkg.dev/p/r/m@sha256:{digest}", "policy_dir": "."}]
        return [{"config_sync": [{"enabled": True, "oci": oci}]}]

    feature = fresh.make("google_gke_hub_feature", name="configmanagement", location="global")
    member = {
        "feature": feature["name"],
        "location": "global",
        "membership": "c",
        "membership_location": "us-central1",
        "configmanagement": synced("a"),
    }
    with pytest.raises(ApiError, match="memberships/c is not a valid Membership in this project"):
        fresh.make("google_gke_hub_feature_membership", **member)
    cluster = {"name": "c", "location": "us-central1", "fleet": [{"project": PROJECT, "membership_id": UNKNOWN}]}
    joined = fresh.make("google_container_cluster", **cluster)
    assert joined["fleet"][0]["membership_id"] == "c"

    state = fresh.make("google_gke_hub_feature_membership", **member)
    done = fresh.change("google_gke_hub_feature_membership", state, configmanagement=synced("b"))

    assert not done.diagnostics
    (here,) = fresh.world.cloud.things("google_gke_hub_feature_membership")
    assert here.attributes["configmanagement"][0]["config_sync"][0]["oci"][0]["sync_repo"].endswith("sha256:b")


def test_a_fleets_default_stands_in_the_way_of_what_one_cluster_gets(fresh: Google) -> None:
    fresh.enable("container", "gkehub")
    default = [{"configmanagement": [{"config_sync": [{"enabled": True}]}]}]
    fresh.make(
        "google_gke_hub_feature",
        name="configmanagement",
        location="global",
        fleet_default_member_config=default,
    )
    fresh.make("google_container_cluster", name="c", location="us-central1", fleet=[{"project": PROJECT}])
    member = {"feature": "configmanagement", "location": "global", "membership_location": "us-central1"}
    with pytest.raises(ApiError, match="Resource already exists - apply blocked by lifecycle params"):
        fresh.make("google_gke_hub_feature_membership", membership="c", **member, **default[0])


def test_a_federated_member_needs_its_pool(fresh: Google) -> None:
    fresh.enable("iam", "cloudresourcemanager")
    pool = f"projects/{NUMBER}/locations/global/workloadIdentityPools/github"
    member = f"principalSet://iam.googleapis.com/{pool}/attribute.repository/o/r"
    with pytest.raises(ApiError, match="Identity Pool does not exist"):
        fresh.make("google_project_iam_member", role="roles/viewer", member=member)
    fresh.make("google_iam_workload_identity_pool", workload_identity_pool_id="github")
    fresh.make("google_project_iam_member", role="roles/viewer", member=member)


def test_quotas_are_counted_and_can_be_raised(fresh: Google) -> None:
    fresh.enable("compute")
    fresh.world.cloud.set_note("quota:NETWORKS", "2")
    for name in ("a", "b"):
        fresh.make("google_compute_network", name=name)
    with pytest.raises(ApiError, match=r"Quota 'NETWORKS' exceeded.  Limit: 2.0."):
        fresh.make("google_compute_network", name="c")
    fresh.world.cloud.set_note("quota:NETWORKS", "3")
    fresh.make("google_compute_network", name="c")


def test_static_addresses_are_counted_by_region(fresh: Google) -> None:
    fresh.enable("compute")
    for number in range(8):
        fresh.make("google_compute_address", name=f"a{number}", region="us-central1")
    with pytest.raises(ApiError, match=r"STATIC_ADDRESSES.*in region us-central1"):
        fresh.make("google_compute_address", name="one-more", region="us-central1")
    fresh.make("google_compute_address", name="elsewhere", region="europe-west1")


def _empty(google: Google) -> dict[str, Any]:
    return google.world.schema.data_source("google_storage_project_service_account").block.empty()


def test_the_documentation_lists_every_rule() -> None:
    page = Path("docs/fresh-project.md").read_text(encoding="utf-8")
    assert table() in page, 'run: python -c "from fonderie.sandbox.rules.rulebook import table; print(table())"'
