import json
from pathlib import Path

import pytest

from fonderie.core.errors import BadInputError, ConflictError
from fonderie.sandbox.cloud import out_of_band
from fonderie.sandbox.cloud.cloud import Cloud
from fonderie.sandbox.cloud.out_of_band import edit
from tests.unit.fonderie.sandbox.google import PROJECT, Google

TOPIC = f"projects/{PROJECT}/topics/events"


@pytest.fixture
def google(established: Google) -> Google:
    established.make("google_pubsub_topic", name="events", labels={"env": "dev"})
    return established


@pytest.mark.parametrize("name", [TOPIC, "events", "topics/events"])
def test_an_object_is_found_by_path_id_name_and_ending(google: Google, name: str) -> None:
    assert out_of_band.find_object(google.world.cloud, name).path == TOPIC


def test_an_object_is_found_by_its_terraform_address(google: Google, tmp_path: Path) -> None:
    instances = [{"index_key": "a", "attributes": {"id": "else"}}, {"index_key": "b", "attributes": {"id": TOPIC}}]
    state = {"resources": [{"type": "google_pubsub_topic", "name": "t", "instances": instances}]}
    (tmp_path / "terraform.tfstate").write_text(json.dumps(state))
    assert out_of_band.find_object(google.world.cloud, 'google_pubsub_topic.t["b"]', states=tmp_path).path == TOPIC


def test_what_is_not_there_or_there_twice_is_refused(google: Google) -> None:
    with pytest.raises(BadInputError, match="there is no object"):
        out_of_band.find_object(google.world.cloud, "nothing")
    google.make("google_pubsub_subscription", name="events", topic="events")
    with pytest.raises(BadInputError, match="2 objects match 'events'"):
        out_of_band.find_object(google.world.cloud, "events")


def test_an_edit_is_seen_at_the_next_refresh_but_foreign_labels_are_not(google: Google) -> None:
    state = google.make("google_pubsub_subscription", name="s", topic="events", ack_deadline_seconds=60)
    thing = out_of_band.find_object(google.world.cloud, "s")
    edit(google.world.cloud, thing, ["ackDeadlineSeconds=10", "labels.foreign=x"], google.world.schema)
    seen = google.read("google_pubsub_subscription", state)
    assert seen is not None
    assert (seen["ack_deadline_seconds"], seen["labels"]) == (10, state["labels"])
    assert seen["effective_labels"]["foreign"] == "x"


def test_a_changed_label_of_ours_is_seen(google: Google) -> None:
    state = google.make("google_pubsub_topic", name="other", labels={"env": "dev"})
    edit(
        google.world.cloud,
        out_of_band.find_object(google.world.cloud, "other"),
        ["labels.env=prod"],
        google.world.schema,
    )
    seen = google.read("google_pubsub_topic", state)
    assert seen is not None
    assert seen["labels"] == {"env": "prod"}


def test_values_inside_blocks_are_reached_with_or_without_their_index(google: Google) -> None:
    google.make("google_storage_bucket", name="b", location="EU", versioning=[{"enabled": True}])
    for written, value in (("versioning.0.enabled=false", False), ("versioning.enabled=true", True)):
        edit(google.world.cloud, out_of_band.find_object(google.world.cloud, "b/b"), [written], google.world.schema)
        assert out_of_band.find_object(google.world.cloud, "b/b").attributes["versioning"] == [{"enabled": value}]


@pytest.mark.parametrize(
    "change", ["nothing", "no_such=1", "name.below=1", "name=true", "labels.env=7", "message_storage_policy=x"]
)
def test_an_edit_of_what_is_not_there_changes_nothing(google: Google, change: str) -> None:
    thing = out_of_band.find_object(google.world.cloud, TOPIC)
    with pytest.raises(BadInputError):
        edit(google.world.cloud, thing, ["name=x", change], google.world.schema)
    assert out_of_band.find_object(google.world.cloud, TOPIC).attributes == thing.attributes


def test_deleting_takes_what_lies_within(google: Google) -> None:
    google.make("google_bigquery_dataset", dataset_id="ml", location="US")
    google.make("google_bigquery_table", dataset_id="ml", table_id="t")
    gone = out_of_band.delete(
        google.world.cloud, out_of_band.find_object(google.world.cloud, f"projects/{PROJECT}/datasets/ml")
    )
    assert [path.rsplit("/", 1)[-1] for path in gone] == ["t", "ml"]


def test_a_soft_deleted_pool_is_brought_back(google: Google) -> None:
    pool = google.make("google_iam_workload_identity_pool", workload_identity_pool_id="github")
    google.delete("google_iam_workload_identity_pool", pool)
    assert google.read("google_iam_workload_identity_pool", pool) is None
    out_of_band.undelete(google.world.cloud, "github")
    assert google.read("google_iam_workload_identity_pool", pool) is not None
    with pytest.raises(BadInputError):
        out_of_band.undelete(google.world.cloud, "github")


def test_an_agent_is_made_by_hand(google: Google) -> None:
    email = out_of_band.make_agent(google.world.cloud, "pubsub.googleapis.com", PROJECT)
    assert google.world.cloud.has_agent(email)
    with pytest.raises(BadInputError, match=r"pubsub.googleapis.com"):
        out_of_band.make_agent(google.world.cloud, "nothing.googleapis.com", PROJECT)


def test_forgetting_removes_file_and_buckets_but_not_while_it_is_written_to(tmp_path: Path) -> None:
    file = tmp_path / "c.sqlite"
    cloud = Cloud(file)
    (tmp_path / "c.buckets" / "b").mkdir(parents=True)
    with cloud.transaction(), pytest.raises(ConflictError, match="in use"):
        out_of_band.forget(file)
    cloud.close()
    out_of_band.forget(file)
    assert list(tmp_path.iterdir()) == []


def test_a_corrupt_file_can_be_forgotten(tmp_path: Path) -> None:
    file = tmp_path / "c.sqlite"
    file.write_bytes(b"no database at all, but something longer than a header" * 10)
    out_of_band.forget(file)
    assert not file.exists()
