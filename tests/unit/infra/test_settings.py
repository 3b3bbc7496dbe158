"""What an environment's file may hold, and what is said of what it may not."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import jsonschema
import pytest

from fonderie.core.errors import BadInputError
from infra.settings import ENVIRONMENTS, environment_names, load_environment
from infra.settings.schema import schema_text


def written(folder: Path, name: str, change: tuple[str, str] | None = None, source: str = "local") -> Path:
    """`source`'s file as `folder/name.toml`, with one regular expression replaced."""
    text = (ENVIRONMENTS / f"{source}.toml").read_text()
    if change:
        text, count = re.subn(change[0], change[1], text, count=1, flags=re.M)
        assert count == 1, f"{change[0]} is not in {source}.toml"
    (folder / f"{name}.toml").write_text(text)
    return folder


@pytest.mark.parametrize("name", environment_names())
def test_every_environment_of_the_repository_is_accepted(name: str) -> None:
    assert load_environment(name).name == name


@pytest.mark.parametrize(
    ("change", "key", "reason"),
    [
        ((r"^project_id = .*", 'project_id = "Acme"'), "project_id", "6 to 30"),
        ((r"^project_id = .*", 'project_id = "my-google-project"'), "project_id", "google"),
        ((r"^region = .*", 'region = "europe-west99"'), "region", "not a region"),
        ((r"^nodes = .*", 'nodes = "10.4.0.0/22"'), "network.pods", "overlaps network.nodes"),
        ((r"^pods = .*", 'pods = "10.4.0.0/22"'), "network.pods", "too small"),
        ((r"^nodes = .*", 'nodes = "10.0.0.1/22"'), "network.nodes", "host bits"),
        ((r"^nodes = .*", 'nodes = "8.8.8.0/24"'), "network.nodes", "private"),
        ((r"^control_plane = .*", 'control_plane = "172.16.0.0/24"'), "network.control_plane", "/28"),
        ((r'@sha256:1+"', ':latest"'), "images.pipelines", "digest"),
        ((r"^owner = .*", 'owner = "ML Platform"'), "owner", "lower-case"),
        ((r"^ephemeral = .*", 'ephemeral = "yes"'), "ephemeral", "boolean"),
        ((r"^protected = .*", "protected = true"), "protected", "ephemeral"),
        (
            (r"^ephemeral = .*", "ephemeral = false"),
            "backend",
            "only an ephemeral environment may keep its state locally",
        ),
        ((r"^raw_days", "raw_day"), "retention.raw_day", "did you mean raw_days"),
        ((r"^\[network\]", '[schedules]\nmonitoring = "61 * * * *"\n[network]'), "schedules.monitoring", "schedule"),
        ((r"^\[network\]", '[schedules]\nmonitoring = "@daily"\n[network]'), "schedules.monitoring", "five fields"),
        ((r"^\[network\]", '[schedules]\nmonitoring = "45 5 * * *"\n[network]'), "schedules.monitoring", "second run"),
        ((r"^\[network\]", '[schedules]\ntraining = "59 4 2 * *"\n[network]'), "schedules.training", "minute 44"),
        ((r"^\[network\]", '[schedules]\ntraining = "*/30 4 2 * *"\n[network]'), "schedules.training", "once an hour"),
        ((r"^\[network\]", '[schedules]\nmonitoring = "* 5 * * *"\n[network]'), "schedules.monitoring", "once an hour"),
        ((r"^\[network\]", '[schedules]\ntime_zone = "Mars"\n[network]'), "schedules.time_zone", "time zone"),
        ((r"^cost_center", "environment"), "labels.environment", "taken"),
        ((r"^region = .*\n", ""), "region", "missing"),
    ],
)
def test_a_wrong_setting_is_refused_with_file_key_value_and_reason(
    tmp_path: Path, change: tuple[str, str], key: str, reason: str
) -> None:
    folder = written(tmp_path, "local", change)
    with pytest.raises(BadInputError) as refused:
        load_environment("local", folder)
    assert str(tmp_path / "local.toml") in str(refused.value)
    assert key in str(refused.value)
    assert reason in str(refused.value)


def test_every_mistake_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    text = (ENVIRONMENTS / "local.toml").read_text()
    (tmp_path / "local.toml").write_text(
        text.replace("europe-west1", "nowhere").replace("ephemeral = true", "wrong = 1")
    )
    told = (
        r'(?s)local\.toml: 2 problems:\n  line \d+: region = "nowhere": not a region.*\n  line \d+: wrong: unknown key'
    )
    with pytest.raises(BadInputError, match=told):
        load_environment("local", tmp_path)


def test_an_unknown_environment_names_those_there_are() -> None:
    with pytest.raises(BadInputError, match="there are: local"):
        load_environment("nowhere")


def test_a_file_that_is_not_toml_is_named(tmp_path: Path) -> None:
    (tmp_path / "local.toml").write_text("region = ")
    with pytest.raises(BadInputError, match=r"local\.toml: is not TOML"):
        load_environment("local", tmp_path)


def test_the_editors_schema_is_that_of_the_code() -> None:
    assert (ENVIRONMENTS / "schema.json").read_text() == schema_text(), "run python -m infra.settings.schema"


@pytest.mark.parametrize("name", environment_names())
def test_the_editors_schema_accepts_what_the_code_accepts(name: str) -> None:
    jsonschema.validate(tomllib.loads((ENVIRONMENTS / f"{name}.toml").read_text()), json.loads(schema_text()))


def test_a_schedule_starts_until_minute_44_and_what_is_no_run_at_any(tmp_path: Path) -> None:
    wanted = '[schedules]\nmonitoring = "44 */2 * * *"\ninfrastructure_drift = "50 3 * * *"\n[network]'
    assert load_environment("local", written(tmp_path, "local", (r"^\[network\]", wanted))).schedules.monitoring


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ((r"^protected = .*", "protected = false"), "protected"),
        ((r"^approval = .*", "approval = false"), "approval"),
        ((r"^min_replicas = .*", "min_replicas = 1"), "serving.min_replicas"),
        ((r"^min_nodes = .*", "min_nodes = 1"), "cluster.system.min_nodes"),
        ((r"^protected = .*", "ephemeral = true\nprotected = false"), "ephemeral"),
    ],
)
def test_production_is_refused_without_what_production_needs(tmp_path: Path, change: tuple[str, str], key: str) -> None:
    folder = written(tmp_path, "prod", change, source="prod")
    with pytest.raises(BadInputError) as refused:
        load_environment("prod", folder)
    assert key in str(refused.value)


@pytest.mark.parametrize(
    ("name", "change", "key", "reason"),
    [
        ("prod", (r'^registry = "dev"', 'registry = "nowhere"'), "images.registry", "unknown environment"),
        ("dev", (r'^readers = .*', 'readers = ["staging", "nowhere"]'), "images.readers", "unknown environment"),
        ("prod", (r'^registry = "dev"\n', ""), "images.pipelines", "not in the registry of prod"),
        ("prod", (r"/acme-ml-dev/dev-images/manifests", "/acme-ml-prod/prod-images/manifests"),
         "kubeflow.manifests", "not in the registry of dev"),
        ("prod", (r'^registry = "dev"', 'registry = "dev"\nreaders = ["staging"]'), "images.readers", "it is dev's"),
        ("local", (r"^\[images\]", '[images]\nreaders = ["dev"]'), "images.readers", "a registry that stays"),
        ("dev", (r'^readers = .*', 'readers = ["dev"]'), "images", "leave it out"),
    ],
)  # fmt: skip
def test_images_come_from_one_registry(
    tmp_path: Path, name: str, change: tuple[str, str], key: str, reason: str
) -> None:
    for other in environment_names():
        written(tmp_path, other, source=other)
    written(tmp_path, name, change, source=name)
    with pytest.raises(BadInputError) as refused:
        load_environment(name, tmp_path)
    assert f"{key} = " in str(refused.value)
    assert reason in str(refused.value)
