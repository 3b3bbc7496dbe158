import datetime
import json

import pytest

from ci.preview.assemble import Material, assemble
from ci.preview.build.policy import compare, scan
from ci.preview.build.synthesis import Synthesised
from ci.preview.masking.secrets import Masker
from ci.preview.render.comment import page, render
from ci.preview.report import PolicyResult
from infra.policy.findings import PolicyFinding, ScanResult, WaivedFinding, Waiver, WaiverProblem
from tests.unit.ci.preview.plans import plan

TODAY = datetime.date(2026, 11, 22)


def finding(check="CKV_1", detail="do this"):
    return PolicyFinding(
        check=check, what="a title", stack="prod-data", path="prod-data/features", address="a.b", detail=detail
    )


def waiver(expires, check="CKV_1"):
    return Waiver(check=check, path="prod-data/*", reason="because of that", expires=expires)


def verdict(*failed, waived=(), problems=()):
    return ScanResult(checked={"prod-data": 1}, failed=failed, waived=waived, problems=problems)


def waived_until(expires):
    return verdict(waived=(WaivedFinding(finding=finding(), waiver=waiver(expires)),))


def result(base, head):
    return compare(base, head, TODAY, Masker())


def test_what_head_adds_is_new_and_what_base_had_is_old():
    found = result(verdict(finding()), verdict(finding(), finding("CKV_2")))
    assert [item.check for item in found.new] == ["CKV_2"]
    assert (found.old, found.mended) == (1, 0)


def test_what_head_mends_is_counted():
    assert result(verdict(finding()), verdict()).mended == 1


def test_a_waived_finding_is_neither_new_nor_old():
    found = result(verdict(), waived_until(datetime.date(2027, 1, 31)))
    assert (found.new, found.old, found.waived, found.waived_until) == ((), 0, 1, "2027-01-31")


def test_a_waiver_holds_on_its_last_day_and_not_after_it():
    assert result(verdict(), waived_until(TODAY)).waived == 1
    yesterday = TODAY - datetime.timedelta(1)
    scanned_then = waived_until(yesterday)
    scanned_now = verdict(finding(), problems=((waiver(yesterday), WaiverProblem.EXPIRED),))
    for head in (scanned_then, scanned_now):
        late = result(verdict(finding()), head)
        assert [item.check for item in late.expired] == ["CKV_1"]
        assert (late.new, late.old, late.waived, late.waived_until) == ((), 0, 0, "")


def test_a_finding_beside_a_waived_one_is_not_covered_by_its_waiver():
    covered = WaivedFinding(finding=finding(detail="one"), waiver=waiver(TODAY))
    assert [item.detail for item in result(verdict(), verdict(finding(detail="two"), waived=(covered,))).new] == ["two"]


def test_a_scan_that_failed_says_so_and_passes_nothing():
    assert result(verdict(), "checkov broke").unavailable == "checkov broke"
    assert result("checkov broke", verdict()).unavailable == "base: checkov broke"


def test_a_finding_is_shown_without_secrets():
    hidden = "glpat-abcdefghij0123456789"
    made = assemble(Material((plan(),), policy=result(verdict(), verdict(finding(detail=f"token {hidden}")))))
    assert isinstance(made.policy, PolicyResult)
    for written in (render(made), page(made)):
        assert "a title" in written
        assert "prod-data/prod-data/features" in written
        assert hidden not in written


OLD = """
import sys
def start():
    print({answer!r}.replace("ARGUMENTS", " ".join(sys.argv[1:-3])))
    return {code}
"""


@pytest.fixture
def older(tmp_path, monkeypatch):
    """A working copy whose command has another entry point than ours; what it answers is the test's."""
    monkeypatch.setenv("FONDERIE_HOME", str(tmp_path / "home"))

    def write(answer, code=0, entry="tool.old:start"):
        (tmp_path / "tool").mkdir(exist_ok=True)
        (tmp_path / "tool" / "old.py").write_text(OLD.format(answer=answer, code=code))
        (tmp_path / "pyproject.toml").write_text(f'[project.scripts]\nfonderie = "{entry}"\n' if entry else "")
        return scan(tmp_path, Synthesised(tmp_path / "out", ()), ("prod",))

    return write


def test_an_older_working_copy_is_scanned_by_the_entry_point_that_it_names(older):
    made = older(verdict(finding(detail="ARGUMENTS")).model_dump_json(), code=7)
    assert isinstance(made, ScanResult)
    assert made.failed[0].detail.startswith("policy --out ")


@pytest.mark.parametrize(
    ("answer", "entry", "why"),
    [
        ("", "tool.old:start", "the policy scan failed: it printed nothing"),
        (json.dumps({"error": 1, "what": "boom"}), "tool.old:start", "the policy scan failed: boom"),
        ("{}", "tool.gone:start", "the policy scan failed: ModuleNotFoundError: No module named 'tool.gone'"),
        ("{}", "", "the policy scan failed: pyproject.toml has no [project.scripts] fonderie"),
    ],
)
def test_a_scan_that_gives_no_verdict_says_why(older, answer, entry, why):
    assert older(answer, entry=entry) == why
