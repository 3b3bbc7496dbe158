from pathlib import Path

import pytest

from fonderie.cli.main import fail
from fonderie.core.errors import BadInputError, ExitCode
from fonderie.core.files import replacing, write_text


def test_an_error_names_place_and_remedy_and_exits_with_its_code(capsys: pytest.CaptureFixture[str]) -> None:
    error = BadInputError("unknown region 'x'", where="prod.toml: region", hint="see `gcloud compute regions list`")

    with pytest.raises(SystemExit) as left:
        fail(error)

    said = capsys.readouterr().err
    assert "prod.toml: region" in said
    assert "gcloud compute regions list" in said
    assert left.value.code == ExitCode.BAD_INPUT


def test_a_file_that_could_not_be_written_whole_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    write_text(path, "old")

    def write_half() -> None:
        with replacing(path) as draft:
            draft.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
