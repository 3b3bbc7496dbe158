import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonderie.sandbox.planning import equivalence

NETWORK = "projects/p/global/networks/n"
LINK = f"https://www.googleapis.com/compute/v1/{NETWORK}"


@pytest.mark.parametrize(
    ("pairs", "old", "new", "equal"),
    [
        (["case"], "DOCKER", "docker", True),
        (["case"], "principalSet://a/B", "principalSet://a/b", False),
        (["link_name", "rel_name"], LINK, "n", True),
        (["link_name", "rel_name"], LINK, NETWORK, True),
        (["link_name", "rel_name"], LINK, "m", False),
        (["link_name", "rel_name"], "n", NETWORK, False),
        (["link_rel", "link_link"], LINK, NETWORK, True),
        (["link_rel", "link_link"], LINK, "n", False),
        (["link_name", "rel_name", "proj_number", "cidr_cidrform"], "b/bucket", "bucket", True),
        (["dur_unit"], "2592000s", "30d", True),
        (["dur_unit"], "10s", "10.0s", True),
        (["dur_unit"], "10s", "11s", False),
        (["dur_unit"], "soon", "soon", False),
        (["cidr_from_len"], "10.4.0.0/14", "/14", True),
        (["cidr_from_len"], "10.4.0.0/14", "/1", False),
        (["json_ws"], '{"a": 1, "b": 2}', '{"b":2,"a":1}', True),
        (["json_ws"], "{", "{", False),
        (["space", "newline"], "a AND\n b", "a AND b", True),
        (["trailing_slash"], "https://a.b", "https://a.b/", True),
        (["zero_empty"], "07:00", "7:00", True),
        (["count_one_zero"], "true", "false", True),
        (["count_one_zero"], "false", "true", False),
    ],
)
def test_a_suppression_is_recognised_by_the_pairs_it_called_equal(
    pairs: list[str], old: str, new: str, equal: bool
) -> None:
    recognised = equivalence.recognised(frozenset(pairs))
    assert recognised is not None
    assert recognised(old, new) is equal


def test_a_suppression_that_called_nothing_equal_is_not_recognised() -> None:
    assert equivalence.recognised(frozenset()) is None


@given(st.integers(0, 10**6))
def test_a_duration_is_the_same_in_every_unit(hours: int) -> None:
    assert equivalence.same_duration(f"{hours}h", f"{hours * 3600}s")
    assert equivalence.same_duration(f"{hours * 3600}s", f"{hours}h")


@given(st.text(alphabet="abcXYZ09-", min_size=1))
def test_what_is_the_same_hashes_the_same_in_a_set(name: str) -> None:
    for pairs, other in ((["case"], name.swapcase()), (["link_name", "rel_name"], f"projects/p/{name}")):
        assert equivalence.hashed(frozenset(pairs), name) == equivalence.hashed(frozenset(pairs), other)
