"""Cut the provider's schema down to the resource types in use (`fonderie/core/resource_types.toml`).

    terraform providers schema -json | python -m fonderie.sandbox.provider.cut

reads the whole schema and rewrites `google@VERSION.json`, which `cdktf get` generates the bindings from and which the
sandbox serves. Descriptions are dropped: they are two thirds of its size and Terraform does not need them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from fonderie.core.errors import BadInputError
from fonderie.core.files import write_text
from fonderie.core.resource_types import TABLE, types_in_use

HERE = Path(__file__).parent
PROVIDER = "registry.terraform.io/hashicorp/google"
VERSION = "7.45.0"
SCHEMA_FILE = HERE / f"google@{VERSION}.json"
DATA_SOURCES = ("google_client_config", "google_project", "google_storage_project_service_account")


def without_descriptions(value: Any) -> Any:
    """The same JSON without any `description` or `description_kind` of a schema."""
    if isinstance(value, dict):
        return {
            key: inner if key == "type" and isinstance(inner, list) else without_descriptions(inner)
            for key, inner in value.items()
            if not (key in {"description", "description_kind"} and isinstance(inner, str))
        }
    return [without_descriptions(inner) for inner in value] if isinstance(value, list) else value


def cut(schema: dict[str, Any]) -> dict[str, Any]:
    """The layout of `terraform providers schema -json`, holding the provider block and the types in use only."""
    provider = schema["provider_schemas"][PROVIDER]
    wanted = types_in_use()
    if missing := [name for name in wanted if name not in provider["resource_schemas"]]:
        raise BadInputError(
            f"the schema has no {', '.join(missing)}",
            where=TABLE,
            hint="is the name spelt as in Terraform?",
        )
    sources = provider.get("data_source_schemas", {})
    return {
        "format_version": schema["format_version"],
        "provider_schemas": {
            PROVIDER: {
                "provider": without_descriptions(provider["provider"]),
                "resource_schemas": {name: without_descriptions(provider["resource_schemas"][name]) for name in wanted},
                "data_source_schemas": {
                    name: without_descriptions(sources[name]) for name in DATA_SOURCES if name in sources
                },
            }
        },
    }


def main() -> None:
    """Read the whole schema from standard input, write the cut one."""
    text = json.dumps(cut(json.load(sys.stdin)), separators=(",", ":"), sort_keys=True)
    write_text(SCHEMA_FILE, text.replace('"google_', '\n"google_') + "\n")
    print(f"{SCHEMA_FILE.name}: {len(types_in_use())} types, {SCHEMA_FILE.stat().st_size // 1024} KB")


if __name__ == "__main__":
    main()
