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

    from fonderie.core.home import home
    from fonderie.demo.background import beside
    from fonderie.demo.drift import months_pass, replay
    from fonderie.demo.preview import preview_change, pull_request
    from fonderie.demo.provision import provision
    from fonderie.demo.recreate import recreate_environment
    from fonderie.demo.runner import Stage, Step, anew, play
    from fonderie.demo.serving import serve_and_canary
    from fonderie.demo.training import train_three_months

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
