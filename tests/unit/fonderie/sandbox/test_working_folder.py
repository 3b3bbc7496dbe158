"""A trial in the sandbox and a real deployment never share a folder, nor the state beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fonderie.sandbox.runner import Options, command_environment
from infra import names
from infra.main import ROOT, chosen_outdir


def state_of(outdir: Path) -> Path:
    return (outdir / "stacks" / "dev-bootstrap" / names.LOCAL_STATE.format("dev-bootstrap")).resolve()


@pytest.mark.parametrize("chosen", [None, "out"])
def test_stacks_and_local_states_lie_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chosen: str | None) -> None:
    monkeypatch.setenv("FONDERIE_HOME", str(tmp_path / ".fonderie"))
    for name in ("CDKTF_OUTPUT", "CDKTF_OUTDIR", "FONDERIE_SANDBOX"):
        monkeypatch.delenv(name, raising=False)
    if chosen:
        monkeypatch.setenv("CDKTF_OUTDIR", str(tmp_path / chosen))
    real = chosen_outdir()
    environment = command_environment(Options(cloud=tmp_path / "google.sqlite"), {})
    assert environment["CDKTF_OUTDIR"] == environment["CDKTF_OUTPUT"]
    trial = Path(environment["CDKTF_OUTDIR"])
    assert trial != real
    assert real not in trial.parents
    assert state_of(trial) != state_of(real)
    assert chosen or real == ROOT / "cdktf.out"


def test_remote_state_is_where_the_settings_say_and_a_plan_takes_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FONDERIE_BACKEND", "local")
    cloud = tmp_path / "google.sqlite"
    assert command_environment(Options(cloud=cloud), {})["FONDERIE_BACKEND"] == "local"
    usual = command_environment(Options(cloud=cloud, remote_state=True), {})
    assert "FONDERIE_BACKEND" not in usual
    assert "-lock=false" in usual["TF_CLI_ARGS_plan"].split()
    assert "-lock=false" not in usual["TF_CLI_ARGS_apply"].split()
    alone = command_environment(Options(cloud=cloud, remote_state=True, identity="apply"), {})
    assert "-lock=false" not in alone["TF_CLI_ARGS_plan"].split()
