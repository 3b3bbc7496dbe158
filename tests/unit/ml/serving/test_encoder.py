from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.serving.scoring.encoder import BodyError, Encoder, Matrix
from ml.serving.scoring.schema import Field, Kind, Schema, Task
from tests.unit.ml.serving.flights import INSTANCE

SCHEMA = Schema(
    "air_time",
    Task.REGRESSION,
    (
        *(Field(name, Kind.NUMERIC) for name in ("distance", "sched_dep_min", "temp", "wind_speed")),
        Field("origin", Kind.CATEGORICAL, ("EWR", "JFK", "LGA")),
        Field("dest", Kind.CATEGORICAL, tuple(f"D{number:02d}" for number in range(40))),
    ),
)
ENCODER = Encoder(SCHEMA, max_instances=3)


def body(*instances: Any) -> bytes:
    return json.dumps({"instances": instances}).encode()


def test_instances_become_rows_in_the_order_of_the_schema() -> None:
    shuffled = dict(reversed(INSTANCE.items())) | {"of_another_version": 1}

    matrix = ENCODER.decode(body(INSTANCE, shuffled))

    assert matrix.shape == (2, 6)
    for row in matrix.tolist():
        assert row[:3] == [733.0, 610.0, 41.5]
        assert math.isnan(row[3])
        assert row[4:] == [1.0, 7.0]


def test_parsed_instances_encode_like_their_json() -> None:
    assert ENCODER.encode([INSTANCE]).tobytes() == ENCODER.decode(body(INSTANCE)).tobytes()


@pytest.mark.parametrize(
    ("instance", "path", "words"),
    [
        (INSTANCE | {"dest": "Atlantis"}, "$.instances[1].dest", "unknown category 'Atlantis'"),
        (INSTANCE | {"temp": "41"}, "$.instances[1].temp", "got str"),
        (INSTANCE | {"temp": True}, "$.instances[1].temp", "got bool"),
        (INSTANCE | {"temp": [1]}, "$.instances[1].temp", "got array"),
        (INSTANCE | {"origin": 3}, "$.instances[1].origin", "got int"),
        ({key: INSTANCE[key] for key in INSTANCE if key != "temp"}, "$.instances[1].temp", "missing"),
        (17, "$.instances[1]", "Expected object"),
    ],
)
def test_a_wrong_field_is_named_by_its_json_path(instance: Any, path: str, words: str) -> None:
    for call in (lambda: ENCODER.decode(body(INSTANCE, instance)), lambda: ENCODER.encode([INSTANCE, instance])):
        with pytest.raises(BodyError) as refused:
            call()

        assert refused.value.path == path
        assert words in refused.value.reason
        assert refused.value.status == 400


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"", "$"),
        (b"\xff\xfe\x00", "$"),
        (b"flights", "$"),
        (b"[]", "$"),
        (b"{}", "$.instances"),
        (b'{"instances": null}', "$.instances"),
        (b'{"instances": []}', "$.instances"),
        (body(*[INSTANCE] * 4), "$.instances"),
        (body(INSTANCE)[:-1], "$"),
        (body(INSTANCE) + b"}", "$"),
        (b'{"a": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", "$"),
        (body(INSTANCE).replace(b"41.5", b"NaN"), "$"),
        (body(INSTANCE).replace(b"41.5", b"-Infinity"), "$"),
        (body(INSTANCE).replace(b"41.5", b"1e999"), "$.instances[0].temp"),
        (body(INSTANCE).replace(b"41.5", b"9" * 400), "$.instances[0].temp"),
        (body(INSTANCE).replace(b"D07", b"\xc3("), "$"),
    ],
)
def test_a_wrong_body_is_refused_with_its_place(raw: bytes, path: str) -> None:
    with pytest.raises(BodyError) as refused:
        ENCODER.decode(raw)

    assert refused.value.path == path
    assert refused.value.reason


def matrix_or_refusal(raw: bytes) -> Matrix | BodyError:
    try:
        return ENCODER.decode(raw)
    except BodyError as refused:
        return refused


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["JFK", "D01"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*INSTANCE, "x"]), inner, max_size=6),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(instances=st.lists(JSON | st.fixed_dictionaries(dict.fromkeys(INSTANCE, JSON)), max_size=3))
def test_whatever_is_asked_is_a_matrix_or_a_refusal_in_words(instances: list[Any]) -> None:
    answer = matrix_or_refusal(json.dumps({"instances": instances}).encode())

    if isinstance(answer, BodyError):
        assert 400 <= answer.status < 500
        assert answer.path.startswith("$")
        assert answer.reason
    else:
        assert answer.shape == (len(instances), 6)


@pytest.mark.parametrize(
    "fields",
    [
        (),
        (Field("a", Kind.NUMERIC), Field("a", Kind.NUMERIC)),
        (Field("a", Kind.CATEGORICAL),),
        (Field("a", Kind.NUMERIC, ("b",)),),
        (Field("a\n", Kind.NUMERIC),),
    ],
)
def test_a_schema_no_request_can_satisfy_is_refused(fields: tuple[Field, ...]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # the words differ
        Schema("m", Task.REGRESSION, fields)
