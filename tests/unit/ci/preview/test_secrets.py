import base64
import json
import time

import pytest

from ci.preview.assemble import Failed, Material, assemble
from ci.preview.masking.patterns import HIDDEN, is_secret_name, without_patterns
from ci.preview.render.comment import page, render
from fonderie.terraform.plan import read_plan
from tests.unit.ci.preview.plans import change, plan, preview

SECRET = "correct-horse-battery"
KEY = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQC7\n-----END PRIVATE KEY-----\n"
LOOKS_SECRET = {
    "private key": KEY,
    "open ended key": KEY[:60],
    "json web token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
    "github": "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8",
    "github fine grained": "github_pat_11ABCDEFG0_abcdefghijklmnopqrstuvwxyz",
    "gitlab": "glpat-abcdefghij0123456789",
    "google api key": "AIza" + "SyA1234567890abcdefghijklmnopqrstuv",
    "google access token": "ya29.a0AfH6SMBx-abcdefghijklmnop",
    "google oauth": "GOCSPX-abcdefghijklmnopqrstuvwx",
    "aws": "AKIAIOSFODNN7EXAMPLE",
    "slack": "xoxb-123456789012-abcdefghijkl",
    "stripe": "sk_live_abcdefghijklmnopqrstuvwx",
    "bearer": "Bearer abcdef0123456789",
    "random base64": "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=",
    "hmac": "GOOG1EABCDEFGHIJKLMNOPQRSTUVWXYZ12345",
}


def everything(*changes, **more):
    """Every way a preview is written."""
    made = assemble(Material(plans=(plan(*changes),), **more))
    return render(made) + page(made) + made.model_dump_json()


@pytest.mark.parametrize("secret", LOOKS_SECRET.values(), ids=LOOKS_SECRET)
@pytest.mark.parametrize(
    "where", ["{}", "before {} after", '{{"a": ["x", "{}"]}}'], ids=["alone", "in text", "in json"]
)
def test_what_looks_like_a_secret_is_hidden_wherever_it_stands(secret, where):
    text = where.format(json.dumps(secret)[1:-1] if where.startswith("{{") else secret)
    written = everything(
        change("google_storage_bucket.x", "update", {"labels": {"a": "old"}}, {"labels": {"a": text}}),
        change("google_storage_bucket.y", "create", None, {"content": text}),
    )
    for part in (secret[:40], json.dumps(secret)[1:-1][:40], secret[8:40]):
        assert part not in written


@pytest.mark.parametrize(
    "text",
    [
        "sha256:" + "0a1b2c3d" * 8,
        "projects/acme-prod/locations/europe-west1/repositories/images",
        "https://www.googleapis.com/compute/v1/projects/acme-prod/global/networks/prod-network",
        "roles/iam.serviceAccountTokenCreator",
        "serviceAccount:serving@acme-prod.iam.gserviceaccount.com",
        "europe-west1-docker.pkg.dev/acme/prod/pipelines@sha256:" + "9f" * 32,
        "google_project_service.secretmanager",
        "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOP",
        "principalSet://iam.googleapis.com/projects/412345678909/locations/global/workloadIdentityPools/p/attribute.r/a/b",
        "projects/p/locations/l/keyRings/R1/cryptoKeys/K2/cryptoKeyVersions/12",
        "terraform plan: google_logging_metric.retraining_requests_8E697F4F: Error creating metric",
        "https://www.googleapis.com/compute/v1/projects/acme/zones/europe-west1-b/instances/Gke9Main8F",
        "projects/acme/roles/prodApplyOfEverything2",
        "HistogramOfPredictionsByModelAndMonth2AndCarrierAndWeekday",
        'attribute_mapping: token = google.subject and token == "x"',
        "basic authentication is off, bearer authentication too",
        "hf_transformers_for_everything_and_more",
        "sk-learn-pipelines-for-everything",
        base64.b64encode(
            json.dumps({"displayName": "training of 2013-04", "labels": {"model": "air"}}).encode()
        ).decode(),
    ],
)
def test_digests_paths_and_roles_are_not_taken_for_secrets(text):
    assert without_patterns(text) == text


@pytest.mark.parametrize("text", ["postgres://app:{}@10.0.0.3/db", "AccountKey={};", "password: {}", "x --token {} y"])
def test_the_secret_part_of_a_connection_string_is_hidden_and_the_rest_stays(text):
    hidden = without_patterns(text.format(SECRET))
    assert hidden == text.format(HIDDEN)


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "DB_PASSWORD",
        "apiKey",
        "auth-token",
        "client_secret",
        "private_key",
        "api-key",
        "x-api-key",
        "HMAC_SECRET",
        "SHARED_SECRET",
        "SSH_KEY",
        "PSK",
        "GITHUB_PAT",
        "WEBHOOK",
        "webhook-url",
    ],
)
def test_names_that_hold_secrets(name):
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name", ["secret_id", "secret", "tokens", "max_tokens", "kms_key_name", "public_key", "oauth_token_x"]
)
def test_names_that_do_not(name):
    assert not is_secret_name(name)


MARKED = {
    "a leaf": ({"x": SECRET}, {"x": True}),
    "a whole block": ({"x": [{"y": SECRET}]}, {"x": True}),
    "deep inside": ({"x": [{"y": "a"}, {"y": {"z": SECRET}}]}, {"x": [{}, {"y": {"z": True}}]}),
    "everything": ({"x": SECRET}, True),
}


@pytest.mark.parametrize(("value", "mask"), MARKED.values(), ids=MARKED)
@pytest.mark.parametrize("side", ["before_sensitive", "after_sensitive"])
def test_a_mask_hides_at_any_depth_and_on_both_sides(value, mask, side):
    changed = json.loads(json.dumps(value).replace(SECRET, SECRET + "-new"))
    entry = change("terraform_data.x", "update", value, changed, **{side: mask})
    written = everything(entry)
    assert SECRET not in written
    assert HIDDEN in written


def test_a_changed_secret_is_seen_to_change():
    entry = change("terraform_data.x", "update", {"p": SECRET}, {"p": SECRET[::-1]}, sensitive={"p": True})
    assert "p   (secret) → (secret) (changed)" in everything(entry)


ELSEWHERE = {
    "as it is": lambda secret: f"see {secret} there",
    "in JSON": lambda secret: json.dumps({"inner": {"deep": [secret]}}),
    "in JSON in JSON": lambda secret: json.dumps({"inner": json.dumps({"deep": secret})}),
    "in YAML": lambda secret: f"a:\n  b: {secret}\n",
    "in base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "in a URL": lambda secret: f"https://x/?q={secret}",
    "as a key": lambda secret: {secret: 1},
    "in capitals": lambda secret: secret.upper(),
    "in hexadecimal digits": lambda secret: secret.encode().hex(),
    "in a text in base64": lambda secret: base64.b64encode(f"--- the password is {secret} today".encode()).decode(),
}


@pytest.mark.parametrize("place", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_marked_value_is_hidden_where_it_is_not_marked(place):
    echoed = place(SECRET)
    marked = change("terraform_data.a", "create", None, {"p": SECRET}, sensitive={"p": True})
    written = everything(marked, change("terraform_data.b", "update", {"q": "v"}, {"q": echoed}))
    assert SECRET.lower() not in written.lower()
    assert SECRET.encode().hex() not in written
    assert base64.b64encode(SECRET.encode()).decode() not in written


def test_a_marked_value_in_JSON_in_JSON_with_signs_is_hidden() -> None:
    secret = 'pa"ss\\wörd-and-more'
    marked = change("terraform_data.a", "create", None, {"p": secret}, sensitive={"p": True})
    echoed = json.dumps({"inner": json.dumps({"deep": secret})})
    written = everything(marked, change("terraform_data.b", "create", None, {"q": echoed}))
    assert "and-more" not in written


def test_an_identifier_is_shown_but_for_the_part_that_is_marked() -> None:
    marked = change("terraform_data.a", "create", None, {"p": SECRET}, sensitive={"p": True})
    member = {"bucket": "acme-raw", "role": "roles/storage.objectUser",
              "member": "principalSet://iam.googleapis.com/projects/412345678909/locations/global/"
              f"workloadIdentityPools/prod-git/attribute.repository/{SECRET}"}  # fmt: skip
    made = preview(marked, change("google_storage_bucket_iam_member.m", "create", None, member))
    assert made.access[0].subject == f"federated prod-git/attribute.repository/{HIDDEN}"


def test_many_marked_values_are_looked_for_in_time_that_grows_with_the_text() -> None:
    def seconds(number: int) -> float:
        entries = [
            change(f"terraform_data.d{index}", "update", {"p": f"secret-value-{index:06d}-x", "q": "a"},
                   {"p": f"secret-value-{index:06d}-y", "q": f"see secret-value-{index:06d}-x"}, sensitive={"p": True})
            for index in range(number)
        ]  # fmt: skip
        planned = plan(*entries)
        start = time.process_time()
        made = assemble(Material((planned,)))
        spent = time.process_time() - start
        assert "secret-value" not in made.model_dump_json()
        return spent

    seconds(50)
    assert seconds(1_600) < 8 * 3 * max(seconds(200), 0.02)


def test_a_destroyed_secret_is_not_in_its_reason():
    entry = change("terraform_data.a", "replace", {"p": SECRET}, {"p": "x" * 9}, sensitive={"p": True}, forces=[["p"]])
    written = everything(entry)
    assert SECRET not in written
    assert "p (secret) → (secret) (changed)" in written


def test_a_failure_and_a_model_file_do_not_repeat_a_secret():
    marked = change("terraform_data.a", "create", None, {"p": SECRET}, sensitive={"p": True})
    written = everything(
        marked,
        failed=(Failed("prod", "prod-runtime", f"Error: bad value {SECRET}\n\x1b[31mred\x1b[0m token=abc123xyz"),),
        problems=(f"base: {SECRET}",),
        base_models={"m": f'a = "{SECRET}"\n[x]\npassword = "swordfish"'},
        head_models={"m": 'a = "b"\n[x]\npassword = "swordfish2"'},
    )
    for secret in (SECRET, "abc123xyz", "swordfish", "\x1b"):
        assert secret not in written


@pytest.mark.parametrize("shape", ["password: {}", '{{"password": "{}"}}', "a: 1\npassword: '{}'\n"])
def test_values_under_a_secrets_name_are_hidden_in_documents(shape):
    old, new = (shape.format(word) for word in ("swordfish-one", "swordfish-two"))
    written = everything(change("terraform_data.x", "update", {"config": old}, {"config": new}))
    assert "swordfish" not in written


def test_a_pair_of_name_and_value_is_read_as_one():
    before = {"env": [{"name": "DB_PASSWORD", "value": "swordfish-one"}, {"name": "MODE", "value": "fast"}]}
    after = {"env": [{"name": "DB_PASSWORD", "value": "swordfish-two"}, {"name": "MODE", "value": "slow"}]}
    written = everything(change("terraform_data.x", "update", before, after))
    assert "swordfish" not in written
    assert '"fast" → "slow"' in written


def test_a_number_marked_sensitive_is_hidden_as_well():
    entry = change("terraform_data.x", "update", {"pin": 90417523}, {"pin": 90417524}, sensitive={"pin": True})
    assert "9041752" not in everything(entry, change("terraform_data.y", "create", None, {"note": "pin 90417523"}))


def test_a_long_word_beside_a_password_is_looked_through_in_linear_time() -> None:
    text = "a" * 300_000 + '.password = "hunter2hunter2"'

    start = time.process_time()
    shown = without_patterns(text)

    assert "hunter2" not in shown
    assert shown.startswith("aaaa")
    assert time.process_time() - start < 2.0


@pytest.mark.parametrize(
    "entry",
    [
        change("google_compute_disk.d", "create", None, {"size": 10, "type": SECRET}, sensitive={"type": True}),
        change("google_compute_disk.d", "create", None, {"size": 10, "zone": [SECRET]}, sensitive={"zone": [True]}),
        change("google_cloud_scheduler_job.j", "update", {"schedule": "0 5 * * *"}, {"schedule": SECRET},
               sensitive={"schedule": True}),
        change("google_project_iam_custom_role.r", "update", {"permissions": []}, {"permissions": [SECRET]},
               sensitive={"permissions": [True]}),
        change("google_compute_firewall.f", "create", None,
               {"source_ranges": ["0.0.0.0/0"], "allow": [{"protocol": SECRET}]}, sensitive={"allow": True}),
        change("google_iam_workload_identity_pool_provider.p", "update", {"attribute_condition": "a"},
               {"attribute_condition": SECRET}, sensitive={"attribute_condition": True}),
    ],
    ids=["price", "price in a list", "schedule", "permission", "firewall", "condition"],
)  # fmt: skip
def test_what_is_told_in_words_keeps_a_marked_value_too(entry):
    made = preview(entry)
    assert SECRET not in render(made) + page(made) + made.model_dump_json()


def test_a_secret_in_a_pipeline_that_is_marked_elsewhere_is_hidden_there():
    spec = {"pipelineInfo": {"name": "p"}, "deploymentSpec": {}, "root": {"inputDefinitions": {"parameters": {
        "login": {"defaultValue": SECRET}}}}}  # fmt: skip
    template = change("google_storage_bucket_object.t", "update", {"content": json.dumps({**spec, "root": {}})},
                      {"content": json.dumps(spec)}, sensitive={"content": True})  # fmt: skip
    login = change("google_sql_user.u", "create", None, {"phrase": SECRET}, sensitive={"phrase": True})
    made = preview(template, login)
    assert [item.what for item in made.models] == ["parameter login"]
    assert SECRET not in made.model_dump_json()


def test_a_mask_of_another_shape_hides_what_it_stands_beside():
    for mask in ({"k": [{"deep": True}]}, {"k": {"a": [True]}}, {"k": "true"}, {"k": 1}):
        made = preview(change("google_thing.x", "update", {"k": "old"}, {"k": "plain text"}, sensitive=mask))
        assert "plain text" not in made.model_dump_json()
    made = preview(change("google_thing.x", "update", {"k": "old"}, {"k": "plain text"}, sensitive={"k": [{}, []]}))
    assert "plain text" in made.model_dump_json()


@pytest.mark.parametrize(
    "more",
    [
        {"resource_changes": [{**change("google_secret.s", "none", None, {"data": SECRET}, sensitive={"data": True}),
                               "mode": "data"}]},
        {"prior_state": {"values": {"root_module": {"child_modules": [{"resources": [
            {"address": "a.b", "values": {"x": [SECRET]}, "sensitive_values": {"x": [True]}}]}]}}}},
        {"prior_state": {"values": {"outputs": {"o": {"sensitive": True, "value": {"a": SECRET}}}}}},
        {"variables": {"v": {"value": {"inner": [SECRET]}}},
         "configuration": {"root_module": {"variables": {"v": {"sensitive": True}}}}},
    ],
    ids=["data source", "state", "output in the state", "variable"],
)  # fmt: skip
def test_a_secret_of_what_does_not_change_is_hidden_in_messages(more):
    failed = (Failed("prod", "prod-x", f"boom {SECRET}"),)
    made = assemble(Material((read_plan(json.dumps({"format_version": "1.2", **more}), environment="prod",
                                        stack="prod-data"),), failed))  # fmt: skip
    assert "boom (secret)" in render(made)
