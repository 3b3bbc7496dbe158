"""Stacks that other code synthesised: data, until they are known to run nothing of their own when they are planned."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from ci.lifecycle.deploy import Stack, stacks_in
from ci.preview.build.synthesis import Synthesised
from fonderie.core.errors import BadInputError, RefusedError
from fonderie.core.files import write_text
from fonderie.terraform.configuration import read_configuration
from fonderie.terraform.references import part

_GOOGLE = frozenset({"hashicorp/google", "hashicorp/google-beta"})
_BUILT_IN = "terraform"
_TYPED = ("resource", "data", "ephemeral", "action")
_LABELS = {**dict.fromkeys(_TYPED, 2), "variable": 1, "output": 1, "module": 1, "check": 1, "locals": 0, "terraform": 0}
_REPEATED = ("import", "moved", "removed")
_NAME = re.compile(r"[a-z0-9-]+")
_READS_A_FILE = re.compile(r"\b(?:file\w*|templatefile)\s*(?:\(|/[/*]|#)")  # HCL takes a comment before the bracket
_BY_HAND = "plan it by hand"


def read_synthesised(
    folder: Path, base: Synthesised | None, environments: Collection[str], outdir: Path
) -> Synthesised:
    """The environments' stacks in a folder that a step without any rights has synthesised, copied into `outdir`.

    Only `cdk.tf.json` is copied: Terraform reads whatever else lies beside it. Raises RefusedError for a stack that
    would bring to the plan what base does not have (a provider, a module, another backend or provider configuration),
    that reads this machine's files, or that is not in the shape that cdktf writes. Who may, plans that by hand.
    """
    stacks = []
    for stack in stacks_in(folder):
        if not _NAME.fullmatch(stack.name):
            raise BadInputError(f"invalid stack name {stack.name!r}", where=folder, hint="a-z, 0-9 and -")
        environment = next((name for name in environments if stack.name.startswith(f"{name}-")), None)
        if environment is None:
            continue
        file = (stack.folder / "cdk.tf.json").resolve()
        if not file.is_relative_to(folder.resolve()):
            raise BadInputError("lies outside the folder", where=stack.name)
        text = _text(file, stack.name)
        for why in _refusals(stack.name, _parsed(text, stack.name), base, environment):
            raise RefusedError(why, where=stack.name, hint=_BY_HAND)
        write_text(outdir / "stacks" / stack.name / "cdk.tf.json", text)
        stacks.append(Stack(stack.name, (outdir / "stacks" / stack.name).resolve(), stack.after))
    rows = {one.name: {"workingDirectory": f"stacks/{one.name}", "dependencies": one.after} for one in stacks}
    write_text(outdir / "manifest.json", json.dumps({"stacks": rows}))
    return Synthesised(outdir, tuple(stacks))


def _text(file: Path, stack: str) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise BadInputError(f"cannot read cdk.tf.json: {error}", where=stack) from error


def _parsed(text: str, stack: str) -> dict[str, Any]:
    """JSON that Terraform reads as Python does: of a key that is there twice, one takes both and the other the last."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(found := dict(pairs)) != len(pairs):
            raise ValueError("a key is there twice")
        return found

    try:
        read = json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise RefusedError(f"invalid cdk.tf.json: {error}", where=stack) from error
    if not isinstance(read, dict):
        raise RefusedError("invalid cdk.tf.json: not an object", where=stack)
    return read


def _refusals(stack: str, head: Mapping[str, Any], base: Synthesised | None, environment: str) -> Iterator[str]:
    yield from (f"the block {block!r} is not in the shape that cdktf writes" for block in _misshapen(head))
    known = {one.name: read_configuration(one.folder) for one in base.of(environment)} if base else {}
    own = known.get(stack, {})
    allowed = _GOOGLE | {source for each in known.values() for source in _sources(each).values()}
    yield from (f"{what} would run before it was reviewed; base has none" for what in _programs(head, own, allowed))
    alike = {stack: own} if own else known
    if _settings(head) not in [_settings(each).replace(name, stack) for name, each in alike.items()]:
        yield "the backend or a provider's configuration is not base's"
    yield from (f"{text[:80]!r} reads a file of this machine" for text in _texts(head) if _reads_a_file(text))


def _misshapen(configuration: Mapping[str, Any]) -> Iterator[str]:
    """The blocks that are unknown, or lists where cdktf writes objects: Terraform takes both, our reading does not."""
    for block, body in configuration.items():
        if block in _REPEATED or block == "provider":
            bodies = [body] if block in _REPEATED else body.values() if isinstance(body, dict) else [None]
            right = all(isinstance(each, dict) for some in bodies for each in _blocks(some))
        else:
            right = block == "//" or (block in _LABELS and _nested(body, _LABELS[block]))
        if not right:
            yield block
    if not _nested(part(configuration, "terraform").get("required_providers", {}), 1):
        yield "required_providers"
    for name, check in part(configuration, "check").items():
        if not _nested(check.get("data", {}), 2):
            yield f"check.{name}.data"


def _nested(body: Any, labels: int) -> bool:
    """Whether a block's body is an object, below as many labels."""
    return isinstance(body, dict) and (not labels or all(_nested(each, labels - 1) for each in body.values()))


def _blocks(body: Any) -> list[Any]:
    return body if isinstance(body, list) else [body]


def _settings(configuration: Mapping[str, Any]) -> str:
    """Where the state is kept and whom the providers speak to, as text. Labels and versions may change."""
    terraform = part(configuration, "terraform").items()
    kept = {key: value for key, value in terraform if key not in ("required_providers", "required_version")}
    providers = {
        name: [{key: value for key, value in block.items() if key != "default_labels"} for block in _blocks(body)]
        for name, body in part(configuration, "provider").items()
    }
    return json.dumps([kept, providers], sort_keys=True)


def _texts(value: Any) -> Iterator[str]:
    """Every text, the keys too: Terraform evaluates both."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in [*value, *value.values()] if isinstance(value, dict) else value:
            yield from _texts(item)


def _reads_a_file(text: str) -> bool:
    return ("${" in text or "%{" in text) and bool(_READS_A_FILE.search(text))


def _sources(configuration: Mapping[str, Any]) -> dict[str, str]:
    """Local name -> source of each provider that a configuration declares."""
    declared = part(configuration, "terraform", "required_providers")
    named = {name: str(part(row).get("source") or f"hashicorp/{name}") for name, row in declared.items()}
    return {name: source.removeprefix("registry.terraform.io/") for name, source in named.items()}


def _programs(configuration: Mapping[str, Any], base: Mapping[str, Any], allowed: frozenset[str]) -> Iterator[str]:
    sources = _sources(configuration)
    yield from (f"the provider {source!r}" for source in sources.values() if source not in allowed)
    for name in _providers(configuration):
        if name not in sources and name != _BUILT_IN and f"hashicorp/{name}" not in allowed:
            yield f"the provider 'hashicorp/{name}'"
    if (module := configuration.get("module")) and module != base.get("module"):
        yield f"the module {', '.join(map(str, module))}"
    if any("terraform_remote_state" in part(each, "data") for each in _holders(configuration)):
        yield "the data source 'terraform_remote_state'"


def _holders(configuration: Mapping[str, Any]) -> list[Any]:
    """What may hold data sources: the stack and its checks."""
    return [configuration, *part(configuration, "check").values()]


def _providers(configuration: Mapping[str, Any]) -> Iterator[str]:
    """The local names of the providers that blocks ask for: by their type, by `provider`, by their configuration."""
    yield from part(configuration, "provider")
    bodies = list(_blocks(configuration.get("import", [])))
    for holder in _holders(configuration):
        for block in _TYPED:
            for kind, named in part(holder, block).items():
                yield kind.partition("_")[0]
                bodies += named.values()
    yield from (str(body["provider"]).partition(".")[0] for body in bodies if "provider" in body)
