"""Which environments a CI system serves, by `[git] ci` of their settings; the other system leaves them alone.

The build files ask before anything is installed, so this reads TOML and nothing else.

    python3 -m ci.environments github_actions       prints environments=["dev", "prod"], as $GITHUB_OUTPUT wants it
    python3 -m ci.environments cloud_build dev COMMAND...       runs the command, unless another system serves dev
"""

from __future__ import annotations

import json
import os
import sys
import tomllib
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "infra" / "environments"
SYSTEMS = ("cloud_build", "github_actions")
_ORDER = ("dev", "staging")


def served(system: str, folder: Path = FOLDER) -> list[str]:
    """The environments that `system` serves, in the order in which they are applied: production last."""
    files = {path.stem: tomllib.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.toml")}
    names = sorted(name for name, settings in files.items() if settings["git"]["ci"] == system)
    return sorted(
        names,
        key=lambda name: (name.startswith("prod"), _ORDER.index(name) if name in _ORDER else len(_ORDER)),
    )


def main(system: str, environment: str = "", *command: str) -> None:
    """The command of the module's docstring. Raises FileNotFoundError for an unknown environment: no success."""
    if system not in SYSTEMS:
        sys.exit(f"unknown CI system {system!r}: {' or '.join(SYSTEMS)}")
    names = served(system)
    if not environment:
        print(f"environments={json.dumps(names)}")
    elif environment in names:
        os.execvp(command[0], command)
    elif (file := FOLDER / f"{environment}.toml").stat():
        print(f"{environment} is not served by {system}: [git] ci in {file.name} names another system")


if __name__ == "__main__":
    main(*sys.argv[1:])
