"""`fonderie demo`: the main job, end to end."""

from __future__ import annotations


def command() -> None:
    """The main job, end to end, on this machine: no account, no credentials. Ends with the path of a report.

    fonderie demo
    """
    import shutil

    from rich.console import Console

    from ci.demo.story import Stage, Step, play
    from ci.demo.training import train_three_months
    from fonderie.home import home

    folder = home() / "demo"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    stage = Stage(Console(highlight=False), folder, registry=str(folder / "registry"))
    report = play([Step("Train, gate, register, promote: three months of real flights", train_three_months)], stage)
    stage.console.print(f"\nreport: {report}", soft_wrap=True)
