"""A need, and how a configuration meets it or does not."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from fonderie.sandbox.dependencies import missing
from fonderie.sandbox.lifecycle.resource_paths import Names
from fonderie.sandbox.provider.facts import Facts
from infra.settings import environment_names, load_environment
from tests.unit.conftest import Synthesised
from tests.unit.fonderie.sandbox.google import NUMBER, PROJECT

EMAIL = f"work@{PROJECT}.iam.gserviceaccount.com"
POOL = f"principalSet://iam.googleapis.com/projects/{NUMBER}/locations/global/workloadIdentityPools/github/*"
ACCOUNT = {"account_id": "work"}
TOPIC = {"name": "events"}
VIEWER = {"project": PROJECT, "role": "roles/viewer"}
CLUSTER = {
    "name": "c",
    "location": "us-central1",
    "workload_identity_config": {"workload_pool": f"{PROJECT}.svc.id.goog"},
}
Resources = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def names(facts: Facts) -> Names:
    numbers = {PROJECT: NUMBER} | {(env := load_environment(name)).project_id: env.project_number
                                   for name in environment_names()}  # fmt: skip
    projects = {number: project for project, number in numbers.items()}
    return Names(facts, lambda project: numbers.get(project, 0), projects.get)


def document(resources: Resources, **more: Any) -> dict[str, Any]:
    return {"provider": {"google": {"project": PROJECT, "region": "us-central1"}}, "resource": resources, **more}


def api(name: str, **more: Any) -> Resources:
    return {"google_project_service": {"api": {"service": f"{name}.googleapis.com", **more}}}


def agent(service: str) -> str:
    return f"serviceAccount:service-{NUMBER}@gcp-sa-{service}.iam.gserviceaccount.com"


CASES = {
    "an API": (api("pubsub"), "google_pubsub_topic", TOPIC, "the API pubsub.googleapis.com"),
    "an API of a policy": (api("cloudresourcemanager"), "google_project_iam_member", {**VIEWER, "member": "user:a@b.c"},
                           "the API cloudresourcemanager.googleapis.com"),
    "an API of a list": (api("x", for_each='${toset(["pubsub.googleapis.com"])}', service="${each.value}"),
                         "google_pubsub_topic", TOPIC, "the API pubsub.googleapis.com"),
    "an agent": (api("aiplatform"), "google_project_iam_member", {**VIEWER, "member": agent("aiplatform")},
                 f"the service account service-{NUMBER}@gcp-sa-aiplatform.iam.gserviceaccount.com"),
    "an agent on demand": ({"google_pubsub_topic": {"t": TOPIC}}, "google_project_iam_member",
                           {**VIEWER, "member": agent("pubsub")},
                           f"the service account service-{NUMBER}@gcp-sa-pubsub.iam.gserviceaccount.com"),
    "an agent among several": ({"google_pubsub_topic": {"t": TOPIC}}, "google_project_iam_binding",
                               {**VIEWER, "members": ["user:a@b.c", agent("pubsub")]},
                               f"the service account service-{NUMBER}@gcp-sa-pubsub.iam.gserviceaccount.com"),
    "an account": ({"google_service_account": {"a": ACCOUNT}}, "google_project_iam_member",
                   {**VIEWER, "member": f"serviceAccount:{EMAIL}"}, f"the service account {EMAIL}"),
    "an account to act as": ({"google_service_account": {"a": ACCOUNT}}, "google_workflows_workflow",
                             {"name": "w", "service_account": EMAIL},
                             f"google_service_account projects/{PROJECT}/serviceAccounts/{EMAIL}"),
    "a federation's pool": (
        {"google_iam_workload_identity_pool": {"p": {"workload_identity_pool_id": "github"}}},
        "google_project_iam_member", {**VIEWER, "member": POOL},
        f"the identity pool projects/{NUMBER}/locations/global/workloadIdentityPools/github"),
    "a cluster's pool": ({"google_container_cluster": {"c": CLUSTER}}, "google_project_iam_member",
                         {**VIEWER, "member": f"serviceAccount:{PROJECT}.svc.id.goog[ns/name]"},
                         f"the identity pool of the cluster {PROJECT}"),
    "a parent": ({"google_kms_key_ring": {"r": {"name": "r", "location": "eu"}}}, "google_kms_crypto_key",
                 {"name": "k", "key_ring": f"projects/{PROJECT}/locations/eu/keyRings/r"},
                 f"google_kms_key_ring projects/{PROJECT}/locations/eu/keyRings/r"),
    "what is named in short": ({"google_compute_network": {"n": {"name": "net"}}}, "google_compute_subnetwork",
                               {"name": "s", "network": "net", "region": "us-central1"},
                               f"google_compute_network projects/{PROJECT}/global/networks/net"),
    "the owner of a policy": ({"google_storage_bucket": {"b": {"name": "b", "location": "EU"}}},
                              "google_storage_bucket_iam_member",
                              {"bucket": "b", "role": "roles/viewer", "member": "user:a@b.c"},
                              "google_storage_bucket b/b"),
}  # fmt: skip


@pytest.mark.parametrize(("makers", "type", "values", "what"), CASES.values(), ids=CASES)
class TestNeeds:
    def test_what_is_made_beside_and_not_waited_for_is_reported(
        self, names: Names, makers: Resources, type: str, values: dict[str, Any], what: str
    ) -> None:
        maker = self.maker(makers)
        (found,) = missing([document({**makers, type: {"x": values}})], names)
        assert str(found) == f'{type}.x needs {what} and does not wait for {maker}: depends_on = ["{maker}"]'
        assert found.fix == f'depends_on = ["{maker}"]'

    def test_depends_on_meets_it(
        self, names: Names, makers: Resources, type: str, values: dict[str, Any], what: str
    ) -> None:
        waiting = {**values, "depends_on": [self.maker(makers)]}
        assert missing([document({**makers, type: {"x": waiting}})], names) == []

    def test_a_way_over_others_meets_it(
        self, names: Names, makers: Resources, type: str, values: dict[str, Any], what: str
    ) -> None:
        between = {"google_service_account": {**makers.get("google_service_account", {}),
                                              "between": {"account_id": "${local.account}"}}}  # fmt: skip
        waiting = {**values, "description": "${google_service_account.between.email}"}
        more = {"data": {"google_project": {"p": {"depends_on": [self.maker(makers)]}}},
                "locals": {"account": "${data.google_project.p.name}"}}  # fmt: skip
        assert missing([document({**makers, **between, type: {"x": waiting}}, **more)], names) == []

    def test_what_is_there_already_is_not_waited_for(
        self, names: Names, makers: Resources, type: str, values: dict[str, Any], what: str
    ) -> None:
        written, maker = [document({**makers, type: {"x": values}})], self.maker(makers)
        assert missing(written, names, creates={f"{type}.x", maker}) == missing(written, names)
        assert missing(written, names, creates={f"{type}.x"}) == []
        assert missing(written, names, creates={maker}) == []

    def test_what_another_configuration_makes_is_not_its_business(
        self, names: Names, makers: Resources, type: str, values: dict[str, Any], what: str
    ) -> None:
        assert missing([document({type: {"x": values}})], names) == []

    def test_files_are_one_configuration(
        self, names: Names, makers: Resources, type: str, values: dict[str, Any], what: str
    ) -> None:
        assert len(missing([document(makers), {"resource": [{type: [{"x": [values]}]}]}], names)) == 1

    @staticmethod
    def maker(makers: Resources) -> str:
        ((type, instances),) = makers.items()
        return f"{type}.{next(iter(instances))}"


def test_a_name_in_a_text_is_no_reference(names: Names) -> None:
    for text in (
        "google_project_service.api",
        "$${google_project_service.api.id}",
        '${lower("google_project_service.api")}',
    ):
        assert len(missing([document({**api("pubsub"), "google_pubsub_topic": {"t": {"name": text}}})], names)) == 1
    for text in (
        "${google_project_service.api.id}",
        '${lower("${google_project_service.api.id}")}',
        "%{ if google_project_service.api.id != null }x%{ endif }",
        '${google_project_service.api["a"].id}',
    ):
        assert missing([document({**api("pubsub"), "google_pubsub_topic": {"t": {"name": text}}})], names) == []


def test_of_several_makers_one_is_enough(names: Names) -> None:
    enabling = {"google_project_service": {name: {"service": "pubsub.googleapis.com"} for name in ("a", "b")}}
    (found,) = missing([document({**enabling, "google_pubsub_topic": {"t": TOPIC}})], names)
    assert found.makers == ("google_project_service.a", "google_project_service.b")
    waiting = {**TOPIC, "depends_on": ["google_project_service.b"]}
    assert missing([document({**enabling, "google_pubsub_topic": {"t": waiting}})], names) == []
    written = [document({**enabling, "google_pubsub_topic": {"t": TOPIC}})]
    assert missing(written, names, creates={"google_pubsub_topic.t", "google_project_service.a"}) == []


def test_services_may_be_listed_in_a_local_value(names: Names) -> None:
    written = {**api("x", for_each="${toset(local.apis)}"), "google_pubsub_topic": {"t": TOPIC}}
    for apis, number in ((["pubsub.googleapis.com"], 1), (["storage.googleapis.com"], 0)):
        assert len(missing([document(written, locals={"apis": apis})], names)) == number


def test_another_project_has_apis_of_its_own(names: Names) -> None:
    assert missing([document({**api("pubsub", project="other"), "google_pubsub_topic": {"t": TOPIC}})], names) == []
    both = {**api("pubsub", project="other"), "google_pubsub_topic": {"t": {**TOPIC, "project": "other"}}}
    assert len(missing([document(both)], names)) == 1
    aliased = {**api("pubsub", provider="google.there"), "google_pubsub_topic": {"t": TOPIC}}
    providers = {"google": [{"project": PROJECT}, {"alias": "there", "project": "other"}]}
    assert missing([{**document(aliased), "provider": providers}], names) == []
    aliased["google_pubsub_topic"] = {"t": {**TOPIC, "provider": "google.there"}}
    assert len(missing([{**document(aliased), "provider": providers}], names)) == 1


def test_a_type_of_which_nothing_is_known_still_needs_its_api(names: Names) -> None:
    unknown = {**api("firestore"), "google_firestore_novelty": {"x": {"name": "x"}}}
    assert [found.what for found in missing([document(unknown)], names)] == ["the API firestore.googleapis.com"]


def test_nothing_is_told_of_nothing(names: Names) -> None:
    assert missing([], names) == missing([{}], names) == missing([{"resource": "no object"}], names) == []


def test_our_own_stacks_lack_nothing(stacks: Synthesised, names: Names) -> None:
    assert len(stacks) == 5 * len(environment_names())
    assert {name: found for name, stack in stacks.items() if (found := missing([stack], names))} == {}


@pytest.mark.parametrize("kind", ["bootstrap", "foundation", "data", "runtime", "delivery"])
def test_no_reference_of_our_own_stacks_can_be_written_as_a_text(kind: str, outdir: Path, names: Names) -> None:
    """In each resource each reference to a resource is replaced by the text that it stands for: every one is told."""
    written = json.loads((outdir / "stacks" / f"prod-{kind}" / "cdk.tf.json").read_text())
    replaced = 0
    for type, instances in written["resource"].items():
        for name, values in instances.items():
            for whole, other, by, attribute in set(re.findall(r"(?<!\$)(\$\{(\w+)\.([\w-]+)\.(\w+)\})", str(values))):
                text = written["resource"][other][by].get(attribute)
                if not isinstance(text, str) or "${" in text:
                    continue
                changed = copy.deepcopy(written)
                changed["resource"][type][name] = json.loads(json.dumps(values).replace(whole, text))
                assert f"{type}.{name}" in {found.address for found in missing([changed], names)}, (name, whole)
                replaced += 1
    assert replaced or kind in ("bootstrap", "runtime")
