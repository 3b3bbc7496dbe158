"""A small interpreter of Google Cloud Workflows: the steps and functions that our workflow uses, and no others.

Anything it does not know raises, so that a workflow that outgrows it says so. Source: Workflows, "Syntax overview" and
"Standard library overview".
"""

from __future__ import annotations

import ast
import base64
import copy
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

Scope = dict[str, Any]
Calls = Mapping[str, Callable[..., Any]]
"""`http.post` and the like: keyword arguments in, the result out."""


TRANSIENT = {429, 502, 503, 504}
"""What `http.default_retry` tries again, five times. Source: Workflows, "http.default_retry"."""


class WorkflowError(Exception):
    """What a workflow raises: a text, or a map with `code` and `tags`."""

    def __init__(self, value: Any) -> None:
        super().__init__(value)
        self.value = value


class _ReturnError(Exception):  # how `return` leaves nested steps
    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


class _JumpError(Exception):  # how `next` leaves for a step of this list of steps, or of one around it
    def __init__(self, to: str) -> None:
        super().__init__(to)
        self.to = to


def run(workflow: Mapping[str, Any], event: Any, env: Mapping[str, str], calls: Calls, now: float = 0.0) -> Any:
    """What `main` returns for an event, at `now` in seconds since 1970. Raises WorkflowError."""
    main = copy.deepcopy(workflow["main"])  # an assignment changes a literal map of the text
    interpreter = _Interpreter(env, calls, now)
    try:
        interpreter.steps(main["steps"], {main["params"][0]: event})
    except _ReturnError as returned:
        return returned.value
    return None


class _Interpreter:
    def __init__(self, env: Mapping[str, str], calls: Calls, now: float) -> None:
        self.env, self.calls, self.now = env, calls, now

    def steps(self, steps: list[dict[str, Any]], scope: Scope) -> None:
        names, at = [name for step in steps for name in step], 0
        while at < len(steps):
            body = dict(steps[at][names[at]])
            to = body.pop("next", None)
            try:
                self.step(body, scope)
                if to is not None:
                    raise _JumpError(to)
            except _JumpError as jump:
                if jump.to not in names:
                    raise
                at = names.index(jump.to)
            else:
                at += 1

    def step(self, body: Mapping[str, Any], scope: Scope) -> None:
        match body:
            case {"assign": assignments}:
                for assignment in assignments:
                    ((name, value),) = assignment.items()
                    _assign(scope, name, self.value(value, scope))
            case {"switch": cases}:
                chosen = next((each for each in cases if self.value(each["condition"], scope)), None)
                if chosen and "next" in chosen:
                    raise _JumpError(chosen["next"])
                if chosen:
                    self.step({key: value for key, value in chosen.items() if key != "condition"}, scope)
            case {"call": name, **rest}:
                arguments = self.value(rest.pop("args", {}), scope)
                result = None if name == "sys.log" and name not in self.calls else self.calls[name](**arguments)
                if "result" in rest:
                    scope[rest["result"]] = result
            case {"try": attempt, "except": handler, **rest}:
                try:
                    self.attempt(attempt, rest.pop("retry", None), scope)
                except WorkflowError as error:
                    scope[handler["as"]] = error.value
                    self.steps(handler["steps"], scope)
                    del scope[handler["as"]]
            case {"raise": value}:
                raise WorkflowError(self.value(value, scope))
            case {"return": value}:
                raise _ReturnError(self.value(value, scope))
            case {"steps": steps}:
                self.steps(steps, scope)
            case _:
                raise NotImplementedError(f"a step with {', '.join(body)}")

    def attempt(self, step: Mapping[str, Any], retry: str | None, scope: Scope) -> None:
        assert retry in (None, "${http.default_retry}")
        for left in reversed(range(6 if retry else 1)):
            try:
                return self.step(step, scope)
            except WorkflowError as error:
                if not left or not isinstance(error.value, dict) or error.value["code"] not in TRANSIENT:
                    raise
        return None

    def value(self, value: Any, scope: Scope) -> Any:
        if isinstance(value, dict):
            return {key: self.value(each, scope) for key, each in value.items()}
        if isinstance(value, str) and (match := re.fullmatch(r"\$\{(.*)\}", value, re.DOTALL)):
            return self.expression(ast.parse(match[1], mode="eval").body, scope)
        return value

    def expression(self, node: ast.expr, scope: Scope) -> Any:
        match node:
            case ast.Constant(value):
                return value
            case ast.Name(name):
                return scope[name]
            case ast.Attribute(value, name):
                return self.expression(value, scope)[name]
            case ast.Subscript(value, key):
                return self.expression(value, scope)[self.expression(key, scope)]
            case ast.BinOp(left, ast.Add(), right):
                return self.expression(left, scope) + self.expression(right, scope)
            case ast.BoolOp(ast.And(), parts):
                return all(self.expression(part, scope) for part in parts)
            case ast.BoolOp(ast.Or(), parts):
                return any(self.expression(part, scope) for part in parts)
            case ast.Compare(left, [ast.In()], [right]):
                return self.expression(left, scope) in self.expression(right, scope)
            case ast.Compare(left, [ast.Eq()], [right]):
                return self.expression(left, scope) == self.expression(right, scope)
            case ast.UnaryOp(ast.Not(), operand):
                return not self.expression(operand, scope)
            case ast.Call(function, arguments):
                return self.function(ast.unparse(function))(*(self.expression(each, scope) for each in arguments))
            case _:
                raise NotImplementedError(ast.unparse(node))

    def function(self, name: str) -> Callable[..., Any]:
        return {
            "json.decode": json.loads,
            "base64.decode": base64.b64decode,
            "sys.get_env": lambda key: self.env[key],
            "map.get": lambda table, key: table.get(key),
            "sys.now": lambda: self.now,
            "time.format": lambda seconds: datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z"),
            "text.substring": lambda text, start, end: text[start:end],
            "default": lambda value, other: other if value is None else value,
            "string": str,
            "text.match_regex": lambda text, pattern: re.search(pattern, text) is not None,
            "text.replace_all": lambda text, old, new: text.replace(old, new),
            "text.url_encode": lambda text: quote(text, safe=""),
        }[name]


def _assign(scope: Scope, name: str, value: Any) -> None:
    """`a.b` sets a key of the map `a`."""
    *path, last = name.split(".")
    target: Any = scope
    for part in path:
        target = target[part]
    target[last] = value
