"""The values that matter of every construct, read from production's and the throw-away environment's stacks."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ci.synth import load_workloads, synthesise
from fonderie.google.bigquery.tables import PARTITION
from fonderie.sandbox.rest.discovery import Service
from infra import names
from infra.constructs.grants import label_of
from infra.names import AgentName, IdentityName, KeyName, SecretName
from infra.settings import ENVIRONMENTS, Environment, environment_names, load_environment, notes
from infra.settings.sections import CiSystem
from infra.stacks.foundation import USERS
from ml.datasets.schema import SCHEMAS, Dataset
from tests.unit.conftest import Synthesised, stacks_of
from tests.unit.infra.synthesised import one, resources

FEATURES = "${google_bigquery_dataset.features.dataset_id}"


@pytest.fixture(scope="module")
def prod() -> Environment:
    return load_environment("prod")


@pytest.fixture(scope="module")
def local() -> Environment:
    return load_environment("local")


def members(stack: dict[str, Any], kind: str, role: str) -> set[str]:
    return {each["member"] for type, _, each in resources(stack) if type == f"google_{kind}" and each["role"] == role}


def test_apis_stay_on_when_the_stack_goes(stacks: Synthesised) -> None:
    for kind, _, api in resources(stacks["prod-foundation"]):
        if kind == "google_project_service":
            assert api["disable_on_destroy"] is False


def test_a_bucket_is_private_versioned_and_encrypted(stacks: Synthesised, prod: Environment) -> None:
    bucket = one(stacks["prod-data"], "storage_bucket", name=names.bucket(prod, names.BucketName.MODELS))
    assert bucket["uniform_bucket_level_access"] is True
    assert bucket["public_access_prevention"] == "enforced"
    assert bucket["versioning"] == {"enabled": True}
    assert bucket["encryption"] == {"default_kms_key_name": names.key_path(prod, KeyName.DATA)}
    assert bucket["force_destroy"] is False
    assert bucket["soft_delete_policy"] == {"retention_duration_seconds": 7 * 86_400}
    assert bucket["lifecycle_rule"] == [
        {"action": {"type": "Delete"}, "condition": {"num_newer_versions": 5, "with_state": "ARCHIVED"}}
    ]


def test_a_bucket_of_a_throw_away_environment_goes_at_once(stacks: Synthesised, local: Environment) -> None:
    bucket = one(stacks["local-data"], "storage_bucket", name=names.bucket(local, names.BucketName.RAW))
    assert bucket["force_destroy"] is True
    assert bucket["soft_delete_policy"] == {"retention_duration_seconds": 0}
    assert "encryption" not in bucket
    assert bucket["lifecycle_rule"][1]["condition"] == {"age": 30, "with_state": "LIVE"}


@pytest.mark.parametrize("name", ["prod", "local"])
def test_runs_expire_and_the_monitor_s_history_beside_them_stays(stacks: Synthesised, name: str) -> None:
    env = load_environment(name)
    bucket = one(stacks[f"{name}-data"], "storage_bucket", name=names.bucket(env, names.BucketName.PIPELINE_ROOT))

    def expires(path: str) -> bool:
        place, _, object = path.removeprefix("gs://").removeprefix("/gcs/").partition("/")
        assert place == bucket["name"]
        aging = [rule["condition"] for rule in bucket["lifecycle_rule"] if "age" in rule["condition"]]
        return any(object.startswith(tuple(rule.get("matches_prefix", [""]))) for rule in aging)

    assert expires(f"{names.pipeline_root(env)}/retrain-air-time-2013-05/page.html")
    assert not expires(f"{names.monitoring_history(env)}/air_time/verdicts/2013-04-v001.json")
    assert bucket["lifecycle_rule"][1]["condition"]["age"] == env.retention.pipeline_root_days
    for scheduled in load_workloads(env).models:  # the pipelines write where the bucket keeps
        for pipeline in scheduled.pipelines:
            assert pipeline.parameters.get("history") in (None, names.monitoring_history(env))


def test_the_state_is_kept_whatever_happens(stacks: Synthesised, local: Environment) -> None:
    bucket = one(stacks["local-bootstrap"], "storage_bucket")
    assert bucket["name"] == names.bucket(local, names.BucketName.STATE)
    assert bucket["force_destroy"] is False
    assert bucket["deletion_policy"] == "PREVENT"
    assert bucket["lifecycle"] == {"prevent_destroy": True}


def test_tags_of_images_never_move_and_only_the_builder_pushes(stacks: Synthesised) -> None:
    registry = one(stacks["dev-data"], "artifact_registry_repository")
    assert registry["docker_config"] == {"immutable_tags": True}
    assert [policy["action"] for policy in registry["cleanup_policies"]] == ["DELETE", "KEEP"]
    assert registry["vulnerability_scanning_config"] == {"enablement_config": "INHERITED"}
    writers = members(stacks["dev-data"], "artifact_registry_repository_iam_member", "roles/artifactregistry.writer")
    assert writers == {names.member(load_environment("dev"), IdentityName.BUILDER)}


def test_one_registry_holds_the_images_of_all_and_lets_in_who_pulls_in_each(stacks: Synthesised) -> None:
    """What is promoted is what was tested: a digest exists where it was pushed, and nowhere else."""
    dev, staging, prod = (load_environment(name) for name in ("dev", "staging", "prod"))
    registry = names.images_url(dev)
    readers = members(stacks["dev-data"], "artifact_registry_repository_iam_member", "roles/artifactregistry.reader")
    pulling = ("apply", "nodes", "sync")  # no workload pulls: Vertex AI does as its agent, GKE as its nodes
    ours = {names.member(dev, IdentityName(who)) for who in pulling}
    # Accounts of other projects need not exist when this one is deployed.
    others = {names.accounts_of(env, kind) for env in (staging, prod) for kind in names.AccountKind}

    promote = set(dev.people.engineers)  # they look whether what they promote is there
    assert readers == ours | others | promote
    for env in (dev, staging, prod):
        assert names.images_url(env) == registry
        texts = json.dumps(stacks[f"{env.name}-delivery"]) + json.dumps(stacks[f"{env.name}-runtime"])
        assert set(re.findall(r"[\w-]+-docker\.pkg\.dev/[\w-]+/[\w-]+", texts)) == {registry}
    for env in (staging, prod):
        assert not [kind for kind, _, _ in resources(stacks[f"{env.name}-data"]) if "artifact_registry" in kind]


def test_before_the_first_image_schedules_are_paused_and_it_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "environments"
    folder.mkdir()
    text = (ENVIRONMENTS / "local.toml").read_text()
    (folder / "local.toml").write_text(re.sub(r"^\[images\]\n(?:.+\n)*", "", text, flags=re.MULTILINE))
    env = load_environment("local", folder)
    synthesise([env], tmp_path / "out")
    schedules = [
        each
        for kind, _, each in resources(stacks_of(tmp_path / "out")["local-delivery"])
        if kind == "google_cloud_scheduler_job"
    ]

    assert len(schedules) == 4
    assert {each["paused"] for each in schedules} == {True}
    assert not env.images.complete
    assert "schedules are paused until [images] names pipelines and serving" in notes(env)


def test_with_images_schedules_run(stacks: Synthesised) -> None:
    for name in environment_names():
        schedules = [
            each for kind, _, each in resources(stacks[f"{name}-delivery"]) if kind == "google_cloud_scheduler_job"
        ]
        assert {each["paused"] for each in schedules} == {False}
        assert notes(load_environment(name)) == (
            ("the cluster stays empty until [kubeflow] names its manifests",) if name == "local" else ()
        )


def test_tables_are_partitioned_and_can_not_be_scanned_whole(stacks: Synthesised) -> None:
    for kind, id, table in resources(stacks["prod-data"]):
        if kind == "google_bigquery_table" and table["table_id"] != "planes":  # 10,000 rows in all
            assert table["require_partition_filter"] is True, id
            partition = table["time_partitioning"]["field"]
            modes = {column["name"]: column["mode"] for column in json.loads(table["schema"])}
            assert modes[partition] == "REQUIRED"
    predictions = one(stacks["prod-data"], "bigquery_table", table_id=names.PREDICTIONS_TABLE)
    assert predictions["time_partitioning"]["expiration_ms"] == 400 * 86_400_000


def test_months_have_the_columns_that_features_are_made_of_and_a_partition_each(stacks: Synthesised) -> None:
    types = {"int64": "INTEGER", "double": "FLOAT", "string": "STRING", "timestamp[us, tz=UTC]": "TIMESTAMP"}
    for dataset, columns in SCHEMAS.items():
        owner = "${google_bigquery_dataset.flights.dataset_id}"
        table = one(stacks["dev-data"], "bigquery_table", table_id=str(dataset), dataset_id=owner)
        found = {column["name"]: column["type"] for column in json.loads(table["schema"])}
        if dataset is not Dataset.PLANES:
            assert table["time_partitioning"] == {"field": PARTITION, "type": "MONTH"}
            assert found.pop(PARTITION) == "DATE"
        assert found == {field.name: types[str(field.type)] for field in columns}


def test_a_secret_has_no_value_and_stays_in_its_region(stacks: Synthesised, prod: Environment) -> None:
    for which in SecretName:
        secret = one(stacks["prod-data"], "secret_manager_secret", secret_id=names.secret(prod, which))
        (replica,) = secret["replication"]["user_managed"]["replicas"]
        assert replica["location"] == prod.region
        assert replica["customer_managed_encryption"] == {"kms_key_name": names.key_path(prod, KeyName.SECRETS)}


def test_no_build_reads_the_token_that_administers_the_repository(stacks: Synthesised, prod: Environment) -> None:
    """A pull request's code runs in the preview's build: what that build reads, whoever opens a branch can print."""
    readers: dict[str, set[str]] = {}
    for kind, _, grant in resources(stacks["prod-data"]):
        if kind == "google_secret_manager_secret_iam_member":
            assert grant["role"] == "roles/secretmanager.secretAccessor"
            readers.setdefault(grant["secret_id"], set()).add(grant["member"])
    builds = {names.member(prod, IdentityName.PLAN), names.member(prod, IdentityName.APPLY)}
    assert readers == {
        "${google_secret_manager_secret.git-token.id}": {names.agent(prod, AgentName.CLOUD_BUILD)},
        "${google_secret_manager_secret.preview-token.id}": builds,
    }
    for build in ("preview", "apply"):
        text = Path(f"ci/cloudbuild/{build}.yaml").read_text(encoding="utf-8")
        assert f"secrets/${{_ENVIRONMENT}}-{SecretName.PREVIEW_TOKEN}/versions/latest" in text
        assert SecretName.GIT_TOKEN not in text


def test_nothing_comes_into_the_network_but_through_iap_and_among_nodes(stacks: Synthesised, prod: Environment) -> None:
    stack = stacks["prod-foundation"]
    rules = {each["name"]: each for kind, _, each in resources(stack) if kind == "google_compute_firewall"}
    assert rules["prod-deny-ingress"]["deny"] == [{"protocol": "all"}]
    assert rules["prod-deny-ingress"]["priority"] > max(
        each["priority"] for name, each in rules.items() if name != "prod-deny-ingress"
    )
    assert rules["prod-allow-iap"]["source_ranges"] == ["35.235.240.0/20"]
    assert rules["prod-allow-cluster"]["source_ranges"] == [prod.network.nodes, prod.network.pods]
    subnet = one(stack, "compute_subnetwork")
    assert subnet["private_ip_google_access"] is True
    assert {each["range_name"]: each["ip_cidr_range"] for each in subnet["secondary_ip_range"]} == {
        "pods": prod.network.pods,
        "services": prod.network.services,
    }
    assert one(stack, "compute_network")["auto_create_subnetworks"] is False


def test_an_identity_can_be_attached_by_whom_it_is_for_and_by_nobody_else(
    stacks: Synthesised, prod: Environment
) -> None:
    made = {
        each["member"]: each
        for kind, id, each in resources(stacks["prod-foundation"])
        if kind == "google_service_account_iam_member" and id.startswith("pipelines_")
    }
    people = set(prod.people.engineers)
    assert people == {"group:ml-engineers@acme.example"}
    assert set(made) == {names.member(prod, user) for user in USERS[IdentityName.PIPELINES]} | people


def test_the_scheduler_may_start_the_drift_check_that_runs_as_who_plans(stacks: Synthesised, prod: Environment) -> None:
    on_plan = {
        each["member"]: each["role"]
        for kind, _, each in resources(stacks["prod-foundation"])
        if kind == "google_service_account_iam_member"
        and each["service_account_id"] == names.account_path(prod, IdentityName.PLAN)
    }
    assert on_plan == {"${google_service_account.scheduler.member}": "roles/iam.serviceAccountUser"}
    assert names.account_path(prod, IdentityName.PLAN) in json.dumps(
        one(stacks["prod-delivery"], "cloudbuild_trigger", name="prod-drift")
    )
    assert "scheduler-uses-plan" not in stacks["local-foundation"]["resource"]["google_service_account_iam_member"]


def test_a_dataset_names_all_who_may_use_it_so_its_creator_owns_none(stacks: Synthesised, prod: Environment) -> None:
    def user(who: IdentityName) -> str:
        return names.email(prod, who)

    flights = one(stacks["prod-data"], "bigquery_dataset", dataset_id="prod_flights")
    assert flights["access"] == [
        {"role": "OWNER", "special_group": "projectOwners"},
        {"role": "READER", "user_by_email": user(IdentityName.PIPELINES)},
        {"role": "READER", "user_by_email": user(IdentityName.MONITORING)},
        {"role": "READER", "group_by_email": "ml-engineers@acme.example"},
    ]
    for kind, id, dataset in resources(stacks["prod-data"]):
        assert kind != "google_bigquery_dataset_iam_member", id  # the two fight over one list
        if kind == "google_bigquery_dataset":
            owners = [each for each in dataset["access"] if each["role"] == "OWNER"]
            assert owners == [{"role": "OWNER", "special_group": "projectOwners"}]


def test_the_federation_trusts_the_repository_by_its_numbers(stacks: Synthesised) -> None:
    stack = stacks["prod-bootstrap"]
    provider = one(stack, "iam_workload_identity_pool_provider")
    assert provider["attribute_condition"] == (
        "assertion.repository == 'acme/fonderie' && assertion.repository_id == '812345678'"
        " && assertion.repository_owner_id == '41234567'"
    )
    by_name = one(stacks["local-bootstrap"], "iam_workload_identity_pool_provider")
    assert by_name["attribute_condition"] == "assertion.repository == 'acme/fonderie'"


@pytest.mark.parametrize("ci", CiSystem)
def test_only_the_system_that_the_settings_choose_becomes_an_identity(tmp_path: Path, ci: CiSystem) -> None:
    folder = tmp_path / "environments"
    folder.mkdir()
    text = (ENVIRONMENTS / "dev.toml").read_text()
    text = re.sub(r'^ci = ".*"', f'ci = "{ci}"', re.sub(r"^readers = .*\n", "", text, flags=re.M), flags=re.M)
    (folder / "dev.toml").write_text(text)
    env = load_environment("dev", folder)
    synthesise([env], tmp_path / "out")
    pool = f"principalSet://iam.googleapis.com/{names.identity_pool_path(env)}"
    anywhere, protected = (
        f"{pool}/attribute.repository/acme/fonderie",
        f"{pool}/attribute.repository_ref/acme/fonderie@refs/heads/main",
    )
    granted: dict[str, dict[str, str]] = {"workloadIdentityUser": {}, "serviceAccountUser": {}}
    for kind, id, each in resources(stacks_of(tmp_path / "out")["dev-bootstrap"]):
        if kind == "google_service_account_iam_member":
            granted[each["role"].partition("/iam.")[2]][id.partition("_")[0]] = each["member"]

    by_token = {"plan": anywhere, "apply": protected, "builder": protected}
    by_trigger = dict.fromkeys(["plan", "apply", "builder"], names.member(env, IdentityName.APPLY))
    assert granted == {
        "workloadIdentityUser": by_token if ci is CiSystem.GITHUB_ACTIONS else {},
        "serviceAccountUser": by_trigger if ci is CiSystem.CLOUD_BUILD else {},
    }


def test_who_pushes_images_is_there_only_where_the_registry_is(stacks: Synthesised) -> None:
    owners = {name for name in environment_names() if not load_environment(name).images.registry}
    assert owners == {"local", "dev"}
    for name in environment_names():
        stack = stacks[f"{name}-bootstrap"]
        accounts = [each["account_id"] for kind, _, each in resources(stack) if kind == "google_service_account"]
        assert sorted(accounts) == [
            f"{name}-{who}" for who in ("apply", "builder", "plan") if who != "builder" or name in owners
        ]
        assert any(id.startswith("builder") for _, id, _ in resources(stack)) is (name in owners)


def test_the_apply_identity_grants_only_what_the_stacks_grant(stacks: Synthesised) -> None:
    admin = one(stacks["prod-bootstrap"], "project_iam_member", role="roles/resourcemanager.projectIamAdmin")
    assert "modifiedGrantsByRole" in admin["condition"]["expression"]
    assert "roles/owner" not in admin["condition"]["expression"]


def test_keys_rotate_each_quarter(stacks: Synthesised) -> None:
    keys = [each for kind, _, each in resources(stacks["dev-bootstrap"]) if kind == "google_kms_crypto_key"]
    assert {each["name"] for each in keys} == set(KeyName)
    assert {each["rotation_period"] for each in keys} == {"7776000s"}


def test_service_agents_may_encrypt_where_the_environment_asks(stacks: Synthesised, prod: Environment) -> None:
    def encrypters(name: str) -> set[tuple[str, str]]:
        return {
            (each["crypto_key_id"].rpartition("/")[2], each["member"])
            for kind, _, each in resources(stacks[f"{name}-foundation"])
            if kind == "google_kms_crypto_key_iam_member"
        }

    assert ("data", names.agent(prod, AgentName.BIGQUERY)) in encrypters("prod")
    assert len(encrypters("prod")) == 7
    registry = ("data", names.agent(prod, AgentName.ARTIFACT_REGISTRY))
    assert registry not in encrypters("prod"), "its images are in the registry of dev"
    assert {key for key, _ in encrypters("dev")} == {"cluster"}, "the cluster's secrets, everywhere"


def test_the_cluster_is_private_and_hardened(stacks: Synthesised, prod: Environment) -> None:
    cluster = one(stacks["prod-runtime"], "container_cluster")
    assert cluster["private_cluster_config"] == {
        "enable_private_endpoint": True,
        "enable_private_nodes": True,
        "master_ipv4_cidr_block": prod.network.control_plane,
    }
    assert cluster["datapath_provider"] == "ADVANCED_DATAPATH"
    assert cluster["workload_identity_config"] == {"workload_pool": "acme-ml-prod.svc.id.goog"}
    assert cluster["database_encryption"] == {"key_name": names.key_path(prod, KeyName.CLUSTER), "state": "ENCRYPTED"}
    assert cluster["release_channel"] == {"channel": "STABLE"}
    assert cluster["maintenance_policy"]["recurring_window"]["recurrence"] == "FREQ=WEEKLY;BYDAY=SA,SU"
    assert cluster["monitoring_config"]["managed_prometheus"] == {"enabled": True}
    assert cluster["cost_management_config"] == {"enabled": True}
    assert cluster["fleet"] == {"project": "acme-ml-prod"}
    assert cluster["deletion_protection"] is True


def test_the_spot_pool_starts_from_nothing_and_keeps_others_off(stacks: Synthesised, prod: Environment) -> None:
    stack = stacks["prod-runtime"]
    spot = one(stack, "container_node_pool", name="prod-pipelines")
    assert spot["node_config"]["spot"] is True
    assert spot["initial_node_count"] == 0
    assert spot["autoscaling"] == {
        "location_policy": "ANY",
        "total_max_node_count": prod.cluster.pipelines.max_nodes,
        "total_min_node_count": 0,
    }
    assert spot["node_config"]["taint"] == [{"effect": "NO_SCHEDULE", "key": names.POOL_LABEL, "value": "pipelines"}]
    system = one(stack, "container_node_pool", name="prod-system")
    assert "taint" not in system["node_config"]
    for pool in (spot, system):
        assert pool["node_config"]["workload_metadata_config"] == {"mode": "GKE_METADATA"}
        assert pool["node_config"]["shielded_instance_config"]["enable_secure_boot"] is True


def test_pods_become_identities_only_after_the_cluster_is_there(stacks: Synthesised) -> None:
    for kind, _, each in resources(stacks["prod-runtime"]):
        if kind == "google_service_account_iam_member":
            assert each["depends_on"] == ["google_container_cluster.cluster"]


def test_an_endpoint_logs_to_the_table_the_monitoring_reads(stacks: Synthesised, prod: Environment) -> None:
    endpoint = one(stacks["prod-runtime"], "vertex_ai_endpoint", display_name="prod-air_time")
    logging = endpoint["predict_request_response_logging_config"]
    assert logging["bigquery_destination"] == {"output_uri": "bq://acme-ml-prod.prod_monitoring.predictions"}
    assert endpoint["name"] == names.endpoint_id(prod, "air_time")


def test_features_are_registered_with_the_words_of_ml(stacks: Synthesised) -> None:
    feature = one(
        stacks["prod-runtime"], "vertex_ai_feature_group_feature", name="distance", version_column_name="distance",
        feature_group="${google_vertex_ai_feature_group.features.name}",
    )  # fmt: skip
    assert len(feature["description"]) > 10
    columns = json.loads(
        one(stacks["prod-data"], "bigquery_table", table_id=names.FLIGHTS_TABLE, dataset_id=FEATURES)["schema"]
    )
    assert {"flight_id", "feature_timestamp", "distance"} <= {column["name"] for column in columns}


def test_a_feature_is_registered_once_however_many_models_read_it(stacks: Synthesised, prod: Environment) -> None:
    models = load_workloads(prod).models
    kind = "google_vertex_ai_feature_group_feature"
    registered = [each["name"] for found, _, each in resources(stacks["prod-runtime"]) if found == kind]
    assert sorted(registered) == sorted({feature for model in models for feature in model.features})
    assert len(registered) < sum(len(model.features) for model in models)


def test_only_who_applies_makes_triggers_and_so_attaches_identities_to_them(
    stacks: Synthesised, prod: Environment
) -> None:
    users = {
        id.partition("_")[0]: each["member"]
        for kind, id, each in resources(stacks["prod-bootstrap"])
        if kind == "google_service_account_iam_member" and each["role"] == "roles/iam.serviceAccountUser"
    }
    assert users == dict.fromkeys(["plan", "apply"], names.member(prod, IdentityName.APPLY))
    assert "roles/iam.serviceAccountUser" not in json.dumps(stacks["local-bootstrap"]), "no triggers there"


def test_terraforms_objects_are_written_by_who_applies_and_only_there(stacks: Synthesised, prod: Environment) -> None:
    writers = {
        (each["bucket"].partition(".")[2].partition(".")[0], each["member"])
        for kind, _, each in resources(stacks["prod-data"])
        if kind == "google_storage_bucket_iam_member" and each["role"] == "roles/storage.objectUser"
    }
    apply = names.member(prod, IdentityName.APPLY)
    assert [bucket for bucket, member in writers if member == apply] == ["templates"]


def test_triggers_run_as_ours_and_prods_apply_waits_for_a_person(stacks: Synthesised, prod: Environment) -> None:
    stack = stacks["prod-delivery"]
    runs_as = {
        each["name"]: each["service_account"]
        for kind, _, each in resources(stack)
        if kind == "google_cloudbuild_trigger"
    }
    assert runs_as == {
        "prod-preview": names.account_path(prod, IdentityName.PLAN),
        "prod-apply": names.account_path(prod, IdentityName.APPLY),
        "prod-drift": names.account_path(prod, IdentityName.PLAN),
    }
    dev = load_environment("dev")
    builds = one(stacks["dev-delivery"], "cloudbuild_trigger", name="dev-images")  # images are built once
    assert builds["service_account"] == names.account_path(dev, IdentityName.BUILDER)
    assert one(stack, "cloudbuild_trigger", name="prod-apply")["approval_config"] == {"approval_required": True}
    assert "approval_config" not in one(stacks["dev-delivery"], "cloudbuild_trigger", name="dev-apply")
    pull_request = one(stack, "cloudbuild_trigger", name="prod-preview")["repository_event_config"]["pull_request"]
    assert pull_request["comment_control"] == "COMMENTS_ENABLED_FOR_EXTERNAL_CONTRIBUTORS_ONLY"


def test_a_schedule_asks_the_workflow_for_a_run_as_the_scheduler(stacks: Synthesised, prod: Environment) -> None:
    job = one(stacks["prod-delivery"], "cloud_scheduler_job", name="prod-training-air-time")
    target = job["http_target"]
    body = json.loads(base64.b64decode(target["body"]))
    assert json.loads(body["argument"]) == {"model": "air_time", "pipeline": "training"}
    assert target["oauth_token"]["service_account_email"] == names.email(prod, IdentityName.SCHEDULER)
    assert target["uri"] == (
        "https://workflowexecutions.googleapis.com/v1/projects/acme-ml-prod/locations/europe-west1"
        "/workflows/prod-retrain/executions"
    )
    assert one(stacks["prod-delivery"], "workflows_workflow")["name"] == "prod-retrain"
    assert job["time_zone"] == "Europe/Paris"
    Service("workflowexecutions", "v1").match("POST", target["uri"].partition(".com")[2], {}, body)


def _template_name(stacks: Synthesised, prefix: str) -> str:
    (name,) = (
        each["name"]
        for kind, _, each in resources(stacks["prod-delivery"])
        if kind == "google_storage_bucket_object" and each["name"].startswith(prefix)
    )
    return str(name)


def test_the_workflow_knows_what_it_starts_and_as_whom(stacks: Synthesised, prod: Environment) -> None:
    stack = stacks["prod-delivery"]
    workflow = one(stack, "workflows_workflow")
    source = yaml.safe_load(workflow["source_contents"].replace("$${", "${"))
    known, common, *_ = (value for each in source["main"]["steps"][0]["know"]["assign"] for value in each.values())
    assert common == {
        "labels": prod.all_labels,
        "encryptionSpec": {"kmsKeyName": names.key_path(prod, names.KeyName.DATA)},
    }
    assert {"environment", "owner", "cost_center"} <= set(common["labels"])
    assert set(known["air_time"]) == {"training", "monitoring"}
    assert known["air_time"]["training"]["object"] == _template_name(stacks, "training/air_time-")
    template = one(stack, "storage_bucket_object", name=known["air_time"]["training"]["object"])
    assert template["bucket"] == workflow["user_env_vars"]["TEMPLATES_BUCKET"]
    assert prod.images.pipelines in template["content"]
    who = {name: about["runs_as"] for name, about in known["air_time"].items()}
    assert who == {
        "training": names.email(prod, IdentityName.PIPELINES),
        "monitoring": names.email(prod, IdentityName.MONITORING),
    }
    asking = members(stack, "pubsub_topic_iam_member", "roles/pubsub.publisher")
    assert asking == {names.member(prod, IdentityName.MONITORING)}


def test_runs_are_started_by_the_workflow_where_nobody_asks_for_retrainings(stacks: Synthesised) -> None:
    for name in ("local", "dev", "staging", "prod"):
        switched_off = not load_environment(name).features.continuous_training
        found = {kind for kind, _, _ in resources(stacks[f"{name}-delivery"])}
        assert "google_workflows_workflow" in found
        assert ("google_eventarc_trigger" not in found) is switched_off


def test_alerts_tell_people_what_to_do(stacks: Synthesised) -> None:
    alerts = {
        each["display_name"]: each
        for kind, _, each in resources(stacks["prod-delivery"])
        if kind == "google_monitoring_alert_policy"
    }
    for name, alert in alerts.items():
        assert len(alert["notification_channels"]) == 2, name
        assert alert["documentation"]["content"]
    errors = alerts["prod-air-time-errors"]["conditions"][0]["condition_threshold"]
    assert errors["threshold_value"] == 0.01
    assert "response_count" in errors["denominator_filter"]


def test_the_dashboard_is_valid_and_its_tiles_do_not_meet(stacks: Synthesised) -> None:
    board = json.loads(one(stacks["prod-delivery"], "monitoring_dashboard")["dashboard_json"])
    places = [(tile.get("xPos", 0), tile.get("yPos", 0)) for tile in board["mosaicLayout"]["tiles"]]
    assert len(set(places)) == len(places)


def test_a_budget_only_where_there_is_a_billing_account(stacks: Synthesised) -> None:
    budget = one(stacks["prod-bootstrap"], "billing_budget")
    assert budget["budget_filter"]["projects"] == ["projects/412345678903"]
    assert "google_billing_budget" not in stacks["dev-bootstrap"]["resource"]


def test_calls_on_the_budget_name_the_project_for_a_person_has_none(stacks: Synthesised) -> None:
    """Provider's documentation of `google_billing_budget`: without both arguments a person's log-in gets a 403."""
    main, aliased = stacks["prod-bootstrap"]["provider"]["google"]
    assert (aliased["billing_project"], aliased["user_project_override"]) == ("acme-ml-prod", True)
    assert one(stacks["prod-bootstrap"], "billing_budget")["provider"] == f"google.{aliased['alias']}"
    assert "user_project_override" not in main
    using = [each for each in resources(stacks["prod-bootstrap"]) if "provider" in each[2]]
    assert [kind for kind, _, _ in using] == ["google_billing_budget"]


@pytest.mark.parametrize(
    ("member", "label"),
    [
        ("serviceAccount:dev-plan@acme-ml-dev.iam.gserviceaccount.com", "dev-plan"),
        ("serviceAccount:service-12@gcp-sa-pubsub.iam.gserviceaccount.com", "service-12-gcp-sa-pubsub"),
        ("serviceAccount:bq-12@bigquery-encryption.iam.gserviceaccount.com", "bq-12-bigquery-encryption"),
        ("group:ml@acme.com", "group-ml-acme-com"),
        ("user:ada.l@acme.com", "user-ada-l-acme-com"),
    ],
)
def test_a_grant_is_named_by_whom_it_is_for(member: str, label: str) -> None:
    assert label_of(member) == label
