import base64
import json

from ci.preview.assemble import Material, assemble
from ci.preview.models.schedules import in_words
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


VALID = """
name = "m"
description = "minutes"
task = "regression"
[target]
column = "air_time"
[features]
numeric = ["distance", "temp"]
[gate]
metric = "mae"
floor = 15.0
ceiling = 2.0
[serving]
max_disagreement = 5.0
"""


def test_a_default_that_a_file_no_longer_states_is_no_change():
    assert said({"m": VALID.replace("[gate]", "[gate]\nmin_rows = 2000")}, {"m": VALID}) == []


def test_a_setting_that_goes_back_to_its_default_or_leaves_it_says_both_values():
    stated = VALID.replace("[gate]", "[gate]\nmin_rows = 300")
    assert said({"m": stated}, {"m": VALID}) == [("m", "gate: min rows", "300", "2000 (default)")]
    assert said({"m": VALID}, {"m": stated}) == [("m", "gate: min rows", "2000 (default)", "300")]


def test_what_follows_from_another_setting_is_told_too():
    changes = said({"m": VALID}, {"m": VALID.replace(', "temp"', "")})
    assert ("m", "drift: seasonal features", 'removed: "temp" (default)', "— (default)") in changes


def spec(image="training@sha256:" + "a" * 64, rate=0.1, cached=True, pipeline="training", **parameters):
    given = {"rate": rate, **parameters}
    return json.dumps(
        {
            "pipelineInfo": {"name": f"{pipeline}-air-time"},
            "deploymentSpec": {"executors": {"exec-train": {"container": {"image": image, "command": ["python"]}}}},
            "root": {
                "inputDefinitions": {"parameters": {key: {"defaultValue": value} for key, value in given.items()}},
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


def template(pipeline, old, new, environment):
    entries = (
        change(f'google_storage_bucket_object.{pipeline}["{old}"]', "delete", {"content": old}),
        change(f'google_storage_bucket_object.{pipeline}["{new}"]', "create", None, {"content": new}),
    )
    return plan(*entries, environment=environment, stack=f"{environment}-{pipeline}")


def settings(gain, rows=2_000):
    return json.dumps({"name": "air_time", "gate": {"min_gain": gain, "min_rows": rows}, "text": "x" * 2_000})


def compiled(old, new, environments=("dev", "prod"), pipelines=("monitoring", "training")):
    """Plans of pipelines that are compiled with one configuration and then another."""
    return tuple(
        template(pipeline, spec(pipeline=pipeline, config=old), spec(pipeline=pipeline, config=new), environment)
        for environment in environments
        for pipeline in pipelines
    )


def rows(base, head, plans):
    made = assemble(Material(plans, base_models={"air_time": base}, head_models={"air_time": head}))
    return [(item.model, item.where, item.what, item.before, item.after) for item in made.models]


def test_a_setting_that_the_pipelines_carry_is_one_row_that_names_them():
    found = rows("[gate]\nmin_gain = 0.01", "[gate]\nmin_gain = 0.002", compiled(settings(0.01), settings(0.002)))
    where = "dev, prod: monitoring, training"
    assert found == [("air_time", where, "gate: smallest gain to promote", "0.01", "0.002")]


def test_a_setting_that_only_one_environment_carries_says_which():
    plans = (*compiled(settings(0.01), settings(0.002), environments=("dev",)),)
    plans += compiled(settings(0.01), settings(0.002), environments=("prod",), pipelines=("training",))
    ((_, where, *_),) = rows("[gate]\nmin_gain = 0.01", "[gate]\nmin_gain = 0.002", plans)
    assert where == "dev: monitoring, training; prod: training"


def test_a_default_that_changes_in_the_code_is_told_though_no_file_changes():
    found = rows("name = 'air_time'", "name = 'air_time'", compiled(settings(0.01), settings(0.01, rows=500)))
    assert found == [("air_time", "dev, prod: monitoring, training", "gate: min rows", "2000", "500")]


def test_a_setting_that_had_its_default_says_what_that_was():
    found = rows("[gate]", "[gate]\nmin_gain = 0.002", compiled(settings(0.01), settings(0.002)))
    assert [(before, after) for *_, before, after in found] == [("0.01 (default)", "0.002")]


def test_a_file_and_a_pipeline_that_say_different_things_are_both_told():
    found = rows("[gate]\nmin_gain = 0.01", "[gate]\nmin_gain = 0.002", compiled(settings(0.01), settings(0.9)))
    assert [(bool(where), after) for _, where, _, _, after in found] == [(False, "0.002"), (True, "0.9")]


def test_any_parameter_that_holds_json_is_told_by_its_keys():
    old, new = ({"machine": {"cpu": 2, "note": "x" * 900}, "kind": kind} for kind in ("batch", "stream"))
    (item,) = assemble(Material((template("serving", spec(options=json.dumps(old)), spec(options=json.dumps(new)),
                                          "dev"),))).models  # fmt: skip
    assert (item.what, item.before, item.after) == ("parameter options: kind", "batch", "stream")


def test_long_values_are_cut_where_they_differ():
    old, new = (f"{'a' * 700}{letter}{'b' * 700}" for letter in "xy")
    ((_, _, before, after),) = said({"m": f'note = "{old}"'}, {"m": f'note = "{new}"'})
    assert "ax" in before
    assert "ay" in after
    assert max(len(before), len(after)) < 160


def job(**more):
    body = {"argument": json.dumps({"pipeline": "training", "model": "air_time"} | more)}
    text = base64.b64encode(json.dumps(body).encode()).decode()
    return {"name": "prod-training", "schedule": "0 5 * * *", "http_target": [{"uri": "https://x", "body": text}]}


def test_what_a_scheduled_request_asks_for_is_read_out_of_its_body():
    entry = change("google_cloud_scheduler_job.j", "update", job(model="a"), job(model="b"))
    (item,) = preview(entry).models
    assert (item.model, item.what, item.before, item.after) == ("prod-training", "run's model", "a", "b")


def test_a_scheduled_request_that_is_marked_as_secret_is_not_read():
    pair = job(model="model-one"), job(model="model-two")
    made = preview(change("google_cloud_scheduler_job.j", "update", *pair, sensitive={"http_target": [{"body": True}]}))
    assert made.models == ()
    assert "model-two" not in made.model_dump_json()


def test_an_image_whose_digest_moves_is_said_once():
    old, new = (f"europe-docker.pkg.dev/acme/images/pipelines:v1@sha256:{digit * 64}" for digit in "ab")
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
    assert found == [("pipelines", "container image", f"sha256:{'a' * 12}…", f"sha256:{'b' * 12}…")]


def test_a_schedule_that_moves_is_said_in_words():
    job = {"name": "prod-monitoring", "schedule": "0 5 * * *", "time_zone": "Etc/UTC"}
    entry = change("google_cloud_scheduler_job.j", "update", job, job | {"schedule": "0 5,17 * * *"})
    ((item),) = preview(entry).models
    assert (item.model, item.before, item.after) == (
        "prod-monitoring", 'daily 05:00 Etc/UTC', 'daily 05:00 and 17:00 Etc/UTC')  # fmt: skip


def test_a_schedule_that_is_not_simple_stays_as_it_is():
    assert in_words("*/5 1-3 * * 1") == "*/5 1-3 * * 1"
    assert in_words("0 4 2 * *") == "monthly on day 2, 04:00"
