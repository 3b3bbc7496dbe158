"""From a file of an environment to the model, or to every mistake in it at once."""

from __future__ import annotations

from pathlib import Path

from fonderie.core.errors import BadInputError
from fonderie.core.toml import checked, parse_toml, refusal
from infra.settings.environment import Environment
from infra.settings.rules import problems_of

ENVIRONMENTS = Path(__file__).parent.parent / "environments"
_HINT = "infra/environments/schema.json says what each key may hold"


def environment_names(folder: Path = ENVIRONMENTS) -> list[str]:
    """Every environment there is a file for: the nearest to the developer first, production last."""
    order = ["local", "dev", "staging"]
    names = sorted(path.stem for path in folder.glob("*.toml"))
    return sorted(names, key=lambda name: (name.startswith("prod"), order.index(name) if name in order else 9))


def load_environment(name: str, folder: Path = ENVIRONMENTS) -> Environment:
    """Read and check `folder/name.toml`; `BadInputError` names file, line, key, value and reason of each mistake."""
    path = folder / f"{name}.toml"
    if name not in (known := environment_names(folder)):
        raise BadInputError(f"unknown environment {name!r}", where=folder, hint=f"there are: {', '.join(known)}")
    written = parse_toml(path)
    if "name" in written:
        raise BadInputError("an environment is named by its file", where=f"{path}: name", hint="remove the key")
    environment = checked({"name": name, **written}, Environment, where=path, hint=_HINT)
    if problems := problems_of(environment):
        raise refusal(problems, where=path, hint=_HINT)
    return environment
