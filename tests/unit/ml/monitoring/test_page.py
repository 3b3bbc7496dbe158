"""The page of a month: what moved comes first, every feature has its pictures, and pictures say what they show."""

from __future__ import annotations

from datetime import date
from xml.etree import ElementTree

import pandas as pd
import pytest

from ml.datasets.months import Month
from ml.models import ModelConfig
from ml.monitoring.monitor import Champion, monitor_month
from ml.monitoring.month_page import monitoring_page
from ml.monitoring.pictures import features_section, share_of_limit
from ml.monitoring.trigger import Action, TriggerDecision
from ml.monitoring.verdict import Finding, Kind, MonthVerdict, Severity, Shape
from tests.unit.ml.monitoring.conftest import NEXT

WAIT = TriggerDecision(action=Action.WAIT, month="2013-04", day=date(2013, 5, 1), reasons=("alarm: none",))


@pytest.fixture(scope="module")
def seen(config: ModelConfig, champion: Champion, flights: pd.DataFrame) -> MonthVerdict:
    """April, with the carrier B6 renamed."""
    april = flights[flights.of == str(NEXT)]
    return monitor_month(config, champion, NEXT, april.assign(carrier=april.carrier.replace("B6", "ZZ")))


def verdict(month: str, version: int, value: float, *, limit: float = 0.1, shape: bool = True) -> MonthVerdict:
    """With one feature measured."""
    finding = Finding(
        kind=Kind.FEATURE,
        subject="temp",
        measure="jensen_shannon",
        value=value,
        limit=limit,
        severity=Severity.ALARM if value >= limit else Severity.INFO,
    )
    shapes = (Shape(subject="temp", edges=(0, 1, 2), reference=(0.5, 0.5), current=(1, 0)),) if shape else ()
    return MonthVerdict(
        model="air_time", month=month, version=version, rows=1, labelled_rows=1, findings=(finding,), shapes=shapes
    )


def tree(seen: MonthVerdict, history: list[MonthVerdict]) -> ElementTree.Element:
    return ElementTree.fromstring(f"<div>{features_section(seen, history).html}</div>")


def test_every_feature_has_a_distribution_and_a_trend(config: ModelConfig, seen: MonthVerdict) -> None:
    drawn = tree(seen, [seen])
    names = [each.text.strip() for each in drawn.iter("h3") if each.text]
    assert sorted(names) == sorted([*config.features.names, "prediction"])
    assert all(len(each.findall(".//svg")) == 2 for each in drawn.iterfind(".//*[@class='feature']"))
    captions = [each.text for each in drawn.iter("figcaption")]
    assert captions.count("2013-04 over the reference") == len(names)
    assert captions.count("jensen-shannon by month") + captions.count("l-infinity by month") == len(names)


def test_alarms_come_first_and_what_is_within_its_limit_is_folded_away(seen: MonthVerdict) -> None:
    drawn = tree(seen, [seen])
    by_name = {finding.subject: finding for finding in seen.findings if finding.kind in (Kind.FEATURE, Kind.PREDICTION)}
    folded = [each.text.strip() for each in drawn.findall(".//details//h3")]
    shown = [each.text.strip() for each in drawn.iter("h3") if each.text.strip() not in folded]
    alarms = [by_name[name].severity is Severity.ALARM for name in shown]
    assert "temp" in shown
    assert alarms == sorted(alarms, reverse=True)
    assert all(share_of_limit(by_name[name]) >= 1 for name in shown)
    assert all(share_of_limit(by_name[name]) < 1 for name in folded)
    assert drawn.findtext(".//summary") == f"{len(folded)} within their limits"


def test_an_alarm_comes_before_what_moved_further_and_is_excused() -> None:
    alarm = verdict("2013-04", 1, 0.2)
    excused = alarm.findings[0].model_copy(update={"subject": "pressure", "value": 0.9, "severity": Severity.INFO})
    both = alarm.model_copy(update={"findings": (excused, *alarm.findings)})
    assert [each.text for each in tree(both, [both]).iter("h3")] == ["temp ", "pressure "]


def test_a_renamed_category_is_named_with_its_share(seen: MonthVerdict) -> None:
    (carrier,) = [shape for shape in seen.shapes if shape.subject == "carrier"]
    before, after = (dict(zip(carrier.names, side, strict=True)) for side in (carrier.reference, carrier.current))
    assert after["B6"] == before["ZZ"] == 0
    text = "".join(tree(seen, [seen]).itertext())
    assert f"ZZ{100 * after['ZZ']:.0f} %" in text.replace("\n", "")


def test_the_trend_shows_each_month_once_under_its_champion_and_where_another_began() -> None:
    history = [
        verdict("2013-04", 1, 0.05),
        verdict("2013-05", 1, 0.2),
        verdict("2013-05", 2, 0.3),
        verdict("2013-06", 2, 0.05),
        verdict("2013-06", 3, 0.25),
        verdict("2013-08", 2, 0.9),  # later than the page
    ]
    seen = verdict("2013-07", 2, 0.02)
    trend = tree(seen, [*history, seen]).findall(".//svg")[1]
    told = [title.text for title in trend.iter("title")]
    assert told == ["2013-04: 0.05", "2013-05: 0.3", "2013-06: 0.05", "2013-07: 0.02"]
    assert [circle.get("class") for circle in trend.iter("circle")] == ["paper", "two", "paper", "paper"]
    assert len([path for path in trend.iter("path") if path.get("class") == "rule" and "V" in path.get("d", "")]) == 1


def test_at_most_two_years_are_drawn() -> None:
    first = Month(2013, 1)
    history = [verdict(str(first.shift(back)), 1, 0.01) for back in range(40)]
    told = [title.text for title in tree(history[-1], history).iter("title")]
    assert len(told) == 24
    assert told[-1] == f"{first.shift(39)}: 0.01"


def test_records_from_before_there_were_shapes_still_make_a_page() -> None:
    old = MonthVerdict.model_validate_json(verdict("2013-04", 1, 0.2, shape=False).model_dump_json(exclude={"shapes"}))
    page = monitoring_page(old, WAIT, [old])
    assert page.count("by month</figcaption>") == 1
    assert "over the reference" not in page


def test_a_month_that_could_not_be_read_has_no_pictures() -> None:
    blocked = Finding(
        kind=Kind.SCHEMA, subject="month", measure="readable", severity=Severity.BLOCKED, reason="no rows"
    )
    nothing = MonthVerdict(model="air_time", month="2013-04", version=1, rows=0, labelled_rows=0, findings=(blocked,))
    assert "Feature by feature" not in monitoring_page(nothing, WAIT, [nothing])
