"""The machine of a step: a folder for each container image and hosted runner with its tools, and nothing else on PATH.

What a build brings from elsewhere meets a local fixture; `docs/road.md` lists each.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
SYSTEM = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_BASE = (
    "awk", "base64", "basename", "bash", "cat", "chmod", "cp", "cut", "date", "diff", "dirname", "echo", "env", "expr",
    "false", "find", "grep", "gzip", "head", "hostname", "id", "ln", "ls", "mkdir", "mktemp", "mv", "od", "printf",
    "pwd", "readlink", "rm", "rmdir", "sed", "sh", "sleep", "sort", "stat", "tail", "tar", "tee", "test", "touch",
    "tr", "true", "uname", "uniq", "wc", "which", "xargs", "xz",
)  # fmt: skip
_PYTHON = ("python", "python3")
_PROJECT = (*_BASE, "git", "make", *_PYTHON, "curl", "sha256sum")
TOOLS: Mapping[str, Sequence[str]] = {
    "python:3.11-bookworm": _PROJECT,
    "gcr.io/cloud-builders/docker": (*_BASE, "docker"),
    "ubuntu-24.04": (*_PROJECT, "docker", "kustomize"),
}
"""Image or runner -> the commands on it. Of a hosted runner without what our workflows bring: its Node,
Terraform and gcloud are of versions we do not choose. Sources: Docker's "buildpack-deps"; actions/runner-images."""

PUBLISHED = {
    "https://nodejs.org/dist/v20.18.1/node-v20.18.1-linux-x64.tar.xz": (
        "c6fa75c841cbffac851678a472f2a5bd612fff8308ef39236190e1f8dbb0e567",
        "node.tar.xz",
    ),
    "https://releases.hashicorp.com/terraform/1.11.4/terraform_1.11.4_linux_amd64.zip": (
        "1ce994251c00281d6845f0f268637ba50c0005657eb3cf096b92f753b42ef4dc",
        "terraform.zip",
    ),
    (
        "https://github.com/kubernetes-sigs/kustomize/releases/download/"
        "kustomize/v5.5.0/kustomize_v5.5.0_linux_amd64.tar.gz"
    ): ("6703a3a70a0c47cf0b37694030b54f1175a9dfeb17b3818b623ed58b9dbc2a77", "kustomize.tar.gz"),
}
"""Address -> the SHA-256 that its publisher names, and the local archive that stands for it."""

_CURL = """#!/bin/sh
# Downloads of build files: from this machine, if they are listed.
file= address=
while [ $# -gt 0 ]; do
    case $1 in
    --output) file=$2; shift 2 ;;
    --retry) shift 2 ;;
    --fail | --silent | --show-error | --location) shift ;;
    -*) echo "curl: the fixture knows no $1" >&2; exit 2 ;;
    *) address=$1; shift ;;
    esac
done
row=$(grep -F "$address " "{downloads}/published") || { echo "curl: (22) no fixture for $address" >&2; exit 22; }
set -- $row
cp "{downloads}/$3" "$file" && echo "$file $2" >> "{downloads}/delivered"
"""
_SHA256SUM = """#!/bin/sh
# What stands for a published archive has that archive's digest; of every other file it is calculated.
[ "$1" = --check ] || exec {real} "$@"
while read -r wanted name; do
    digest=$(grep -F "$name " "{downloads}/delivered" 2>/dev/null | tail -n 1 | cut -d ' ' -f 2)
    [ -n "$digest" ] || digest=$({real} "$name" | cut -d ' ' -f 1)
    [ "$digest" = "$wanted" ] || { echo "$name: FAILED" >&2; exit 1; }
done
"""
_FOREIGN = """#!/bin/sh
PYTHONPATH={root} exec {python} {root}/tests/road/foreign_tools.py {downloads} {tool} "$@"
"""
FOREIGN = ("docker", "gcloud", "kustomize")
_LOCKS = ("requirements/all.txt", "requirements/bootstrap.txt", "package-lock.json", "cdktf.json")


class UnknownError(Exception):
    """A key, function, image or action of a build file that the runner does not know. Nothing is passed over."""


def known(what: str, given: Mapping[str, object], keys: set[str]) -> None:
    """Refuse a key that the runner does not execute."""
    if unknown := sorted(set(map(str, given)) - keys):
        raise UnknownError(f"{what}: unknown key {', '.join(unknown)}")


@dataclass
class Machine:
    """A fresh machine with a workspace. `extra` are folders that a step added to PATH."""

    folder: Path
    extra: list[str] = field(default_factory=list)

    @property
    def workspace(self) -> Path:
        """Where the source is: /workspace on Cloud Build, $GITHUB_WORKSPACE on GitHub."""
        return self.folder / "workspace"

    def tools(self, image: str) -> Path:
        """The folder with the commands of an image."""
        name = image.partition("@")[0]
        if name not in TOOLS:
            raise UnknownError(f"unknown image {name!r}: say what is on it in tests/road/machine.py")
        folder = self.folder / "images" / name.replace("/", "-").replace(":", "-")
        if not folder.is_dir():
            folder.mkdir(parents=True)
            for tool in TOOLS[name]:
                self.put(folder, tool)
        return folder

    def put(self, folder: Path, tool: str) -> None:
        """One command into a folder of tools."""
        folder.mkdir(parents=True, exist_ok=True)
        if tool in _PYTHON:
            (folder / tool).symlink_to(sys._base_executable)  # type: ignore[attr-defined]  # not the environment's
            return
        fixtures = {"curl": _CURL, "sha256sum": _SHA256SUM}
        if tool in FOREIGN:
            (folder / tool).write_text(foreign(tool, self._downloads()))
            (folder / tool).chmod(0o755)
            return
        if tool in fixtures:
            text = fixtures[tool].replace("{downloads}", str(self._downloads()))
            (folder / tool).write_text(text.replace("{real}", str(shutil.which("sha256sum", path=SYSTEM))))
            (folder / tool).chmod(0o755)
            return
        path = shutil.which(tool, path=SYSTEM) or shutil.which(tool)
        assert path, f"this machine has no {tool}"
        (folder / tool).symlink_to(path)

    def log(self, command: str) -> list[str]:
        """What docker or gcloud were called with; the images that were `built` and `pushed`."""
        file = self._downloads() / command
        return file.read_text().splitlines() if file.is_file() else []

    def _downloads(self) -> Path:
        """The archives that stand for the published ones: links to the tools of this machine."""
        folder = self.folder / "downloads"
        if folder.is_dir():
            return folder
        folder.mkdir(parents=True)
        node, npm, terraform = (Path(str(shutil.which(name))).absolute() for name in ("node", "npm", "terraform"))
        kustomize = folder / "bin" / "kustomize"
        kustomize.parent.mkdir()
        kustomize.write_text(foreign("kustomize", folder))
        kustomize.chmod(0o755)
        for file, names in (
            ("node.tar.xz", {"node/bin/node": node, "node/bin/npm": npm}),
            ("kustomize.tar.gz", {"kustomize": kustomize}),
        ):
            with tarfile.open(folder / file, f"w:{file.rpartition('.')[2]}") as packed:
                for name, target in names.items():
                    link = tarfile.TarInfo(name)
                    link.type, link.linkname = tarfile.SYMTYPE, str(target)
                    packed.addfile(link)
        with zipfile.ZipFile(folder / "terraform.zip", "w") as archive:
            archive.writestr("terraform", f'#!/bin/sh\nexec {terraform} "$@"\n')
        rows = (f"{address} {digest} {file}\n" for address, (digest, file) in PUBLISHED.items())
        (folder / "published").write_text("".join(rows))
        return folder

    def path(self, written: str, image: str) -> str:
        """A PATH as a step has it: the image's folders are its tools here, /workspace is the workspace."""
        folders = []
        for each in written.split(":"):
            if each in SYSTEM.split(":"):
                folders.append(str(self.tools(image)))
            elif each == "/workspace" or each.startswith("/workspace/"):
                folders.append(str(self.workspace) + each.removeprefix("/workspace"))
            else:
                raise UnknownError(f"unknown folder {each!r} on PATH")
        return ":".join(dict.fromkeys([*self.extra, *folders]))

    def run(
        self, command: Sequence[str], environment: Mapping[str, str], *, folder: Path | None = None, timeout_s: float
    ) -> subprocess.CompletedProcess[str]:
        """Run one command with this environment and no more. Raises TimeoutExpired."""
        return subprocess.run(
            command,
            cwd=folder or self.workspace,
            env={"HOME": str(self._folder("home")), "TMPDIR": str(self._folder("tmp")), **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=timeout_s,
        )

    def _folder(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return folder

    def provide_packages(self) -> None:
        """What `make setup` downloads, linked from this repository, so that it finds nothing to do.

        The environment is the workspace's own, and `fonderie` in it is the workspace's code. Only for the locks of this
        repository: for others the packages would be wrong.
        """
        here = self.workspace
        for lock in _LOCKS:
            assert (here / lock).read_bytes() == (ROOT / lock).read_bytes(), f"{lock} is another than here"
        base, purelib = Path(sys.prefix), Path(sysconfig.get_path("purelib"))
        environment = here / ".venv"
        packages = environment / purelib.relative_to(base)
        packages.mkdir(parents=True)
        (environment / "bin").mkdir()
        (environment / "pyvenv.cfg").write_text(f"home = {Path(sys._base_executable).parent}\n")  # type: ignore[attr-defined]
        for name in _PYTHON:
            (environment / "bin" / name).symlink_to(sys._base_executable)  # type: ignore[attr-defined]
        (packages / "packages.pth").write_text(f"{here}\n{purelib}\n")
        script = (base / "bin" / "fonderie").read_text().partition("\n")[2]
        (environment / "bin" / "fonderie").write_text(f"#!{environment}/bin/python\n{script}")
        (environment / "bin" / "fonderie").chmod(0o755)
        for name in ("node_modules", "imports"):
            (here / name).mkdir()
            for entry in (ROOT / name).iterdir():
                if entry.name != ".done":
                    (here / name / entry.name).symlink_to(entry)
        for name in (".venv", "node_modules", "imports"):
            (here / name / ".done").touch()


def foreign(tool: str, notes: Path) -> str:
    """The script that stands for a tool of `foreign_tools`; it keeps its notes in a folder."""
    text = _FOREIGN.replace("{root}", str(ROOT)).replace("{python}", sys.executable)
    return text.replace("{downloads}", str(notes)).replace("{tool}", tool)


def listed_files() -> list[str]:
    """The files of this working copy that a commit would hold."""
    command = ["git", "ls-files", "-co", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in done.stdout.splitlines() if os.path.lexists(ROOT / name)]
