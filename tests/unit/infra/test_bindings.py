"""How the generated bindings are used, and that nothing but `infra/bindings.py` knows which core is behind them."""

from __future__ import annotations

import ast
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fonderie.core.errors import BadInputError, MissingToolError
from fonderie.core.resource_types import types_in_use
from infra.bindings import ROOT, App, TerraformStack, literal, require_bindings

SOURCES = [path for folder in ("constructs", "stacks") for path in sorted((ROOT / "infra" / folder).glob("*.py"))] + [
    ROOT / "infra" / "bindings.py",
    ROOT / "infra" / "main.py",
]


def dicts_in_lists(source: str) -> Iterator[int]:
    """Lines where a dict stands inside a list that is an argument of a class of the bindings.

    jsii drops the keys of such a dict without a word (`cors=[{"max_age_seconds": 3}]` becomes `[{}]`).
    """
    tree = ast.parse(source)
    bound = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("imports.google")
        for alias in node.names
    }
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        if name not in bound:
            continue
        for value in (keyword.value for keyword in call.keywords):
            for inner in ast.walk(value):
                items = inner.elts if isinstance(inner, ast.List | ast.Tuple) else []
                items = [inner.elt] if isinstance(inner, ast.ListComp) else items
                yield from (item.lineno for item in items if isinstance(item, ast.Dict))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_no_dict_stands_in_a_list_argument_of_a_binding(path: Path) -> None:
    assert list(dicts_in_lists(path.read_text())) == []


def test_the_lint_finds_a_dict_in_a_list() -> None:
    source = (
        "from imports.google.storage_bucket import StorageBucket\nStorageBucket(s, 'x', cors=[{'max_age_seconds': 3}])"
    )
    comprehension = "from imports.google.x import X\nX(s, 'x', rules=[{'a': b} for b in c])"
    assert list(dicts_in_lists(source)) == [2]
    assert list(dicts_in_lists(comprehension)) == [2]
    assert list(dicts_in_lists("def f(x): ...\nf(x=[{}])")) == []


@pytest.mark.parametrize("path", sorted((ROOT / "infra").rglob("*.py")), ids=lambda path: path.name)
def test_only_one_module_names_the_core(path: Path) -> None:
    if path.name == "bindings.py":
        return
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not {name.partition(".")[0] for name in names} & {"cdktf", "cdktn", "constructs"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_bindings_are_imported_one_module_a_resource(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            assert not any(alias.name.startswith("imports") for alias in node.names)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("imports"):
            assert (node.module or "").count(".") == 2


def test_text_for_terraform_is_taken_character_by_character() -> None:
    assert literal("a ${b} %{c} $d {e}") == "a $${b} %%{c} $d {e}"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"name": 3, "location": "EU"}, "name"),
        ({"name": "b", "location": "EU", "force_destroy": "yes"}, "forceDestroy"),
        ({"name": "b", "location": "EU", "versioning": "on"}, "versioning"),
        ({"name": "b", "location": "EU", "labels": {"a": 1}}, "labels"),
        ({"name": "b", "location": "EU", "lifecycle_rule": "never"}, "lifecycleRule"),
        ({"name": "b", "location": "EU", "versioning": {"enable": True}}, "enable"),
        ({"name": "b"}, "location"),
        ({"name": "b", "location": "EU", "locatoin": "EU"}, "locatoin"),
    ],
)
def test_a_wrong_argument_is_refused_when_it_is_given(tmp_path: Path, arguments: dict[str, Any], said: str) -> None:
    from imports.google.storage_bucket import StorageBucket

    stack = TerraformStack(App(outdir=str(tmp_path)), "stack")
    with pytest.raises((RuntimeError, TypeError), match=said):
        StorageBucket(stack, "bucket", **arguments)


def copied(root: Path) -> Path:
    """What `require_bindings` looks at, without the bindings themselves."""
    provider = root / "fonderie" / "sandbox" / "provider"
    provider.mkdir(parents=True)
    shutil.copy(ROOT / "cdktf.json", root)
    for path in (ROOT / "fonderie" / "sandbox" / "provider").glob("google@*.json"):
        shutil.copy(path, provider)
    return root


def generated(root: Path, version: str = "7.45.0", without: str = "") -> Path:
    """The same with empty bindings of `version`."""
    for name in (each.removeprefix("google_") for each in types_in_use()):
        if name != without:
            (root / "imports" / "google" / name).mkdir(parents=True)
    (root / "imports" / "constraints.json").write_text(
        json.dumps({"cdktf": "0.21.0", "providers": {"google": version}})
    )
    return root


def test_bindings_that_fit_are_accepted(tmp_path: Path) -> None:
    require_bindings(generated(copied(tmp_path)))


def test_bindings_that_were_not_generated_are_missed(tmp_path: Path) -> None:
    with pytest.raises(MissingToolError, match=r"not generated.*make bindings"):
        require_bindings(copied(tmp_path))


def test_bindings_of_another_version_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingToolError, match=r"are of google 7\.44\.0"):
        require_bindings(generated(copied(tmp_path), "7.44.0"))


def test_bindings_without_a_type_in_use_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingToolError, match="lack storage_bucket"):
        require_bindings(generated(copied(tmp_path), without="storage_bucket"))


def test_a_schema_older_than_the_pin_is_refused(tmp_path: Path) -> None:
    root = generated(copied(tmp_path))
    pinned = (root / "cdktf.json").read_text().replace("google@7.45.0", "google@7.46.0")
    (root / "cdktf.json").write_text(pinned)
    with pytest.raises(BadInputError, match=r"pins hashicorp/google@7\.46\.0"):
        require_bindings(root)
