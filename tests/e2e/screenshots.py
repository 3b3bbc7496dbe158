"""`python -m tests.e2e.screenshots`: the pictures of docs/preview.md, from real plans in a real browser (Chromium)."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from ci.preview.render.comment import page
from fonderie.core.errors import MissingToolError
from tests.e2e.recorded import previews

ROOT = Path(__file__).parents[2]
SHOWN = {"harmless": 620, "replaced_dataset_and_widened_role": 1000, "new_model_version": 1000}


def main() -> None:
    """Write docs/images/preview-*.png."""
    browser = next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
    )
    if browser is None:
        raise MissingToolError("there is no Chromium", hint="apt-get install chromium")
    folder = ROOT / "docs" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        made = previews(Path(scratch))
        for name, height in SHOWN.items():
            source = Path(scratch) / f"{name}.html"
            source.write_text(page(made[name]), encoding="utf-8")
            target = folder / f"preview-{name.replace('_', '-')}.png"
            arguments = [
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--hide-scrollbars",
                f"--window-size=1100,{height}",
            ]
            subprocess.run(
                [browser, *arguments, f"--screenshot={target}", f"--user-data-dir={scratch}/browser", source.as_uri()],
                check=True,
                capture_output=True,
                timeout=60,
            )
            print(f"{target.relative_to(ROOT)}: {target.stat().st_size // 1024} kB")


if __name__ == "__main__":
    main()
