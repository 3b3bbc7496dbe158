"""The Terraform command line: one stack's folder at a time, with what it says as data."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from fonderie.core.errors import MissingToolError, StepFailedError

MINIMUM = (1, 8)
"""The oldest version that works; `ci/setup.sh` and the README name the same (a test compares them)."""
READ_TIMEOUT_S = 1800.0
WRITE_TIMEOUT_S = 3 * 3600.0
GRACE_S = 120.0
"""How long a command that was told to stop may take to save its state."""
AT_ONCE = 6
MOST_ERRORS = 20
"""How many of a command's errors are told: a screen of them."""
_HINT = f"install Terraform {MINIMUM[0]}.{MINIMUM[1]} or later, or set TERRAFORM_BINARY_NAME to OpenTofu's `tofu`"
_LOG_LINE = re.compile(r'\d{4}-\d\d-\d\dT\S+ \[(TRACE|DEBUG|INFO|WARN|ERROR)\]|\{"@level"')  # of TF_LOG
_ADDRESS = re.compile(r"[\w-]+\.[\w-]")
_BOX = "│╷╵ "

Item = TypeVar("Item")
Result = TypeVar("Result")


class TerraformError(StepFailedError):
    """A command of Terraform's failed; `messages` are its errors, one by one."""

    def __init__(self, what: str, messages: Sequence[str], *, where: str) -> None:
        super().__init__(what, where=where)
        self.messages = tuple(messages)


@dataclass(frozen=True)
class Event:
    """Something Terraform did, for progress: `kind` is one of planned, started, complete, failed, refreshed.

    With `waiting` nothing was done: `action` says what is waited for.
    """

    stack: str
    kind: str
    address: str
    action: str


Progress = Callable[[Event], None]


def silent(_event: Event) -> None:
    """A progress callback that prints nothing."""


def find(environment: Mapping[str, str] | None = None) -> str:
    """The binary, by TERRAFORM_BINARY_NAME. Raises MissingToolError when there is none, or one that is too old."""
    environment = environment or os.environ
    return _checked(environment.get("TERRAFORM_BINARY_NAME") or "terraform", environment.get("PATH", ""))


_VERSION_TIMEOUT_S = 60


@cache
def _checked(name: str, path: str) -> str:
    binary = shutil.which(name, path=path)
    if binary is None:
        raise MissingToolError(f"{name} is not installed", hint=_HINT)
    try:
        done = subprocess.run(
            [binary, "version", "-json"], capture_output=True, text=True, check=False, timeout=_VERSION_TIMEOUT_S
        )
    except subprocess.TimeoutExpired as error:
        raise MissingToolError(f"{binary} did not report a version in {error.timeout:.0f} s", hint=_HINT) from error
    version = re.search(r'"terraform_version":\s*"(\d+)\.(\d+)[^"]*"', done.stdout)
    if version is None:
        raise MissingToolError(f"{binary} is not Terraform: it does not report a version", hint=_HINT)
    if (int(version[1]), int(version[2])) < MINIMUM:
        raise MissingToolError(f"{binary} is version {version[1]}.{version[2]}, which is too old", hint=_HINT)
    return binary


# -- processes: what ends us reaches every Terraform that runs, once, and we wait until it has saved its state


class _Processes:
    """The commands that run. They have process groups of their own, so that Ctrl-C reaches them through us only: a
    second signal makes Terraform end without saving."""

    def __init__(self) -> None:
        self._running = set[subprocess.Popen[str]]()
        self._lock = threading.RLock()  # the signal handler may interrupt its own thread
        self.stopping = threading.Event()
        self.handled = False  # whether signals are ours at the moment

    def start(self, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[str]:
        """Start a command. Raises StepFailedError once an interrupt has come."""
        with self._lock:
            if self.stopping.is_set():
                raise StepFailedError("interrupted", where=folder)
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                process_group=0,
            )
            self._running.add(process)
        return process

    def ended(self, process: subprocess.Popen[str]) -> None:
        """Forget a process."""
        with self._lock:
            self._running.discard(process)

    def stop(self) -> None:
        """Tell all to stop, and start no more."""
        with self._lock:
            self.stopping.set()
            for process in self._running:
                process.send_signal(signal.SIGINT)

    def reset(self) -> None:
        """Allow new ones."""
        with self._lock:
            self.stopping.clear()


_PROCESSES = _Processes()


def pause(seconds: float) -> None:
    """Wait. Raises StepFailedError at once when an interrupt comes."""
    if _PROCESSES.stopping.wait(seconds):
        raise StepFailedError("interrupted")


@contextmanager
def interruptible() -> Iterator[None]:
    """While it lasts, SIGINT, SIGTERM and SIGHUP stop every Terraform that runs, and raise KeyboardInterrupt here.

    Signals arrive in the main thread; in other threads, and inside another `interruptible`, it does nothing.
    """
    if threading.current_thread() is not threading.main_thread() or _PROCESSES.handled:
        yield
        return

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        _PROCESSES.stop()
        raise KeyboardInterrupt

    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    ours = {number: handler for number, handler in handlers.items() if handler not in (signal.SIG_IGN, None)}
    for number in ours:
        signal.signal(number, interrupt)
    _PROCESSES.handled = True
    try:
        yield
    finally:
        _PROCESSES.handled = False
        _PROCESSES.reset()
        for number, handler in ours.items():
            signal.signal(number, handler)


def side_by_side(act: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """The results in the order of `items`; after an interrupt nothing more is started, and what runs ends first."""
    with interruptible(), ThreadPoolExecutor(AT_ONCE) as threads:
        futures = [threads.submit(act, item) for item in items]
        with cancelling(futures):
            return [future.result() for future in futures]


@contextmanager
def cancelling(futures: Iterable[Future[Any]]) -> Iterator[None]:
    """On the way out with an exception, cancel the futures that have not started."""
    try:
        yield
    except BaseException:
        for future in futures:
            future.cancel()
        raise


# -- Terraform itself


@dataclass(frozen=True)
class _Output:
    """What a command printed; `stderr` without the lines of TF_LOG."""

    stdout: str
    stderr: str
    code: int

    @property
    def error(self) -> str:
        """Every error it printed, whole; all of it when none is marked as one."""
        lines = [line.strip(_BOX).rstrip() for line in (self.stderr or self.stdout).splitlines()]
        first = next((number for number, line in enumerate(lines) if line.startswith("Error: ")), 0)
        text = "\n".join(lines[first:]).strip().removeprefix("Error: ")
        return text or f"exits with {self.code}"

    @property
    def errors(self) -> list[str]:
        """The errors one by one."""
        return re.split(r"^Error: ", self.error, flags=re.MULTILINE)


@dataclass(frozen=True)
class Terraform:
    """Terraform in the folder of one stack. Every method raises StepFailedError, with what Terraform said.

    A command that changes nothing may take `read_timeout_s`, one that does `write_timeout_s`. Without `lock` a plan
    does not lock the state: who may only read it cannot.
    """

    binary: str
    folder: Path
    stack: str
    environment: Mapping[str, str]
    progress: Progress = silent
    lock: bool = True
    read_timeout_s: float = READ_TIMEOUT_S
    write_timeout_s: float = WRITE_TIMEOUT_S

    def init(self, *arguments: str) -> None:
        """Prepare the folder; what is prepared already is left."""
        self._run("init", "-input=false", "-no-color", *arguments)

    def plan(self, out: Path, *arguments: str) -> bool:
        """Write a plan; whether it changes anything."""
        lock = [] if self.lock else ["-lock=false"]
        return self._run_json("plan", "-detailed-exitcode", f"-out={out}", *lock, *arguments, good=(0, 2)) == 2

    def show(self, plan: Path) -> dict[str, Any]:
        """A plan, as Terraform's JSON."""
        return _object(self._run("show", "-json", str(plan)).stdout)

    def apply(self, *arguments: str) -> None:
        """Apply, without asking; a plan's file may be given."""
        self._run_json("apply", "-auto-approve", *arguments)

    def destroy(self, *arguments: str) -> None:
        """Destroy everything, without asking."""
        self._run_json("destroy", "-auto-approve", *arguments)

    def import_(self, address: str, id: str) -> None:
        """Take what exists into the state."""
        self._run("import", "-input=false", "-no-color", address, id)

    def state(self) -> list[str]:
        """Addresses in the state; none when there is no state."""
        try:
            listed = self._run("state", "list").stdout
        except StepFailedError as error:
            if "No state file" in error.what:
                return []
            raise
        return [line for line in listed.splitlines() if _ADDRESS.match(line)]

    def pull(self) -> dict[str, Any]:
        """The state as it is kept; empty when there is none."""
        return _object(self._run("state", "pull").stdout)

    def resources(self) -> list[dict[str, Any]]:
        """The resources of the state, with `address`, `type` and `values`; none when there is no state."""
        module = _object(self._run("show", "-json").stdout).get("values", {}).get("root_module", {})
        return [resource for resource in module.get("resources", []) if resource["mode"] == "managed"]

    # -- running it

    @property
    def _name(self) -> str:
        return Path(self.binary).name

    def _run(self, *arguments: str) -> _Output:
        """A command that speaks to people."""
        output = self._end(arguments)
        if output.code:
            words = arguments[:2] if arguments[0] == "state" else arguments[:1]
            what = f"{self._name} {' '.join(words)}: {output.error}"
            raise TerraformError(what, output.errors, where=self.stack)
        return output

    def _run_json(self, command: str, *arguments: str, good: tuple[int, ...] = (0,)) -> int:
        """A command that tells what it does in lines of JSON; its exit code, one of `good`."""
        errors = list[str]()

        def hear(line: str) -> None:
            if (error := self._heard(line)) is not None:
                errors.append(error)

        output = self._end((command, "-input=false", "-json", *arguments), hear)
        if output.code in good:
            return output.code
        errors = errors or output.errors
        told = "\n".join(error.strip() for error in errors[:MOST_ERRORS])
        more = f"\nand {len(errors) - MOST_ERRORS} more" if len(errors) > MOST_ERRORS else ""
        raise TerraformError(f"{self._name} {command}: {told}{more}", errors, where=self.stack)

    def _heard(self, line: str) -> str | None:
        """The error that a line of `-json` tells, if any; the rest becomes progress."""
        try:
            message = json.loads(line) if line.startswith("{") else {}
        except ValueError:
            return None
        if message.get("@level") == "error" and "diagnostic" in message:
            return _sentence(message["diagnostic"])
        if (kind := _KINDS.get(str(message.get("type")))) is not None:
            hook = message.get("hook") or message.get("change") or {}
            address = hook.get("resource", {}).get("addr", "")
            self.progress(Event(self.stack, kind, address, str(hook.get("action", ""))))
        return None

    def _end(self, arguments: Sequence[str], hear: Callable[[str], None] = lambda _: None) -> _Output:
        """Run to the end. The process belongs to a thread of its own: an interrupt cannot come between it and us."""
        with interruptible(), ThreadPoolExecutor(1) as thread:
            return thread.submit(self._communicate, arguments, hear).result()

    def _communicate(self, arguments: Sequence[str], hear: Callable[[str], None]) -> _Output:
        """Read both streams at once: Terraform waits when either is full."""
        environment = {**self.environment, "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}
        timeout_s = self.write_timeout_s if arguments[0] in _WRITES else self.read_timeout_s
        process = _PROCESSES.start([self.binary, *arguments], self.folder, environment)
        late = threading.Event()
        timer = threading.Timer(timeout_s, _stop, [process, late])
        timer.start()
        try:
            with process, ThreadPoolExecutor(1) as thread:
                stderr = thread.submit(_without_log, process)
                output = _Output(_listen(process, hear), stderr.result(), process.wait())
        finally:
            timer.cancel()
            _PROCESSES.ended(process)
        if late.is_set():
            what = f"{self._name} {arguments[0]} took more than {timeout_s:g} s and was stopped"
            raise StepFailedError(
                what, where=self.stack, hint="TF_LOG=DEBUG with TF_LOG_PATH=FILE shows what it waits for"
            )
        return output


def _listen(process: subprocess.Popen[str], hear: Callable[[str], None]) -> str:
    """All of standard output; `hear` is told each line as it comes."""
    assert process.stdout is not None
    lines = list[str]()
    try:
        for line in process.stdout:
            lines.append(line)
            hear(line)
    except BaseException:
        process.send_signal(signal.SIGINT)
        process.stdout.read()  # until it has saved its state
        raise
    return "".join(lines)


def _without_log(process: subprocess.Popen[str]) -> str:
    """Standard error without the lines of TF_LOG, which may be a hundred megabytes."""
    assert process.stderr is not None
    return "".join(line for line in process.stderr if not _LOG_LINE.match(line))


def _stop(process: subprocess.Popen[str], late: threading.Event) -> None:
    """Let it end in an orderly way, then kill it with its plugins."""
    late.set()
    process.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


_WRITES = frozenset({"apply", "destroy", "import"})
_KINDS = {
    "planned_change": "planned",
    "apply_start": "started",
    "apply_complete": "complete",
    "apply_errored": "failed",
    "refresh_complete": "refreshed",
}


def _sentence(diagnostic: Mapping[str, Any]) -> str:
    address = f"{diagnostic['address']}: " if diagnostic.get("address") else ""
    detail = " ".join(str(diagnostic.get("detail", "")).split())
    return f"{address}{diagnostic.get('summary', '')}" + (f" {detail}" if detail else "")


def _object(text: str) -> dict[str, Any]:
    """The first JSON object of an output; empty without one. OpenTofu prints warnings before it, on the same stream."""
    for start in re.finditer(r"^\{", text, re.MULTILINE):
        with suppress(ValueError):
            value: dict[str, Any] = json.JSONDecoder().raw_decode(text, start.start())[0]
            return value
    return {}
