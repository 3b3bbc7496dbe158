"""Ten recorded pull requests give the ten expected comments, by real plans in the sandbox."""

import shutil

import pytest

from ci.preview.render.comment import page, render
from tests.e2e.recorded import FOLDER, names, previews

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    if shutil.which("terraform") is None:
        pytest.fail("Terraform is not installed")
    return previews(tmp_path_factory.mktemp("pull-requests"))


@pytest.mark.parametrize("name", names())
def test_a_pull_request_gives_its_expected_comment(made, name):
    assert render(made[name]) == (FOLDER / name / "expected.md").read_text(encoding="utf-8")


def test_no_secret_of_any_of_them_is_written_anywhere(made):
    everything = "".join(render(one) + page(one) + one.model_dump_json() for one in made.values())
    assert "swordfish" not in everything
    assert "eyJhbGciOiJIUzI1NiJ9" not in everything


def test_there_are_ten():
    assert len(names()) == 10
