import datetime

from ci.preview.build.policy import Scan, Waiver, compare
from ci.preview.masking.secrets import Masker
from ci.preview.report import Finding

TODAY = datetime.date(2026, 11, 22)


def finding(check="CKV_1", resource="prod-data/features"):
    return Finding(check=check, title="a title", stack="prod-data", resource=resource, hint="do this")


def waiver(expires, check="CKV_1"):
    return Waiver(
        check=check, stack="prod-data", resource="prod-data/features", reason="because of that", expires=expires
    )


def result(base, head):
    return compare(base, head, TODAY, Masker())


def test_what_head_adds_is_new_and_what_base_had_is_old():
    found = result(Scan(findings=(finding(),)), Scan(findings=(finding(), finding("CKV_2"))))
    assert [item.check for item in found.new] == ["CKV_2"]
    assert (found.old, found.mended) == (1, 0)


def test_what_head_mends_is_counted():
    assert result(Scan(findings=(finding(),)), Scan()).mended == 1


def test_a_waived_finding_is_neither_new_nor_old():
    found = result(Scan(), Scan(findings=(finding(),), waivers=(waiver(datetime.date(2027, 1, 31)),)))
    assert (found.new, found.old, found.waived, found.waived_until) == ((), 0, 1, "2027-01-31")


def test_a_waiver_holds_on_its_last_day_and_not_after_it():
    assert result(Scan(), Scan(findings=(finding(),), waivers=(waiver(TODAY),))).waived == 1
    late = result(
        Scan(findings=(finding(),)), Scan(findings=(finding(),), waivers=(waiver(TODAY - datetime.timedelta(1)),))
    )
    assert [item.check for item in late.expired] == ["CKV_1"]
    assert late.new == ()


def test_a_scan_that_failed_says_so_and_passes_nothing():
    assert result(Scan(), Scan(unavailable="checkov broke")).unavailable == "checkov broke"
    assert result(Scan(unavailable="checkov broke"), Scan()).unavailable == "base: checkov broke"
