"""GitHub's expressions (`${{ ... }}`), as far as our workflows use them; what they do not use is refused by name.

Source: GitHub, "Evaluate expressions in workflows and actions". The answers in `tests/data/github/expressions.json` are
those of GitHub's own evaluator, the npm package @actions/expressions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<name>[A-Za-z_][\w-]*)|(?P<sign>==|!=|&&|\|\||[!().,\[\]]))"
)
_CONSTANTS = {"true": True, "false": False, "null": None}
_WHOLE = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)


class ExpressionError(Exception):
    """An expression that is wrong, or that this evaluator does not know."""


def evaluate(text: str, contexts: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]] | None = None) -> Any:
    """The value of an expression, without its braces."""
    return _Parser(text, contexts, {**_FUNCTIONS, **(functions or {})}).value()


def interpolate(value: Any, contexts: Mapping[str, Any]) -> Any:
    """A value of a workflow with its expressions evaluated; one that is nothing but an expression keeps its type."""
    if isinstance(value, dict):
        return {key: interpolate(each, contexts) for key, each in value.items()}
    if isinstance(value, list):
        return [interpolate(each, contexts) for each in value]
    if not isinstance(value, str):
        return value
    expressions = _WHOLE.findall(value)
    if len(expressions) == 1 and value.strip() == f"${{{{{expressions[0]}}}}}":
        return evaluate(expressions[0], contexts)
    return _WHOLE.sub(lambda match: as_text(evaluate(match[1], contexts)), value)


def as_text(value: Any) -> str:
    """As GitHub writes a value into a string."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float | int):
        return f"{value:g}"
    return value if isinstance(value, str) else "Array" if isinstance(value, list) else "Object"


def true(value: Any) -> bool:
    """Falsy are false, 0, '' and null."""
    return isinstance(value, dict | list) or bool(value)


def _number(value: Any) -> float:
    if value is None:
        return 0.0
    if isinstance(value, str):
        try:
            return float(value.strip() or 0)
        except ValueError:
            return float("nan")
    return float(value) if isinstance(value, bool | int | float) else float("nan")


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        return left.casefold() == right.casefold()
    if isinstance(left, dict | list) or isinstance(right, dict | list):
        return left is right
    if left is None and right is None:
        return True
    return _number(left) == _number(right)


def _contains(where: Any, what: Any) -> bool:
    if isinstance(where, list):
        return any(_equal(each, what) for each in where)
    return as_text(what).casefold() in as_text(where).casefold()


def _from_json(text: Any) -> Any:
    try:
        return json.loads(as_text(text))
    except ValueError as error:
        raise ExpressionError(f"fromJSON of {as_text(text)!r}: {error}") from error


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {"fromjson": _from_json, "contains": _contains}


class _Parser:
    """Recursive descent: or, and, comparison, not, member, atom. Both sides of && and || are evaluated."""

    def __init__(self, text: str, contexts: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]]) -> None:
        self.text, self.contexts, self.functions = text.strip(), contexts, functions
        self.tokens: list[tuple[str, str]] = []
        place = 0
        while place < len(self.text):
            match = _TOKEN.match(self.text, place)
            if match is None or match.lastgroup is None:
                raise ExpressionError(f"unknown sign {self.text[place:].strip()[:1]!r} in {self.text!r}")
            self.tokens.append((match.lastgroup, match[match.lastgroup]))
            place = match.end()
        self.tokens.append(("end", ""))

    def value(self) -> Any:
        result = self._or()
        self._want("")
        return result

    def _next(self, *signs: str) -> str:
        kind, text = self.tokens[0]
        if kind == "sign" and text in signs:
            self.tokens.pop(0)
            return text
        return ""

    def _want(self, sign: str) -> None:
        if self.tokens[0][1] != sign or self.tokens[0][0] not in ("sign", "end"):
            raise ExpressionError(f"{sign or 'the end'} expected at {self.tokens[0][1]!r} in {self.text!r}")
        self.tokens.pop(0)

    def _or(self) -> Any:
        value = self._and()
        while self._next("||"):
            other = self._and()
            value = value if true(value) else other
        return value

    def _and(self) -> Any:
        value = self._comparison()
        while self._next("&&"):
            other = self._comparison()
            value = other if true(value) else value
        return value

    def _comparison(self) -> Any:
        value = self._not()
        while sign := self._next("==", "!="):
            value = _equal(value, self._not()) == (sign == "==")
        return value

    def _not(self) -> Any:
        return not true(self._not()) if self._next("!") else self._member()

    def _member(self) -> Any:
        value = self._atom()
        while sign := self._next(".", "["):
            if sign == ".":
                kind, key = self.tokens.pop(0)
                if kind != "name":
                    raise ExpressionError(f"a name expected after the dot in {self.text!r}")
            else:
                key = self._or()
                self._want("]")
            value = _at(value, key)
        return value

    def _atom(self) -> Any:
        if self._next("("):
            value = self._or()
            self._want(")")
            return value
        kind, text = self.tokens.pop(0)
        if kind == "text":
            return text[1:-1].replace("''", "'")
        if kind == "number":
            return float(text)
        if kind != "name":
            raise ExpressionError(f"a value expected at {text!r} in {self.text!r}")
        if self._next("("):
            return self._call(text)
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        if text.lower() not in self.contexts:
            raise ExpressionError(f"unknown context {text!r} in {self.text!r}")
        return self.contexts[text.lower()]

    def _call(self, name: str) -> Any:
        arguments = []
        if not self._next(")"):
            arguments = [self._or()]
            while self._next(","):
                arguments.append(self._or())
            self._want(")")
        if name.lower() not in self.functions:
            raise ExpressionError(f"unknown function {name!r} in {self.text!r}")
        return self.functions[name.lower()](*arguments)


def _at(value: Any, key: Any) -> Any:
    if isinstance(value, Mapping):
        return next((each for name, each in value.items() if str(name).casefold() == as_text(key).casefold()), None)
    if isinstance(value, list) and isinstance(key, float) and 0 <= int(key) < len(value):
        return value[int(key)]
    return None
