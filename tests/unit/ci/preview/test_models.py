import json

from ci.preview.assemble import Material, assemble
from ci.preview.pipelines import in_words
from tests.unit.ci.preview.plans import change, plan, preview

BASE = """
name = "air_time"
task = "regression"
[features]
numeric = ["distance", "temp"]
[training.hyperparameters]
learning_rate = 0.1
[gate]
min_gain = 0.01
[drift]
feature_js = 0.1
"""


def said(base, head):
    made = assemble(Material((plan(),), base_models=base, head_models=head))
    return [(item.model, item.what, item.before, item.after) for item in made.models]


def test_each_kind_of_setting_has_its_words():
    head = BASE.replace("0.01", "0.002").replace("learning_rate = 0.1", "learning_rate = 0.05")
    head = head.replace("feature_js = 0.1", "feature_js = 0.2").replace('"temp"', '"humid"')
    assert said({"air_time": BASE}, {"air_time": head}) == [
        ("air_time", "drift threshold of a feature", "0.1", "0.2"),
        ("air_time", "numeric features", 'removed: "temp"', 'added: "humid"'),
        ("air_time", "gate: smallest gain to promote", "0.01", "0.002"),
        ("air_time", "hyper-parameter learning rate", "0.1", "0.05"),
    ]


def test_a_comment_in_a_model_file_is_no_change():
    assert said({"m": BASE}, {"m": "# words\n" + BASE}) == []


def test_a_model_that_comes_and_one_that_goes():
    assert said({"old": BASE}, {"new": BASE}) == [
        ("new", "new model", "—", '"regression"'),
        ("old", "the model", '"regression"', "removed"),
    ]


def test_a_model_file_that_is_not_toml_is_a_failure_and_the_others_are_shown():
    made = assemble(
        Material((plan(),), base_models={"a": "x = 1", "b": "x = 1"}, head_models={"a": "x =", "b": "x = 2"})
    )
    assert len(made.failures) == 1
    assert "a.toml" in made.failures[0]
    assert [item.model for item in made.models] == ["b"]


def spec(image="training@sha256:" + "a" * 64, rate=0.1, cached=True):
    return json.dumps(
        {
            "pipelineInfo": {"name": "training-air-time"},
            "deploymentSpec": {"executors": {"exec-train": {"container": {"image": image, "command": ["python"]}}}},
            "root": {
                "inputDefinitions": {"parameters": {"rate": {"defaultValue": rate}}},
                "dag": {"tasks": {"train": {"cachingOptions": {"enableCache": cached}, "dependentTasks": ["prepare"]}}},
            },
        }
    )


def test_a_pipeline_that_is_a_new_object_is_compared_with_the_one_it_replaces():
    old = change('google_storage_bucket_object.spec["sha-1"]', "delete", {"content": spec()})
    new = change(
        'google_storage_bucket_object.spec["sha-2"]', "create", None, {"content": spec(rate=0.2, cached=False)}
    )
    found = [(item.model, item.what, item.before, item.after) for item in preview(old, new).models]
    assert found == [
        ("training-air-time", "parameter rate", "0.1", "0.2"),
        ("training-air-time", "task train is cached", "true", "false"),
    ]


def test_an_image_whose_digest_moves_is_said_once():
    old, new = (f"europe-docker.pkg.dev/acme/images/training:v1@sha256:{digit * 64}" for digit in "ab")
    entries = [
        change(
            f"google_workflows_workflow.{name}",
            "update",
            {"source_contents": f"image: {old}"},
            {"source_contents": f"image: {new}"},
        )
        for name in ("a", "b")
    ]
    found = [(item.model, item.what, item.before, item.after) for item in preview(*entries).models]
    assert found == [("training", "container image", f"sha256:{'a' * 12}…", f"sha256:{'b' * 12}…")]


def test_a_schedule_that_moves_is_said_in_words():
    job = {"name": "prod-monitoring", "schedule": "0 5 * * *", "time_zone": "Etc/UTC"}
    entry = change("google_cloud_scheduler_job.j", "update", job, job | {"schedule": "0 5,17 * * *"})
    ((item),) = preview(entry).models
    assert (item.model, item.before, item.after) == (
        "prod-monitoring", 'daily 05:00 Etc/UTC', 'daily 05:00 and 17:00 Etc/UTC')  # fmt: skip


def test_a_schedule_that_is_not_simple_stays_as_it_is():
    assert in_words("*/5 1-3 * * 1") == "*/5 1-3 * * 1"
    assert in_words("0 4 2 * *") == "monthly on day 2, 04:00"
