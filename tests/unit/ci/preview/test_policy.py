import datetime
import json

import pytest

from ci.lifecycle.deploy import Stack
from ci.preview.assemble import Material, assemble
from ci.preview.build.policy import changed_checks, compare, judge, new_waivers, scan
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


def stacks(folder, *environments):
    """A stack for each environment."""
    made = []
    for name in environments:
        stack = Stack(f"{name}-data", folder / "out" / name)
        stack.folder.mkdir(parents=True, exist_ok=True)
        (stack.folder / "cdk.tf.json").write_text("{}")
        made.append(stack)
    return Synthesised(folder / "out", tuple(made))


@pytest.fixture
def older(tmp_path, monkeypatch):
    """A working copy whose command has another entry point than ours; what it answers is the test's."""
    monkeypatch.setenv("FONDERIE_HOME", str(tmp_path / "home"))

    def write(answer, code=0, entry="tool.old:start"):
        (tmp_path / "tool").mkdir(exist_ok=True)
        (tmp_path / "tool" / "old.py").write_text(OLD.format(answer=answer, code=code))
        (tmp_path / "pyproject.toml").write_text(f'[project.scripts]\nfonderie = "{entry}"\n' if entry else "")
        return scan(tmp_path, stacks(tmp_path, "prod"), ("prod",))

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


# -- the base judges the head

CHECKER = """
import json, pathlib, sys, tomllib
def start():
    here = pathlib.Path(__file__).parent
    names = [sys.argv[i + 1] for i, word in enumerate(sys.argv) if word == "--env"]
    failed, waived = [], []
    for name in names:
        settings = tomllib.loads((here / "environments" / f"{name}.toml").read_text())
        if "unheard_of" in settings:
            sys.exit("error: unknown key unheard_of")
        found = {"check": "FND_OPEN", "what": "closed", "stack": f"{name}-data", "path": f"{name}-data/x",
                 "address": "a.b", "detail": str(settings.get("open"))}
        if settings.get("open"):
            waiver = {"check": "FND_OPEN", "path": "*", "reason": "a b c d", "expires": "2999-01-01"}
            covers = "FND_OPEN" in (here / "policy" / "waivers.toml").read_text()
            waived.append({"finding": found, "waiver": waiver}) if covers else failed.append(found)
    print(json.dumps({"checked": {name: 1 for name in names}, "failed": failed, "waived": waived}))
"""
BLIND = CHECKER.replace('if settings.get("open")', "if False")
WAIVER = '[[waiver]]\ncheck = "FND_OPEN"\npath = "*"\nreason = "it is fine as it is"\nexpires = 2999-01-01\n'


class Sides:
    """Two working copies with checks, waivers and settings of their own."""

    def __init__(self, folder):
        self.folder = folder

    def side(self, name, checker=CHECKER, waivers="", **settings):
        root = self.folder / name
        (root / "infra" / "policy").mkdir(parents=True)
        (root / "infra" / "environments").mkdir()
        (root / "infra" / "__init__.py").write_text("")
        (root / "infra" / "policy" / "checks.py").write_text(checker)
        (root / "infra" / "start.py").write_text(checker)
        (root / "infra" / "policy" / "waivers.toml").write_text(waivers)
        (root / "pyproject.toml").write_text('[project.scripts]\nfonderie = "infra.start:start"\n')
        for environment, text in settings.items():
            (root / "infra" / "environments" / f"{environment}.toml").write_text(text)
        return root

    def result(self, base, head, base_names=("dev",), head_names=("dev",)):
        names = tuple(dict.fromkeys((*head_names, *base_names)))
        before = scan(base, stacks(base, *base_names), names)
        after = judge(base, head, stacks(head, *head_names), names, self.folder / "work")
        return compare(before, after, TODAY, Masker()).model_copy(
            update={"changed": tuple(changed_checks(base, head)), "waivers": tuple(new_waivers(base, head, Masker()))}
        )


@pytest.fixture
def sides(tmp_path, monkeypatch):
    monkeypatch.setenv("FONDERIE_HOME", str(tmp_path / "home"))
    return Sides(tmp_path)


def test_a_change_that_deletes_its_check_and_waives_itself_is_judged_by_base_and_told(sides):
    base = sides.side("base", dev="")
    head = sides.side("head", BLIND, WAIVER, dev="open = true")
    found = sides.result(base, head)
    assert [one.check for one in found.new] == ["FND_OPEN"]
    assert found.waived == 0
    assert found.changed == ("infra/policy/checks.py",)
    assert [(one.check, one.reason, one.expires) for one in found.waivers] == [
        ("FND_OPEN", "it is fine as it is", "2999-01-01")
    ]
    made = assemble(Material((plan(),), policy=found))
    assert made.red
    first = render(made).split("#### Policy\n")[1].split("\n")
    assert "infra/policy/checks.py" in first[0]
    assert "new waiver: **FND&#95;OPEN**" in first[1] or "new waiver: **FND_OPEN**" in first[1]


def test_a_waiver_of_base_counts_for_head(sides):
    found = sides.result(
        sides.side("base", CHECKER, WAIVER, dev=""), sides.side("head", CHECKER, WAIVER, dev="open = 1")
    )
    assert (found.new, found.waived, found.waivers, found.changed) == ((), 1, (), ())


def test_a_new_environment_is_judged_with_its_own_settings(sides):
    found = sides.result(
        sides.side("base", dev=""), sides.side("head", dev="", qa="open = true"), head_names=("dev", "qa")
    )
    assert [one.stack for one in found.new] == ["qa-data"]


def test_a_removed_environment_does_not_turn_policy_off(sides):
    base = sides.side("base", dev="", staging="")
    found = sides.result(base, sides.side("head", dev="open = true"), base_names=("dev", "staging"))
    assert (found.unavailable, [one.stack for one in found.new]) == ("", ["dev-data"])


def test_settings_that_base_cannot_read_are_judged_by_its_own_and_a_new_environment_with_such_is_red(sides):
    base, head = sides.side("base", dev="open = true"), sides.side("head", dev="unheard_of = 1")
    found = sides.result(base, head)
    assert (found.broken, found.old) == (False, 1)
    other = Sides(sides.folder / "other")
    found = other.result(other.side("base", dev=""), other.side("head", dev="", qa="unheard_of = 1"),
                         head_names=("dev", "qa"))  # fmt: skip
    assert found.broken
    assert "unknown key unheard_of" in found.unavailable
    assert assemble(Material((plan(),), policy=found)).red


def test_a_waiver_that_is_longer_is_a_new_one(sides):
    base = sides.side("base", CHECKER, WAIVER.replace("2999", "2027"), dev="")
    assert [one.expires for one in new_waivers(base, sides.side("head", CHECKER, WAIVER, dev=""), Masker())] == [
        "2999-01-01"
    ]
