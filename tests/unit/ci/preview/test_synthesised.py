"""Stacks that a pull request's code synthesised are data: what would run a program at the plan is refused."""

import json

import pytest

from ci.preview.build.synthesised import read_synthesised
from fonderie.core.errors import BadInputError, RefusedError

GOOGLE = {"source": "hashicorp/google", "version": "7.45.0"}
STACK = {
    "terraform": {"required_providers": {"google": GOOGLE}, "backend": {"gcs": {"bucket": "b"}}},
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


PROGRAMS = {
    "a data source of another provider": {"data": {"external": {"x": {"program": ["sh"]}}}},
    "a provider that is declared": {
        "terraform": {"required_providers": {"google": GOOGLE, "evil": {"source": "evil/evil"}}}
    },
    "a name that another provider has": {"terraform": {"required_providers": {"google": {"source": "evil/google"}}}},
    "a resource of another provider": {"resource": {"null_resource": {"x": {}}}},
    "a provider that a resource asks for": {"resource": {"google_thing": {"x": {"provider": "http.other"}}}},
    "a provider that is configured": {"provider": {"google": [{}], "local": [{}]}},
    "a module": {"module": {"m": {"source": "git::https://evil.example/m"}}},
    "an ephemeral value": {"ephemeral": {"vault_secret": {"x": {}}}},
}


@pytest.mark.parametrize("changes", PROGRAMS.values(), ids=PROGRAMS)
def test_a_program_that_base_does_not_have_is_refused(tmp_path, changes):
    with pytest.raises(RefusedError, match="would run before it was reviewed") as caught:
        read_synthesised(written(tmp_path / "head", **changes), read_synthesised(written(tmp_path / "base"), None))
    assert caught.value.where == "dev-data"


def test_what_base_has_may_be_planned(tmp_path):
    also = {
        "terraform": {"required_providers": {"google": GOOGLE, "random": {"source": "acme/random"}}},
        "resource": {"random_id": {"x": {}}},
        "module": {"m": {"source": "./m"}},
    }
    base = read_synthesised(written(tmp_path / "kept"), None)
    base.stacks[0].folder.joinpath("cdk.tf.json").write_text(json.dumps({**STACK, **also}))
    (stack,) = read_synthesised(written(tmp_path / "head", **also), base).of("dev")
    assert stack.name == "dev-data"


def test_another_version_of_a_provider_may_be_planned(tmp_path):
    """An upgrade is previewed like any other change."""
    newer = {"terraform": {"required_providers": {"google": GOOGLE | {"version": "7.46.0"}}}}
    base = read_synthesised(written(tmp_path / "base"), None)
    assert read_synthesised(written(tmp_path / "head", **newer), base).of("dev")


def test_a_folder_outside_is_refused(tmp_path):
    with pytest.raises(BadInputError, match="lies outside the folder"):
        read_synthesised(written(tmp_path / "head", where="../elsewhere"), None)
