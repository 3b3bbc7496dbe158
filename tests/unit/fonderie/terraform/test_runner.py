"""The runner, on commands that stand in for Terraform: what they print, how long they take, how they are stopped."""

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from fonderie.core.errors import MissingToolError, StepFailedError
from fonderie.terraform import runner
from fonderie.terraform.runner import MINIMUM, Event, Terraform, find, side_by_side

ROOT = Path(__file__).parents[4]
WARNING = """There are some problems with the CLI configuration:
╷
│ Warning: Unable to open CLI configuration file
│
│ The CLI configuration file at "/nowhere/.terraformrc" does not exist.
╵

"""


def fake(folder: Path, code: str, name: str = "terraform") -> Path:
    """A command of that name that runs `code`."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!{sys.executable}\nimport os, sys, time, signal\n{textwrap.dedent(code)}")
    path.chmod(0o755)
    return path


def terraform(tmp_path: Path, code: str, **more) -> Terraform:
    return Terraform(str(fake(tmp_path / "bin", code)), tmp_path, "dev-data", dict(os.environ), **more)


def test_a_megabyte_on_both_streams_does_not_hang_it(tmp_path: Path) -> None:
    events = list[Event]()
    code = """
    line = '{"@level": "info", "type": "apply_complete", "hook": {"resource": {"addr": "a.b"}, "action": "create"}}\\n'
    for _ in range(20_000):
        sys.stderr.write("2026-11-28T17:00:41.747Z [TRACE] " + "x" * 80 + "\\n")
        sys.stdout.write(line)
    sys.stderr.flush()
    """
    terraform(tmp_path, code, progress=events.append, write_timeout_s=60).apply()
    assert len(events) == 20_000


def test_every_error_of_a_plan_is_told_up_to_a_screen(tmp_path: Path) -> None:
    """It was the first and "(and 1 more)", and of `init` a sentence that says nothing."""
    code = """
    import json
    for number in range(25):
        diagnostic = {"severity": "error", "summary": f"Error {number}", "detail": "why"}
        print(json.dumps({"@level": "error", "type": "diagnostic", "diagnostic": diagnostic}))
    sys.exit(1)
    """
    with pytest.raises(StepFailedError) as caught:
        terraform(tmp_path, code).plan(tmp_path / "out")
    assert [line for line in caught.value.what.splitlines() if "Error" in line][19].endswith("Error 19 why")
    assert caught.value.what.endswith("and 5 more")


def test_every_error_of_init_is_told(tmp_path: Path) -> None:
    (tmp_path / "cdk.tf.json").write_text('{"resource": {"a": 1}, "backend": 2}')
    with pytest.raises(StepFailedError) as caught:
        Terraform(find(), tmp_path, "dev-data", dict(os.environ)).init()
    assert "Extraneous JSON object property" in caught.value.what
    assert '"resource": {"a": 1}' in caught.value.what


def test_the_log_that_somebody_asked_for_is_not_the_error(tmp_path: Path) -> None:
    code = """
    sys.stderr.write("2026-11-28T17:00:41.747Z [TRACE] provider: starting\\n" * 20_000)
    sys.stderr.write("Error: No such bucket\\n")
    sys.exit(1)
    """
    with pytest.raises(StepFailedError) as error:
        terraform(tmp_path, code).plan(tmp_path / "plan")
    assert error.value.what == "terraform plan: No such bucket"


def test_the_error_of_init_is_told_whole(tmp_path: Path) -> None:
    said = "Error: Failed to query packages\n\nno such host:\nregistry\n\nError: Second\n\nanother reason\n"
    with pytest.raises(StepFailedError) as error:
        terraform(tmp_path, f"sys.stderr.write({WARNING + said!r}); sys.exit(1)").init()
    assert error.value.what == f"terraform init: {said.removeprefix('Error: ').strip()}"
    assert error.value.where == "dev-data"


def test_an_error_in_a_box_is_told_without_it(tmp_path: Path) -> None:
    with pytest.raises(StepFailedError, match=r"^dev-data: terraform import: Exists\n\nIt exists\.$"):
        terraform(tmp_path, "sys.exit('╷\\n│ Error: Exists\\n│ \\n│ It exists.\\n╵')").import_("a.b", "id")


def test_a_command_that_says_nothing_is_told_by_its_code(tmp_path: Path) -> None:
    with pytest.raises(StepFailedError, match=r"terraform state pull: exits with 3$"):
        terraform(tmp_path, "sys.exit(3)").pull()


def test_opentofus_warning_on_standard_output_is_not_read_as_the_answer(tmp_path: Path) -> None:
    answers = {
        "show": '{"values": {"root_module": {"resources": [{"mode": "managed"}]}}}',
        "state pull": '{\n  "serial": 4,\n  "lineage": "x"\n}',
        "state list": 'google_x.a\nmodule.m.google_x.b["c d"]',
    }
    code = f"""
    print({WARNING!r})
    print({answers!r}.get(" ".join(sys.argv[1:3]), {answers["show"]!r}))
    """
    run = terraform(tmp_path, code)
    assert run.pull() == {"serial": 4, "lineage": "x"}
    assert run.state() == ["google_x.a", 'module.m.google_x.b["c d"]']
    assert run.resources() == [{"mode": "managed"}]
    assert run.show(tmp_path / "plan") == json.loads(answers["show"])


def test_without_a_state_there_is_nothing_in_it(tmp_path: Path) -> None:
    assert terraform(tmp_path, "sys.exit('No state file was found!')").state() == []
    assert terraform(tmp_path, f"print({WARNING!r})").pull() == {}


def test_a_command_that_takes_too_long_is_stopped_and_named(tmp_path: Path) -> None:
    code = f"""
    open({str(tmp_path / "pid")!r}, "w").write(str(os.getpid()))
    time.sleep(60)
    """
    with pytest.raises(StepFailedError, match=r"terraform init took more than 1 s and was stopped"):
        terraform(tmp_path, code, read_timeout_s=1).init()
    assert gone(int((tmp_path / "pid").read_text()))


def test_one_that_does_not_stop_is_killed_with_its_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "GRACE_S", 0.2)
    code = f"""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    plugin = os.fork()
    if plugin:
        open({str(tmp_path / "pid")!r}, "w").write(f"{{os.getpid()}} {{plugin}}")
    time.sleep(60)
    """
    with pytest.raises(StepFailedError, match="took more than"):
        terraform(tmp_path, code, write_timeout_s=1).apply()
    assert all(gone(int(pid)) for pid in (tmp_path / "pid").read_text().split())


def test_progress_that_fails_leaves_nothing_running(tmp_path: Path) -> None:
    def broken(_event: Event) -> None:
        raise ZeroDivisionError

    code = """
    print('{"type": "apply_start"}', flush=True)
    time.sleep(60)
    """
    with pytest.raises(ZeroDivisionError):
        terraform(tmp_path, code, progress=broken).apply()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("how", ["alone", "side by side"])
def test_an_interrupt_reaches_terraform_once_and_is_waited_for(tmp_path: Path, number: int, how: str) -> None:
    """Not only what runs: of eight stacks six are started, and the other two never."""
    binary = fake(
        tmp_path / "bin",
        """
        count = 0
        def stop(*_):
            global count
            count += 1
        signal.signal(signal.SIGINT, stop)
        open(f"started-{os.getpid()}", "w").close()
        while not count:
            time.sleep(0.02)
        time.sleep(0.3)
        open(f"saved-{os.getpid()}", "w").write(str(count))
        sys.exit(1)
        """,
    )
    program = f"""
import os, signal, sys
from pathlib import Path
from fonderie.terraform.runner import Terraform, side_by_side
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
run = lambda name: Terraform({str(binary)!r}, Path({str(tmp_path)!r}), str(name), dict(os.environ)).apply()
try:
    run("one") if {how == "alone"} else side_by_side(run, range(8))
except KeyboardInterrupt:
    sys.exit(130)
"""
    wanted = 1 if how == "alone" else 6
    running = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, start_new_session=True)
    wait_for(lambda: len(list(tmp_path.glob("started-*"))) == wanted)
    time.sleep(0.1)
    os.killpg(running.pid, number)  # as a terminal does: the whole group
    assert running.wait(timeout=30) == 130
    assert [path.read_text() for path in tmp_path.glob("saved-*")] == ["1"] * wanted
    assert len(list(tmp_path.glob("started-*"))) == wanted


def test_results_are_in_the_order_of_the_items() -> None:
    assert side_by_side(lambda number: time.sleep((3 - number) / 100) or number, [1, 2, 3]) == [1, 2, 3]


def test_the_binary_is_the_one_that_the_environment_names(tmp_path: Path) -> None:
    tofu = fake(tmp_path / "bin", f'print({WARNING!r}); print(\'{{"terraform_version": "1.8.3"}}\')', "tofu")
    path = f"{tmp_path / 'bin'}:/bin:/usr/bin"
    assert find({"PATH": path, "TERRAFORM_BINARY_NAME": "tofu"}) == str(tofu)
    with pytest.raises(MissingToolError, match="tofu is not installed"):
        find({"PATH": "/nowhere", "TERRAFORM_BINARY_NAME": "tofu"})


def test_everything_names_the_same_oldest_version() -> None:
    oldest = f"{MINIMUM[0]}.{MINIMUM[1]}"
    setup = (ROOT / "ci" / "setup.sh").read_text()
    assert f'at_least "$terraform" {oldest}.0 ||' in setup
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), ROOT / "ci" / "setup.sh"]
    named = [
        version
        for page in pages
        for version in re.findall(r"Terraform '?(\d+\.\d+) or (?:newer|later)", page.read_text())
    ]
    assert named
    assert set(named) == {oldest}
    with pytest.raises(MissingToolError) as error:
        find({"PATH": "/nowhere"})
    assert f"Terraform {oldest} or later" in str(error.value.hint)


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def wait_for(condition) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
