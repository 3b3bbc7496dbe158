"""A small interpreter of Google Cloud Workflows: the steps and functions that our workflow uses, and no others.

Anything it does not know raises, so that a workflow that outgrows it says so. Source: Workflows, "Syntax overview" and
"Standard library overview".
"""

from __future__ import annotations

import ast
import base64
import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

Scope = dict[str, Any]
Calls = Mapping[str, Callable[..., Any]]
"""`http.post` and the like: keyword arguments in, the result out."""


class WorkflowError(Exception):
    """What a workflow raises: a text, or a map with `code` and `tags`."""

    def __init__(self, value: Any) -> None:
        super().__init__(value)
        self.value = value


class _ReturnError(Exception):  # how `return` leaves nested steps
    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


def run(workflow: Mapping[str, Any], event: Any, env: Mapping[str, str], calls: Calls) -> Any:
    """What `main` returns for an event. Raises WorkflowError."""
    main = workflow["main"]
    interpreter = _Interpreter(env, calls)
    try:
        interpreter.steps(main["steps"], {main["params"][0]: event})
    except _ReturnError as returned:
        return returned.value
    return None


class _Interpreter:
    def __init__(self, env: Mapping[str, str], calls: Calls) -> None:
        self.env, self.calls = env, calls

    def steps(self, steps: list[dict[str, Any]], scope: Scope) -> None:
        for step in steps:
            ((_, body),) = step.items()
            self.step(body, scope)

    def step(self, body: Mapping[str, Any], scope: Scope) -> None:
        match body:
            case {"assign": assignments}:
                for assignment in assignments:
                    ((name, value),) = assignment.items()
                    _assign(scope, name, self.value(value, scope))
            case {"switch": cases}:
                chosen = next((each for each in cases if self.value(each["condition"], scope)), None)
                if chosen:
                    self.step({key: value for key, value in chosen.items() if key != "condition"}, scope)
            case {"call": name, **rest}:
                arguments = self.value(rest.pop("args", {}), scope)
                result = None if name == "sys.log" and name not in self.calls else self.calls[name](**arguments)
                if "result" in rest:
                    scope[rest["result"]] = result
            case {"try": attempt, "except": handler}:
                try:
                    self.step(attempt, scope)
                except WorkflowError as error:
                    self.steps(handler["steps"], scope | {handler["as"]: error.value})
            case {"raise": value}:
                raise WorkflowError(self.value(value, scope))
            case {"return": value}:
                raise _ReturnError(self.value(value, scope))
            case {"steps": steps}:
                self.steps(steps, scope)
            case _:
                raise NotImplementedError(f"a step with {', '.join(body)}")

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
            case ast.Dict([], []):
                return {}
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
            "default": lambda value, other: other if value is None else value,
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
