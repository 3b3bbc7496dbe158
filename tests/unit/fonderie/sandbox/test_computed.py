import pytest

from fonderie.sandbox.lifecycle.computed import shapes
from fonderie.sandbox.lifecycle.interface import UNKNOWN, State
from fonderie.sandbox.provider.facts import Facts
from tests.unit.fonderie.sandbox.google import NUMBER, PROJECT, Google

FACTS = Facts.load()
COMPUTE = "https://www.googleapis.com/compute/v1"
AGENTS = "iam.gserviceaccount.com"
OBJECTS = [type for type in FACTS.types if not type.endswith(("_iam_member", "_iam_binding", "_audit_config"))]


ACCOUNT = f"projects/{PROJECT}/serviceAccounts/abcdef@{PROJECT}.{AGENTS}"
WRITER = f"serviceAccount:service-{NUMBER}@gcp-sa-logging.{AGENTS}"


def _unknown(value: object) -> bool:
    match value:
        case dict():
            return any(_unknown(one) for one in value.values())
        case list():
            return any(_unknown(one) for one in value)
    return value is UNKNOWN


@pytest.mark.parametrize("type", OBJECTS)
def test_everything_computed_is_there_after_a_create_and_read_back_the_same(established: Google, type: str) -> None:
    named = {
        "name": "x",
        "location": "us-central1",
        "account_id": "someone",
        "project_id": "p-1",
        "content": "c",
        "bucket": "b",
    }
    given = {name: value for name, value in named.items() if _is_written(type, name)}
    state = established.make(type, **given)
    assert not _unknown(state)
    assert state["id"]
    seen = established.read(type, state)
    assert seen is not None
    assert _settled(seen) == _settled(state)


def _is_written(type: str, name: str) -> bool:
    fact = FACTS.type(type).attributes.get(name)
    return fact is not None and (fact.required or fact.optional)


def _settled(state: State) -> State:
    return {name: value for name, value in state.items() if value not in (None, [], {}) and name != "detect_md5hash"}


def test_templates_ask_only_for_what_is_known() -> None:
    for type, paths in shapes()["types"].items():
        assert type in FACTS.types
        for path in paths:
            assert path in FACTS.type(type).attributes, f"{type}.{path}"


@pytest.mark.parametrize(
    ("type", "given", "attribute", "value"),
    [
        ("google_pubsub_topic", {"name": "t"}, "id", f"projects/{PROJECT}/topics/t"),
        ("google_service_account", {"account_id": "abcdef"}, "id", ACCOUNT),
        ("google_secret_manager_secret", {"secret_id": "s"}, "name", f"projects/{NUMBER}/secrets/s"),
        ("google_compute_network", {"name": "n"}, "self_link", f"{COMPUTE}/projects/{PROJECT}/global/networks/n"),
        ("google_storage_bucket", {"name": "b", "location": "EU"}, "url", "gs://b"),
        ("google_logging_project_sink", {"name": "s"}, "writer_identity", WRITER),
        ("google_cloud_run_v2_service", {"name": "api", "location": "eu"}, "uri", f"https://api-{NUMBER}.eu.run.app"),
        ("google_compute_subnetwork", {"name": "s", "ip_cidr_range": "10.10.0.0/20"}, "gateway_address", "10.10.0.1"),
    ],
)  # fmt: skip
def test_computed_values_have_googles_form(
    established: Google, type: str, given: dict[str, str], attribute: str, value: str
) -> None:
    assert established.make(type, **given)[attribute] == value


def test_two_objects_of_one_name_one_after_the_other_differ(established: Google) -> None:
    first = established.make("google_service_account", account_id="abcdef")
    established.delete("google_service_account", first)
    second = established.make("google_service_account", account_id="abcdef")
    assert first["unique_id"] != second["unique_id"]
    assert (len(first["unique_id"]), first["email"]) == (21, second["email"])
