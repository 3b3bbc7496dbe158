"""`fonderie demo`: the main job, end to end."""

from __future__ import annotations

MODEL = "air_time"


def command() -> None:
    """The main job, end to end, on this machine: no account, no credentials. Ends with the path of a report.

    ```console
    fonderie demo
    ```
    """
    from rich.console import Console

    from ci.demo.beside import beside
    from ci.demo.drift import months_pass, replay
    from ci.demo.preview import preview_change, pull_request
    from ci.demo.provision import provision
    from ci.demo.recreate import recreate_environment
    from ci.demo.serving import serve_and_canary
    from ci.demo.story import Stage, Step, anew, play
    from ci.demo.training import train_three_months
    from fonderie.home import home

    folder = home() / "demo"
    steps = [
        Step("Provision", "cdktf deploys the local environment into the sandbox", provision),
        Step("Train", "three months of real flights; the gate, the registry, a promotion", train_three_months),
        Step("Drift", "months pass, the monitor fires, retraining has to earn its place", months_pass),
        Step("Serve", "the champion answers, a canary proves itself or not, a rollback", serve_and_canary),
        Step("Preview", "a pull request of three lines, and its one comment", preview_change),
        Step("Recreate", "destroy everything, deploy again, plan: nothing to do", recreate_environment),
    ]
    console = Console(highlight=False)
    with anew(folder), beside(folder / "beside.log") as aside:
        replayed = aside.begin(replay, MODEL)
        previewed = aside.begin(pull_request, folder / "pull-request")
        stage = Stage(console, folder, replayed, previewed, MODEL, str(folder / "registry"))
        report = play(steps, stage)
    console.print(f"\nreport: {report}", soft_wrap=True)
