"""What changes of the synthesised configuration that no plan shows: as whom Terraform acts, what it runs.

Both sides' `cdk.tf.json` are compared. What the plan shows (arguments and outputs) is left out, and what belongs to a
resource that comes or goes, but for the programs that run beside it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ci.preview.masking.values import Reader, shown
from ci.preview.report import ConfigurationChange
from fonderie.terraform.configuration import ARGUMENTS, META, Pieces, pieces
from fonderie.terraform.plan import StackPlan

_COMMENT = "//"
_IN_THE_PLAN = ("output", "variable", "locals", _COMMENT)
_ORDER_ONLY = ("depends_on",)
_IDENTITY = ("impersonate_service_account", "impersonate_service_account_delegates", "credentials", "access_token",
             "external_credentials", "user_project_override", "billing_project")  # fmt: skip
_PROGRAMS = ("data.external", "data.http")
_LONGEST = 200


def configuration_changes(plan: StackPlan, base: Mapping[str, Any], reader: Reader) -> list[ConfigurationChange]:
    """Of one stack, what deserves a second look first."""
    old, new = pieces(base), pieces(plan.configuration)
    rows = [
        ConfigurationChange(
            environment=plan.environment,
            stack=plan.stack,
            what=reader.plain(what),
            before=_text(before, what, reader),
            after=_text(after, what, reader),
            alarm=_alarm(what, before, after),
        )
        for name in sorted(old.keys() | new.keys())
        for what, before, after in _differences(name, old, new)
    ]
    return sorted(rows, key=lambda row: not row.alarm)


def _text(value: Any, what: str, reader: Reader) -> str | None:
    return None if value is None else shown(reader.tree(value, name=what.rpartition(".")[2]), _LONGEST)


def _differences(name: str, old: Pieces, new: Pieces) -> Iterator[tuple[str, Any, Any]]:
    """(what, before, after) of a piece, key by key where both sides have keys."""
    before, after = old.get(name), new.get(name)
    if before == after and json.dumps(before, sort_keys=True) == json.dumps(after, sort_keys=True):
        return
    kind, last = name.partition(".")[0], name.rpartition(".")[2]
    if kind in _IN_THE_PLAN or last in _ORDER_ONLY or (kind == "resource" and last not in META):
        return
    comes_or_goes = kind == "resource" and not _both(name, old, new)
    if comes_or_goes and last not in ("provisioner", "connection"):
        return
    name = name.removeprefix("resource.")
    if isinstance(before or {}, dict) and isinstance(after or {}, dict) and (before or after):
        sides = before or {}, after or {}
        for key in sorted((sides[0].keys() | sides[1].keys()) - {_COMMENT}):
            if sides[0].get(key) != sides[1].get(key):
                yield f"{name}.{key}", sides[0].get(key), sides[1].get(key)
    else:
        yield name, before, after


def _both(name: str, old: Pieces, new: Pieces) -> bool:
    arguments = f"{name.rpartition('.')[0]}.{ARGUMENTS}"
    return arguments in old and arguments in new


def _alarm(what: str, before: Any, after: Any) -> str:
    """Why a change deserves a second look; empty when it does not."""
    first, last = what.partition(".")[0], what.rpartition(".")[2]
    match first:
        case "provider" if after is not None and (last in _IDENTITY or last.endswith("_custom_endpoint")):
            return "Terraform would act as another, or speak to another"
        case "terraform" if ".backend." in what:
            return "the state is kept elsewhere: Terraform would forget what it manages"
        case "terraform" if ".required_providers." in what and last == "source":
            return "another provider's program would run"
        case "module" | "action" | "ephemeral" if after is not None:
            return "what it does is not in the plan" if first != "module" else "its code is not in this repository"
        case "check" if after is None:
            return "a check is gone"
        case "data" if what.startswith(_PROGRAMS) and after is not None:
            return "a program would run, or another host would be asked, at every plan"
        case "removed" if after is not None:
            return "Terraform would forget what it manages"
    return _of_a_resource(what, last, before, after)


def _of_a_resource(what: str, last: str, before: Any, after: Any) -> str:
    if last in ("provisioner", "connection") and after is not None:
        return "a program would run with the rights of who applies"
    if ".lifecycle." not in what:
        return ""
    match last:
        case "prevent_destroy" if before is True:
            return "its protection against destroying is gone"
        case "ignore_changes" if after == "all" or _more(before, after):
            return "changes made by hand would stay unseen"
        case "precondition" | "postcondition" if before is not None:
            return "a gate is loosened"
    return ""


def _more(before: Any, after: Any) -> bool:
    return isinstance(after, list) and before != "all" and bool({*map(str, after)} - {*map(str, before or ())})
