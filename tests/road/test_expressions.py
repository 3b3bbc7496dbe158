"""The expression evaluator beside GitHub's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.road.expressions import ExpressionError, evaluate, interpolate

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "github" / "expressions.json").read_text())


@pytest.mark.parametrize(("expression", "value"), RECORDED["values"].items())
def test_an_expression_has_the_value_that_githubs_evaluator_gives(expression: str, value: Any) -> None:
    answered = evaluate(expression, RECORDED["contexts"])
    assert (answered, isinstance(answered, bool)) == (value, isinstance(value, bool))


@pytest.mark.parametrize("expression", RECORDED["refused"])
def test_what_github_refuses_is_refused(expression: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(expression, RECORDED["contexts"])


def test_a_text_around_expressions_is_kept() -> None:
    written = {"name": "${{ matrix.environment }}-plan", "whole": "${{ fromJSON(needs.environments.outputs.names) }}"}
    assert interpolate(written, RECORDED["contexts"]) == {"name": "dev-plan", "whole": ["dev", "prod"]}
