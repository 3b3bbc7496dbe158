"""Filters of Cloud Logging and of Cloud Monitoring, as far as alerts, metrics and listings use them.

Logging: comparisons (`=`, `!=`, `<`, `<=`, `>`, `>=`, `:`, `=~`, `!~`), `AND`, `OR`, `NOT`, `-`, parentheses, lists of
values, nested and quoted fields, severities in their order, `log_id()`, and a bare text anywhere in the entry. `OR`
binds closer than `AND`, two terms in a row are joined by `AND`; texts compare without regard to case, regular
expressions with; an absent field fails every comparison. Monitoring: `=`, `!=`, `AND`, `OR`, `NOT` and its functions
on values.

Source: Cloud Logging, "Logging query language"; Cloud Monitoring, "Monitoring filters".
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from fonderie.core.errors import BadInputError

Test = Callable[[Mapping[str, Any]], bool]
Matches = Callable[[Any], bool]

SEVERITIES = ("DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY")
_TOKEN = re.compile(
    r"""\s*(?:--[^\n]*\n?\s*)*(?:
        (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<operator>=~|!~|!=|<=|>=|[=<>:])
      | (?P<mark>[().,-](?![0-9]))
      | (?P<word>[^\s"'()=<>:!,.]+(?:\.(?=[0-9])[0-9]+)?)
      | (?P<end>\Z)
    )""",
    re.VERBOSE,
)
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_VALUE_FUNCTIONS: dict[str, Callable[[str, str], bool]] = {
    "starts_with": str.startswith,
    "ends_with": str.endswith,
    "has_substring": operator.contains,
}


def logging_filter(text: str) -> Test:
    """What says whether a log entry (as in the API's JSON) matches. An empty filter matches everything.

    Raises BadInputError for what is not a query, or not one of the subset above.
    """
    return _Parser(text, monitoring=False).whole()


def monitoring_filter(text: str) -> Test:
    """What says whether a time series (`metric`, `resource`, as in the API's JSON) matches. Raises BadInputError."""
    return _Parser(text, monitoring=True).whole()


class _Parser:
    def __init__(self, text: str, *, monitoring: bool) -> None:
        self.text, self.monitoring, self.at = text, monitoring, 0
        self.tokens = list(self._tokens())

    def _tokens(self) -> Iterator[tuple[str, str]]:
        place = 0
        while match := _TOKEN.match(self.text, place):
            kind = str(match.lastgroup)
            yield kind, match[kind]
            if kind == "end":
                return
            place = match.end()
        raise BadInputError(f"not a filter: {self.text[place : place + 20]!r} at character {place}", where=self.text)

    def whole(self) -> Test:
        if self.tokens[0][0] == "end":
            return lambda _: True
        test = self.conjunction()
        if self.tokens[self.at][0] != "end":
            raise self.unexpected()
        return test

    def conjunction(self) -> Test:
        terms = [self.disjunction()]
        while self.tokens[self.at] not in {("end", ""), ("mark", ")")}:
            if self.peek("AND"):
                self.at += 1
            terms.append(self.disjunction())
        return lambda entry: all(term(entry) for term in terms)

    def disjunction(self) -> Test:
        terms = [self.term()]
        while self.peek("OR"):
            self.at += 1
            terms.append(self.term())
        return lambda entry: any(term(entry) for term in terms)

    def term(self) -> Test:
        if self.peek("NOT") or self.tokens[self.at] == ("mark", "-"):
            self.at += 1
            inner = self.term()
            return lambda entry: not inner(entry)
        if self.accept("("):
            inner = self.conjunction()
            self.expect(")")
            return inner
        kind, value = self.next()
        if kind not in {"word", "text"}:
            raise self.unexpected(back=1)
        if kind == "word" and self.accept("("):
            return self.function(value)
        path = [_unquoted(kind, value)]
        while self.accept("."):
            path.append(_unquoted(*self.next()))
        if self.tokens[self.at][0] != "operator":
            return _anywhere(".".join(path))
        return self.comparison(path, self.next()[1])

    def function(self, name: str) -> Test:
        argument = _unquoted(*self.next())
        self.expect(")")
        if name != "log_id" or self.monitoring:
            raise BadInputError(f"unknown function {name!r} in a filter", where=self.text)
        wanted = f"/logs/{quote(argument, safe='')}"
        return lambda entry: str(entry.get("logName", "")).endswith(wanted)

    def comparison(self, path: list[str], sign: str) -> Test:
        matches = self.values(sign, path)

        def test(entry: Mapping[str, Any]) -> bool:
            return any(matches(value) for value in _at(entry, path))

        return test

    def values(self, sign: str, path: list[str]) -> Matches:
        if not self.accept("("):
            return self.value(sign, path)
        terms: list[Matches] = []
        alternatives: list[Matches] = []
        while True:
            negative = self.peek("NOT")
            self.at += negative
            inner = self.values(sign, path)
            alternatives.append(_negated(inner) if negative else inner)
            if self.peek("OR"):
                self.at += 1
                continue
            terms.append(_any_of(tuple(alternatives)))
            alternatives = []
            if self.peek("AND"):
                self.at += 1
            elif self.accept(")"):
                return lambda value: all(term(value) for term in terms)

    def value(self, sign: str, path: list[str]) -> Matches:
        kind, raw = self.next()
        if self.monitoring and kind == "word" and self.accept("("):
            function = _VALUE_FUNCTIONS.get(raw)
            argument = _unquoted(*self.next())
            self.expect(")")
            if function is None or sign not in {"=", "!="}:
                raise BadInputError(f"unknown function {raw!r} in a filter", where=self.text)
            return lambda value: function(str(value), argument) is (sign == "=")
        if kind == "mark" and raw == "-":
            raw = f"-{self.next()[1]}"
        elif kind not in {"word", "text"}:
            raise self.unexpected(back=1)
        return _comparison(
            sign, _unquoted(kind, raw), severity=path == ["severity"], exists=(kind, raw) == ("word", "*")
        )

    def peek(self, word: str) -> bool:
        return self.tokens[self.at] == ("word", word)

    def accept(self, mark: str) -> bool:
        if self.tokens[self.at] != ("mark", mark):
            return False
        self.at += 1
        return True

    def expect(self, mark: str) -> None:
        if not self.accept(mark):
            raise self.unexpected()

    def next(self) -> tuple[str, str]:
        token = self.tokens[self.at]
        if token[0] == "end":
            raise self.unexpected()
        self.at += 1
        return token

    def unexpected(self, back: int = 0) -> BadInputError:
        token = self.tokens[self.at - back][1] or "the end"
        return BadInputError(f"not a filter: unexpected {token!r}", where=self.text)


def _negated(matches: Matches) -> Matches:
    return lambda value: not matches(value)


def _any_of(options: tuple[Matches, ...]) -> Matches:
    return lambda value: any(option(value) for option in options)


def _unquoted(kind: str, value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if kind == "text" else value


def _at(entry: Any, path: list[str]) -> list[Any]:
    """The values at a path; in every element of a list, nothing where there is no such field."""
    values = [entry]
    for step in path:
        values = [value[step] for value in values if isinstance(value, Mapping) and value.get(step) is not None]
        values = [item for value in values for item in (value if isinstance(value, list) else [value])]
    return values


def _comparison(sign: str, wanted: str, *, severity: bool, exists: bool) -> Matches:
    match sign:
        case "=~" | "!~":
            pattern = re.compile(wanted)
            return lambda value: (pattern.search(str(value)) is not None) is (sign == "=~")
        case ":" if exists:
            return lambda _: True
        case ":":
            return lambda value: wanted.lower() in _text(value).lower()
        case "=" | "!=":
            return lambda value: (_ordered(value, severity) == _ordered(wanted, severity)) is (sign == "=")
        case _:
            order = _ORDER[sign]

            def compare(value: Any) -> bool:
                left, right = _ordered(value, severity), _ordered(wanted, severity)
                return type(left) is type(right) and order(left, right)

            return compare


def _ordered(value: Any, severity: bool) -> Any:
    """A value that compares as Logging does: severities by rank, times, numbers, and texts in lower case."""
    text = _text(value)
    if severity and text.upper() in SEVERITIES:
        return float(SEVERITIES.index(text.upper()) * 100)
    try:
        return float(text)
    except ValueError:
        pass
    if re.match(r"\d{4}-\d{2}-\d{2}T", text):
        try:
            return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
        except ValueError:
            pass
    return text.lower()


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _anywhere(text: str) -> Test:
    wanted = text.lower()

    def inside(value: Any) -> bool:
        if isinstance(value, Mapping):
            return any(inside(item) for item in value.values())
        if isinstance(value, list):
            return any(inside(item) for item in value)
        return wanted in _text(value).lower()

    return inside
