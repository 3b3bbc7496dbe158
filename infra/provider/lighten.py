"""Make the generated bindings lighter to import: `python -m infra.provider.lighten imports`, after `cdktf get`.

They check the type of every argument in Python, against annotations that are evaluated for it on import, and jsii
checks it again in Node. So the first check goes and annotations stay text, which takes a fifth off a synth; people and
editors see the same classes. That nothing gets past the second check is what a test holds it to.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from fonderie.files import write_text

_CHECK = re.compile(r"^( +)if __debug__:\n(?:\1 +.*\n)+", re.MULTILINE)
_STUB = re.compile(r"^def _typecheckingstub__\w+\((?:.*\n)+?    pass\n+", re.MULTILINE)
_CHECKER = re.compile(r"^import typeguard\n(?:.*\n)+?(?=^(?:from \.\._jsii|import cdktf|import cdktn))", re.MULTILINE)
_FIRST = "from pkgutil import extend_path\n"
_LAZY = "from __future__ import annotations\n"


def lighten(source: str) -> str:
    """A generated module without its own type checks, with annotations that are not evaluated; the same if done."""
    for part in (_CHECK, _STUB, _CHECKER):
        source = part.sub("", source)
    return source if _LAZY in source else source.replace(_FIRST, _LAZY + _FIRST, 1)


def main() -> None:
    """Rewrite every module below the folder that is named."""
    for path in sorted(Path(sys.argv[1]).rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        if (lighter := lighten(source)) != source:
            write_text(path, lighter)


if __name__ == "__main__":
    main()
