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
    from fonderie.demo.drift import months_pass
    from fonderie.demo.preview import preview_change
    from fonderie.demo.provision import provision
    from fonderie.demo.recreate import recreate_environment
    from fonderie.demo.runner import Context, DemoStep, empty_folder, run_steps
    from fonderie.demo.serving import serve_and_canary
    from fonderie.demo.training import train_three_months

    folder = home() / "demo"
    steps = [
        DemoStep("Provision", "cdktf deploys the local environment into the sandbox", provision),
        DemoStep("Train", "three months of real flights; the gate, the registry, a promotion", train_three_months),
        DemoStep("Drift", "months pass, the monitor fires, retraining has to earn its place", months_pass),
        DemoStep("Serve", "the champion answers, a canary proves itself or not, a rollback", serve_and_canary),
        DemoStep("Preview", "a pull request of three lines, and its one comment", preview_change),
        DemoStep("Recreate", "destroy everything, deploy again, plan: nothing to do", recreate_environment),
    ]
    console = Console(highlight=False)
    with empty_folder(folder):
        report = run_steps(steps, Context(console, folder, MODEL, str(folder / "registry")))
    console.print(f"\nreport: {report}", soft_wrap=True)
