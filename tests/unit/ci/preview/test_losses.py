import pytest

from ci.preview.assemble import Material, assemble
from fonderie.terraform.plan import Action
from tests.unit.ci.preview.plans import change, comment, plan, preview

BUCKET = {"name": "acme-raw", "id": "acme-raw", "location": "EU", "force_destroy": False}


def test_the_attribute_that_forces_a_replacement_is_named_with_its_values():
    entry = change(
        "google_bigquery_dataset.features",
        "replace",
        {"location": "EU"},
        {"location": "europe-west1"},
        forces=[["location"]],
        action_reason="replace_because_cannot_update",
    )
    (loss,) = preview(entry).losses
    assert loss.why == 'location "EU" → "europe-west1" forces replacement'
    assert loss.stateful
    assert loss.lost == "the dataset and its tables"


@pytest.mark.parametrize(
    ("action", "reason", "said"),
    [
        ("delete", "delete_because_no_resource_config", "no longer in the configuration"),
        ("delete", "delete_because_each_key", "its key is no longer in `for_each`"),
        ("replace", "replace_because_tainted", "its last creation failed half-way (tainted)"),
        ("replace", "replace_by_request", "asked for with -replace"),
        ("delete", "", "Terraform gives no reason"),
        ("delete", "something_new", "something new"),
    ],
)
def test_terraforms_reason_in_words(action, reason, said):
    assert preview(change("terraform_data.x", action, {}, {}, action_reason=reason)).losses[0].why == said


def test_what_refers_to_it_in_the_configuration_depends_on_it():
    configuration = {
        "root_module": {
            "resources": [
                {
                    "address": "google_bigquery_table.t",
                    "expressions": {"d": {"references": ["google_bigquery_dataset.d.id"]}},
                }
            ]
        }
    }
    found = preview(change("google_bigquery_dataset.d", "delete", {"id": "x"}), configuration=configuration)
    assert found.losses[0].dependents == ("google_bigquery_table.t",)


def test_another_stack_that_names_it_depends_on_it():
    data = plan(change("google_storage_bucket.raw", "delete", BUCKET), stack="prod-data")
    user = change("google_dataflow_job.m", "none", {"bucket": "acme-raw"}, {"bucket": "acme-raw"})
    runtime = plan(user, stack="prod-runtime")
    elsewhere = plan(user, environment="dev", stack="dev-runtime")
    (loss,) = assemble(Material((data, runtime, elsewhere))).losses
    assert loss.dependents == ("prod-runtime: google_dataflow_job.m",)


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ({"deletion_protection": True}, "deletion_protection refuses it until it is off in state"),
        ({"deletion_policy": "PREVENT"}, "deletion_policy PREVENT refuses it until it is changed in state"),
        ({"deletion_policy": "ABANDON", "deletion_protection": True}, "left in the cloud (deletion_policy ABANDON)"),
        ({}, ""),
    ],
)
def test_a_protection_in_state_is_said(before, said):
    assert preview(change("google_container_cluster.c", "delete", before)).losses[0].protected == said


def test_the_stateful_come_first_and_destroys_before_replacements():
    found = preview(
        change("terraform_data.a", "replace", {}, {}),
        change("terraform_data.b", "delete", {}),
        change("google_storage_bucket.c", "replace", BUCKET, BUCKET),
    ).losses
    assert [(loss.type, loss.action) for loss in found] == [
        ("google_storage_bucket", Action.REPLACE),
        ("terraform_data", Action.DESTROY),
        ("terraform_data", Action.REPLACE),
    ]


def test_a_deposed_object_is_listed_beside_its_resource():
    entry = change("terraform_data.a", "delete", {}, deposed="abcd1234")
    assert "terraform_data.a (deposed abcd1234)" in comment(entry)


def test_a_forgotten_resource_is_not_lost():
    found = preview(change("google_storage_bucket.c", "forget", BUCKET))
    assert found.losses == ()
    assert "stays in the cloud, no longer managed" in found.stacks[0].changes[0].note
