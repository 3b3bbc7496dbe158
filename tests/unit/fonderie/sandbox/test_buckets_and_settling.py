import math
import threading
from pathlib import Path

import pytest

from fonderie.core.errors import BadInputError
from fonderie.sandbox.cloud.buckets import Blob, Buckets
from fonderie.sandbox.lifecycle.settling import Settling


def test_checksums_are_those_of_cloud_storage() -> None:
    blob = Blob.of(b'{"a":1}')
    assert (blob.md5.hex(), blob.crc32c_base64) == ("bb6cb5c68df4652941caf652a366f2d8", "z/fVag==")


def test_objects_are_files_that_others_can_read_and_write(tmp_path: Path) -> None:
    buckets = Buckets(tmp_path / "google.sqlite")
    buckets.make("b")
    buckets.write("b", "runs/1/model.json", b"{}")
    (tmp_path / "google.buckets" / "b" / "by-hand.txt").write_text("x")
    assert buckets.objects("b") == ["by-hand.txt", "runs/1/model.json"]
    buckets.delete("b", "runs/1/model.json")
    assert not (tmp_path / "google.buckets" / "b" / "runs").exists()
    assert buckets.read("b", "runs/1/model.json") is None


@pytest.mark.parametrize("name", ["../outside", "/absolute", ""])
def test_no_name_leads_out_of_its_bucket(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInputError):
        Buckets(tmp_path / "google.sqlite").write("b", name, b"x")
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_a_folder_already_is_refused_in_words(tmp_path: Path) -> None:
    buckets = Buckets(tmp_path / "google.sqlite")
    buckets.write("b", "a/b", b"x")
    with pytest.raises(BadInputError, match="cannot hold both"):
        buckets.write("b", "a/b/c", b"x")


def test_what_is_made_in_one_wave_is_there_only_after_it() -> None:
    settling = Settling(quiet_s=0.001, longest_s=math.inf)

    def make() -> None:
        with settling.request() as change:
            change.made.add("network")

    maker = threading.Thread(target=make)
    with settling.request():  # while it lasts the wave does, however long the maker has been done
        maker.start()
        while not settling.being_made("network"):
            assert maker.is_alive()
    maker.join()
    assert not settling.being_made("network")


def test_a_refused_request_does_not_wait() -> None:
    with Settling(quiet_s=math.inf, longest_s=math.inf).request():
        pass
