"""The one module that names CDK for Terraform. `CORE = "cdktn"` switches the whole app to its maintained fork.

The classes of Google's resources are generated into `imports/` by `make bindings`; their module paths are the same
under both, so nothing else changes. Constructs import them one module a resource (`imports.google.storage_bucket`):
what is not imported costs nothing.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from fonderie.core.errors import BadInputError, MissingToolError
from fonderie.core.resource_types import PREFIX, types_in_use

os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "20")

CORE = "cdktf"

ROOT = Path(__file__).parent.parent
if str(ROOT) not in sys.path:  # `imports` lies beside the packages, and is not one that is installed
    sys.path.append(str(ROOT))

_core: Any = importlib.import_module(CORE)

App = _core.App
Fn = _core.Fn
GcsBackend = _core.GcsBackend
LocalBackend = _core.LocalBackend
TerraformResourceLifecycle = _core.TerraformResourceLifecycle
TerraformStack = _core.TerraformStack
Testing = _core.Testing
Construct: Any = importlib.import_module("constructs").Construct


def literal(text: str) -> str:
    """`text` as Terraform shall take it, character by character: it would otherwise evaluate `${...}` and `%{...}`."""
    return text.replace("${", "$${").replace("%{", "%%{")


def require_bindings(root: Path = ROOT) -> None:
    """Refuse to go on without bindings of every type in use, made from the schema of the version that is pinned."""
    pin = json.loads((root / "cdktf.json").read_text(encoding="utf-8"))["terraformProviders"][0].rpartition("@")[2]
    provider = root / "fonderie" / "sandbox" / "provider"
    if not (provider / f"google@{pin}.json").is_file():
        found = ", ".join(sorted(path.stem for path in provider.glob("google@*.json"))) or "none"
        raise BadInputError(
            f"cdktf.json pins hashicorp/google@{pin}, the schema here is {found}",
            where=provider,
            hint="cut a schema of that version (`make schema WHOLE=schema.json`), then `make bindings`",
        )
    imports = root / "imports"
    versions = imports / "constraints.json"
    made_from = json.loads(versions.read_text(encoding="utf-8"))["providers"]["google"] if versions.is_file() else None
    if made_from != pin:
        state = f"are of google {made_from}, cdktf.json pins {pin}" if made_from else "were not generated"
        raise MissingToolError(f"the bindings {state}", where=imports, hint="run `make bindings`")
    modules = (name.removeprefix(PREFIX) for name in types_in_use())
    missing = [name for name in modules if not (imports / "google" / name).is_dir()]
    if missing:
        raise MissingToolError(f"the bindings lack {', '.join(missing)}", where=imports, hint="run `make bindings`")
