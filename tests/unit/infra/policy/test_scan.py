import datetime
import json
from pathlib import Path

import pytest

from fonderie.core.errors import BadInputError, StepFailedError
from infra.policy import checkov_scan
from infra.policy.findings import PolicyFinding, Waiver, WaiverProblem, WaiverScope, apply_waivers, read_waivers
from infra.policy.sarif import sarif
from infra.policy.scan import evaluate
from infra.settings import load_environment
from infra.synthesised import read_stack, read_stacks

TODAY = datetime.date(2026, 11, 22)
OPEN_BUCKET = {
    "provider": {
        "google": [{"default_labels": {"environment": "local", "managed_by": "fonderie", "owner": "ml-platform"}}]
    },
    "resource": {
        "google_storage_bucket": {
            "raw": {
                "//": {"metadata": {"path": "local-data/raw/Default"}},
                "location": "europe-west1",
                "name": "raw",
            }
        },
        "google_storage_bucket_iam_member": {
            "raw": {
                "//": {"metadata": {"path": "local-data/raw/everybody"}},
                "bucket": "raw",
                "member": "allUsers",
                "role": "roles/storage.objectViewer",
            }
        },
    },
}


@pytest.fixture
def outdir(tmp_path: Path) -> Path:
    folder = tmp_path / "stacks" / "local-data"
    folder.mkdir(parents=True)
    (folder / "cdk.tf.json").write_text(json.dumps(OPEN_BUCKET, indent=2))
    return tmp_path


def waiver(check: str, path: str, expires: datetime.date = datetime.date(2027, 1, 31)) -> Waiver:
    return Waiver(check=check, path=path, reason="because this is a test of waivers", expires=expires)


def finding(check: str, path: str) -> PolicyFinding:
    return PolicyFinding(check=check, what="w", stack=path.split("/")[0], path=path, address="a.b")


def test_checkov_scans_a_synthesised_stack_and_names_type_and_construct_path(outdir: Path) -> None:
    (stack,) = read_stacks(outdir)

    made, found = checkov_scan.scan(stack)

    assert made >= len(found) > 0
    public = next(one for one in found if one.check == "CKV_GCP_28")
    assert public.path == "local-data/raw/everybody"
    assert public.address == "google_storage_bucket_iam_member.raw"
    assert json.dumps(OPEN_BUCKET, indent=2).splitlines()[public.line - 1].strip().startswith('"raw"')


def test_a_verdict_counts_what_was_checked_and_fails_on_one_finding(outdir: Path) -> None:
    stacks, local = read_stacks(outdir), {"local": load_environment("local")}

    verdict = evaluate(stacks, local, [], today=TODAY, complete=True)

    assert not verdict.passed
    assert "FND_PUBLIC" in {one.check for one in verdict.failed}
    made, failed, waived = verdict.by_stack()["local-data"]
    assert made > failed == len(verdict.failed)
    assert waived == 0


def test_waiving_everything_passes_and_sarif_keeps_the_reasons(outdir: Path) -> None:
    stacks, local = read_stacks(outdir), {"local": load_environment("local")}
    found = evaluate(stacks, local, [], today=TODAY, complete=True).failed
    waivers = [waiver(check, "*-data/raw*") for check in {one.check for one in found}]

    verdict = evaluate(stacks, local, waivers, today=TODAY, complete=True)

    assert verdict.passed
    results = sarif(verdict)["runs"][0]["results"]
    assert len(results) == len(found)
    assert {result["suppressions"][0]["justification"] for result in results} == {"because this is a test of waivers"}


def test_an_expired_waiver_covers_nothing_and_fails_itself() -> None:
    old = waiver("C", "local-data/*", datetime.date(2026, 11, 21))
    last_day = waiver("C", "local-data/*", TODAY)

    failed, waived, problems = apply_waivers([finding("C", "local-data/x")], [old], today=TODAY, complete=False)
    assert (len(failed), waived, problems) == (1, [], [(old, WaiverProblem.EXPIRED)])

    failed, waived, problems = apply_waivers([finding("C", "local-data/x")], [last_day], today=TODAY, complete=True)
    assert (failed, len(waived), problems) == ([], 1, [])


def test_an_unused_waiver_fails_only_when_every_environment_was_scanned() -> None:
    idle = waiver("C", "prod-*")

    assert apply_waivers([], [idle], today=TODAY, complete=True)[2] == [(idle, WaiverProblem.UNUSED)]
    assert apply_waivers([], [idle], today=TODAY, complete=False)[2] == []


def test_a_waiver_speaks_of_its_own_check_and_path_only() -> None:
    failed, _, _ = apply_waivers(
        [finding("C", "local-data/x"), finding("D", "local-data/x"), finding("C", "local-runtime/x")],
        [waiver("C", "*-data/*")],
        today=TODAY,
        complete=False,
    )
    assert [one.key for one in failed] == [("D", "local-data/x"), ("C", "local-runtime/x")]


def test_a_waiver_may_speak_of_one_thing_that_is_wrong_only() -> None:
    one = finding("C", "local-data/x").model_copy(update={"detail": "location = us"})
    other = one.model_copy(update={"detail": "location = asia"})
    narrow = waiver("C", "*").model_copy(update={"detail": "location = us"})

    failed, waived, _ = apply_waivers([one, other], [narrow], today=TODAY, complete=True)

    assert (failed, [each.finding for each in waived]) == ([other], [one])


def test_a_waiver_for_environments_without_keys_is_never_productions() -> None:
    local = load_environment("local")
    environments = {
        "local": local,
        "lab": local.model_copy(update={"name": "lab"}),
        "staging": local.model_copy(update={"name": "staging", "customer_keys": True}),
        "prod": local.model_copy(update={"name": "prod"}),
    }
    found = [finding("C", f"{name}-data/x").model_copy(update={"stack": f"{name}-data"}) for name in environments]
    narrow = waiver("C", "*").model_copy(update={"where": WaiverScope.NO_KEYS})

    failed, waived, _ = apply_waivers(found, [narrow], today=TODAY, complete=True, environments=environments)

    assert [one.stack for one in failed] == ["staging-data", "prod-data"]
    assert [one.finding.stack for one in waived] == ["local-data", "lab-data"]


def test_a_waiver_for_what_is_thrown_away_holds_there_only() -> None:
    local = load_environment("local")
    environments = {"local": local, "dev": local.model_copy(update={"ephemeral": False})}
    found = [finding("C", f"{name}-data/x").model_copy(update={"stack": f"{name}-data"}) for name in environments]
    narrow = waiver("C", "*").model_copy(update={"where": WaiverScope.EPHEMERAL})

    failed, _, _ = apply_waivers(found, [narrow], today=TODAY, complete=True, environments=environments)

    assert [one.stack for one in failed] == ["dev-data"]


def test_a_check_that_checkov_cannot_make_is_a_finding_without_a_traceback(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """checkov's check of the control plane wants a range in each block; without one it fails and goes on."""
    folder = tmp_path / "local-runtime"
    folder.mkdir()
    cluster = {
        "//": {"metadata": {"path": "local-runtime/cluster"}},
        "name": "c",
        "master_authorized_networks_config": {"cidr_blocks": [{"display_name": "nodes"}]},
    }
    document = {"resource": {"google_container_cluster": {"cluster": cluster}}}
    (folder / "cdk.tf.json").write_text(json.dumps(document, indent=2))

    _, found = checkov_scan.scan(read_stack(folder))

    (crashed,) = [one for one in found if one.check == "FND_UNCHECKED"]
    assert crashed.path == "local-runtime/cluster"
    assert "CKV_GCP_18" in crashed.detail
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[waiver]]\ncheck = 'C'\n", "line 1: waiver[0].reason: missing"),
        ("[[waiver]]\ncheck='C'\npath='p'\nreason='no'\nexpires=2027-01-01\n", "gives no reason"),
        (
            "[[waiver]]\ncheck='C'\npath='p'\nreason='a b c d e'\nexpires='soon'\n",
            'toml:5: waiver[0].expires = "soon": ',
        ),
        ("[[waiver]]\ncheck='C'\npath='p'\nreson='a b c d e'\nexpires=2027-01-01\n", "did you mean reason?"),
        ("[[waivers]]\ncheck='C'\n", "toml:1: waivers: unknown key (did you mean waiver?)"),
        ("[[waiver", "waivers.toml"),
    ],
)
def test_a_wrong_waiver_file_is_refused_with_the_reason(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "waivers.toml"
    file.write_text(text)

    with pytest.raises(BadInputError) as error:
        read_waivers(file)

    assert said in str(error.value)


def test_nothing_to_scan_is_an_error_never_a_pass(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no stack to scan"):
        read_stacks(tmp_path)


def test_a_scan_in_which_checkov_finds_nothing_to_check_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "local-data"
    folder.mkdir()
    document = {"resource": {"google_nothing_known": {"x": {"//": {"metadata": {"path": "local-data/x"}}}}}}
    (folder / "cdk.tf.json").write_text(json.dumps(document, indent=2))

    with pytest.raises(StepFailedError, match="checkov ran no checks"):
        evaluate([read_stack(folder)], {"local": load_environment("local")}, [], today=TODAY, complete=True)


def test_a_stack_that_is_not_json_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "local-data"
    folder.mkdir()
    (folder / "cdk.tf.json").write_text("{")

    with pytest.raises(BadInputError, match="not JSON"):
        read_stack(folder)
