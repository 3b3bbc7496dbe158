"""A container image without a container: what a Dockerfile says, carried out in a folder of this machine.

Its packages are a virtual environment made from its lock alone, its files those that it copies and that .dockerignore
lets through, its variables and its user those of the file: a changed Dockerfile is a changed test. What lies under
`gcs` behaves as Cloud Storage FUSE does for a process that did not mount it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
UV = Path(sys.executable).with_name("uv")
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Source: gcsfuse, docs/semantics.md: "Permissions and ownership", "Unsupported file system features"; issue 2645.
FUSE = """
import errno, os

def there(path):
    name = os.readlink(f"/proc/self/fd/{path}") if isinstance(path, int) else os.path.abspath(os.fspath(path))
    return name.startswith(GCS)

def refused(function, code, when=there):
    def call(path, *arguments, **keywords):
        if when(path):
            raise OSError(code, os.strerror(code), path)
        return function(path, *arguments, **keywords)
    return call

for name in ("chmod", "fchmod", "chown", "fchown", "lchown"):
    setattr(os, name, refused(getattr(os, name), errno.EPERM))
os.link = refused(os.link, errno.ENOSYS)
for name in ("rename", "replace"):
    setattr(os, name, refused(getattr(os, name), errno.EMFILE, lambda path: there(path) and os.path.isdir(path)))
"""


@dataclass
class Dockerfile:
    """A Dockerfile whose first stage installs packages from a lock; the second is the image."""

    requirements: Path
    copies: list[tuple[str, str]] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    user: tuple[int, int] = (0, 0)
    workdir: str = "/"
    entrypoint: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: Path) -> Dockerfile:
        """Raises AssertionError for an instruction that is not known here."""
        text = re.sub(r"#.*\n", "", path.read_text())
        packages, image = (stage.strip().splitlines() for stage in re.split(r"^FROM .*\n", text, flags=re.M)[1:])
        (lock,) = (line.split()[1] for line in packages if line.startswith("COPY "))
        (install,) = (line for line in packages if line.startswith("RUN "))
        assert re.search(r"venv /packages && /packages/bin/pip install .*--require-hashes --no-deps", install)
        file = cls(ROOT / lock)
        for line in image:
            file._take(*line.split(maxsplit=1))
        return file

    def _take(self, instruction: str, value: str) -> None:
        match instruction, value:
            case "COPY", "--from=packages /packages /packages":
                pass
            case "COPY", _:
                *sources, target = value.split()
                self.copies += [(source, str(Path(self.workdir, target))) for source in sources]
            case "ENV", _:
                self.environment |= dict(pair.split("=", 1) for pair in value.split())
            case "USER", _:
                user, group = map(int, value.split(":"))
                self.user = (user, group)
            case "WORKDIR", _:
                self.workdir = value
            case "ENTRYPOINT", _:
                self.entrypoint = tuple(json.loads(value))
            case ("RUN", command) if command.startswith("useradd "):
                pass
            case "EXPOSE", _:
                pass
            case _:
                raise AssertionError(f"unknown instruction: {instruction} {value}")


@dataclass
class Image:
    """An image under `root`. Absolute paths of the image are folders of it."""

    file: Dockerfile
    root: Path
    library_path: str = ""

    @property
    def gcs(self) -> Path:
        """Where Vertex AI mounts buckets."""
        return self.root / "gcs"

    def popen(self, command: Sequence[str], *, stdin: int | None = None, **variables: str) -> subprocess.Popen[str]:
        """Start `command` as the image's user, in its folder, with its variables and those given; HOME is not set."""
        drops = {"user": self.file.user[0], "group": self.file.user[1], "extra_groups": []} if os.geteuid() == 0 else {}
        return subprocess.Popen(
            command, cwd=self._at(self.file.workdir), env=self._variables() | variables,
            stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, umask=0o022, **drops,
        )  # fmt: skip

    def run(self, command: Sequence[str], **variables: str) -> subprocess.CompletedProcess[str]:
        """The same, to its end; standard error is part of the output."""
        with self.popen(command, **variables) as process:
            out, _ = process.communicate(timeout=120)
        return subprocess.CompletedProcess(command, process.returncode, out)

    def _at(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def _variables(self) -> dict[str, str]:
        own = {
            name: re.sub(r"(?<![\w.])/(?=packages|tmp)", f"{self.root}/", value).replace("$PATH", SYSTEM_PATH)
            for name, value in self.file.environment.items()
        }
        return (
            own
            | {"TMPDIR": str(self.root / "tmp")}
            | ({"LD_LIBRARY_PATH": self.library_path} if self.library_path else {})
        )


@contextmanager
def image(name: str) -> Iterator[Image]:
    """The image of `ci/images/NAME.Dockerfile`, until the block ends. Its packages come from uv's cache."""
    root = Path(tempfile.mkdtemp(prefix=f"fonderie-{name}-"))
    try:
        root.chmod(0o755)
        file = Dockerfile.read(ROOT / "ci" / "images" / f"{name}.Dockerfile")
        python, library_path = _python(root)
        made = Image(file, root, library_path)
        _packages(made, python)
        for source, target in file.copies:
            _copy(source, made.root / target.lstrip("/"))
        for folder in ("tmp", "gcs"):
            (root / folder).mkdir()
            (root / folder).chmod(0o1777)
        _read_only(root / "app")
        yield made
    finally:
        _read_only(root / "app", but_owner=True)
        shutil.rmtree(root)


def _packages(made: Image, python: Path) -> None:
    venv = made.root / "packages"
    subprocess.run([UV, "venv", "--quiet", "--python", python, venv], check=True)
    subprocess.run(
        [UV, "pip", "sync", "--quiet", "--python", venv / "bin" / "python", "--require-hashes", made.file.requirements],
        check=True, env=os.environ | {"LD_LIBRARY_PATH": made.library_path},
    )  # fmt: skip
    (site,) = venv.glob("lib/python*/site-packages")
    _compiled(site, UV.parents[1] / site.relative_to(venv))
    (site / "as_there.py").write_text(f"GCS = {str(made.gcs)!r}\n{FUSE}")
    (site / "as_there.pth").write_text("import as_there\n")


def _compiled(site: Path, own: Path) -> None:
    """Compiled Python, as pip leaves it in the image: that of this environment, whose files are uv's as well."""
    for folder in [path.parent for path in site.rglob("*.dist-info/RECORD")]:
        for line in (folder / "RECORD").read_text().splitlines():
            name = line.split(",")[0]
            path = own / name
            compiled = path.parent / "__pycache__" / f"{path.stem}.{sys.implementation.cache_tag}.pyc"
            if name.endswith(".py") and compiled.exists():
                place = site / compiled.relative_to(own)
                place.parent.mkdir(exist_ok=True)
                _link(compiled, place)


def _python(root: Path) -> tuple[Path, str]:
    """A Python that the image's user can reach, and where its library lies: root's own is copied without packages."""
    base = Path(sys.base_prefix)
    binary = Path(sys.executable).resolve()
    if os.geteuid() != 0 or all(parent.stat().st_mode & stat.S_IXOTH for parent in binary.parents):
        return binary, ""
    left_out = shutil.ignore_patterns("site-packages", "test", "tests", "*.a", "idlelib", "tkinter")
    shutil.copytree(base / "lib", root / "python" / "lib", ignore=left_out, symlinks=True, copy_function=_link)
    (root / "python" / "bin").mkdir()
    copied = shutil.copy(binary, root / "python" / "bin")
    return Path(copied), str(root / "python" / "lib")


def _copy(source: str, target: Path) -> None:
    """As COPY does with the files that the build is sent; a file goes under a target that ends with a folder's name."""
    whole = ROOT / source
    files = [path for path in sorted(whole.rglob("*")) if path.is_file()] if whole.is_dir() else [whole]
    sent = [path for path in files if _is_sent(path.relative_to(ROOT))]
    assert sent, f"{source} is not sent to the build: .dockerignore"
    for path in sent:
        place = target / (path.relative_to(whole) if whole.is_dir() else path.name)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)


def _is_sent(path: Path) -> bool:
    """Whether .dockerignore lets a file through: the last pattern that fits it or a folder above decides."""
    sent = True
    names = [str(path), *map(str, list(path.parents)[:-1])]
    for line in (ROOT / ".dockerignore").read_text().split():
        pattern = re.escape(line.removeprefix("!")).replace(r"\*\*/", "(.*/)?").replace(r"\*\*", ".*")
        if any(re.fullmatch(pattern.replace(r"\*", "[^/]*"), name) for name in names):
            sent = line.startswith("!")
    return sent


def _link(source: Path | str, target: Path | str) -> None:
    """The same file under another name, or a copy where a file system ends between them."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _read_only(folder: Path, *, but_owner: bool = False) -> None:
    for path in [folder, *folder.rglob("*")] if folder.exists() else []:
        mode = 0o555 if path.is_dir() else 0o444
        path.chmod(mode | stat.S_IWUSR if but_owner else mode)
