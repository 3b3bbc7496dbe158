from pathlib import Path

import pytest

from fonderie.core.errors import BadInputError
from ml.registry import open_registry


def test_a_folder_is_a_registry(tmp_path: Path) -> None:
    assert open_registry("air_time", str(tmp_path)).list() == ()


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("s3://bucket", "unknown registry location"),
        ("vertex://acme/europe-west1", "invalid registry"),
        ("vertex:///europe-west1/bucket?image=x@sha256:1", "invalid registry"),
        ("vertex://acme/europe-west1/bucket?image=serving:latest", "by digest"),
    ],
)
def test_a_location_that_names_none_is_refused_with_the_form_it_wants(location: str, said: str) -> None:
    with pytest.raises(BadInputError, match=said) as error:
        open_registry("air_time", location)

    assert error.value.hint
    assert "vertex://PROJECT" in error.value.hint
