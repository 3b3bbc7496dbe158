"""Examples of Cloud Logging's and Cloud Monitoring's own pages, and what they say of each.

Source: cloud.google.com/logging/docs/view/logging-query-language, cloud.google.com/monitoring/api/v3/filters.
"""

import pytest

from fonderie.core.errors import BadInputError
from fonderie.sandbox.logging_filter import logging_filter, monitoring_filter

ENTRY = {
    "logName": "projects/p/logs/cloudscheduler.googleapis.com%2Fexecutions",
    "resource": {"type": "gce_instance", "labels": {"zone": "us-central1-a", "module-id": "default"}},
    "severity": "ERROR",
    "timestamp": "2026-11-28T03:00:01.123456789Z",
    "insertId": "x1",
    "httpRequest": {"status": 500, "latency": 0.25},
    "jsonPayload": {"@type": "type.googleapis.com/x.AttemptFinished", "cat": "Grumpy", "list": [{"a": "1"}, {"a": "2"}],
                    "flag": True},
    "textPayload": "ERROR: build step 0 failed",
}  # fmt: skip


@pytest.mark.parametrize(
    ("query", "matches"),
    [
        ("", True),
        ('resource.type = "gce_instance"', True),
        ("resource.type=gce_instance", True),
        ('resource.type="GCE_INSTANCE"', True),
        ('resource.type="gce"', False),
        ('resource.type:"gce"', True),
        ('resource.labels."module-id"="default"', True),
        ("resource.labels.module-id=default", True),
        ("severity>=WARNING", True),
        ("severity>=CRITICAL", False),
        ("severity=ERROR severity!=INFO", True),
        ("severity>=400", True),
        ('timestamp>="2026-11-28T03:00:00Z" AND timestamp<"2026-11-28T04:00:00Z"', True),
        ("httpRequest.status>=400 AND httpRequest.status<600", True),
        ("httpRequest.latency>0.3", False),
        ("jsonPayload.flag=true", True),
        ('jsonPayload."@type"="type.googleapis.com/x.AttemptFinished"', True),
        ("jsonPayload.list.a=2", True),
        ("jsonPayload.list.a=3", False),
        ("jsonPayload.missing:*", False),
        ("jsonPayload.cat:*", True),
        ("jsonPayload.missing!=1", False),
        ("NOT jsonPayload.missing=1", True),
        ("-severity=INFO", True),
        ('textPayload=~"^ERROR: build step [0-9]+"', True),
        ('textPayload=~"^error"', False),
        ('textPayload!~"^error"', True),
        ('textPayload=~"^(ERROR|TIMEOUT)(:|$)"', True),
        ('"build step"', True),
        ("grumpy", True),
        ('log_id("cloudscheduler.googleapis.com/executions")', True),
        ('log_id("cloudbuild")', False),
        ('jsonPayload.cat=("lazy" OR "grumpy")', True),
        ('jsonPayload.cat=("lazy" OR "sleepy")', False),
        ('jsonPayload.cat=(NOT "lazy")', True),
        ('-- a comment\nseverity=ERROR\njsonPayload.cat="Grumpy"', True),
        # OR binds closer than AND: (a OR b) AND (c OR d)
        ("severity=ERROR OR severity=INFO AND insertId=no OR insertId=never", False),
        ("(severity=ERROR) OR (severity=INFO AND insertId=no)", True),
        ("NOT (severity=ERROR AND insertId=x1)", False),
    ],
)
def test_a_query_of_logging_says_what_its_page_says(query, matches):
    assert logging_filter(query)(ENTRY) is matches


SERIES = {
    "metric": {"type": "aiplatform.googleapis.com/prediction/online/response_count",
               "labels": {"response_code": "503"}},
    "resource": {"type": "aiplatform.googleapis.com/Endpoint", "labels": {"endpoint_id": "42"}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("query", "matches"),
    [
        ('metric.type = "aiplatform.googleapis.com/prediction/online/response_count"', True),
        ('metric.labels.response_code = starts_with("5") AND resource.labels.endpoint_id = "42"', True),
        ('metric.labels.response_code = starts_with("2")', False),
        ('metric.labels.response_code != starts_with("2")', True),
        ('metric.type = ends_with("error_count")', False),
        ('resource.type = has_substring("Endpoint")', True),
    ],
)
def test_a_filter_of_monitoring_says_what_its_page_says(query, matches):
    assert monitoring_filter(query)(SERIES) is matches


@pytest.mark.parametrize(
    "query", ["a=", "(a=1", "a=1)", "=1", "a=1 AND", "NOT", 'a="1', "SEARCH(x)", "sample(insertId, 0.1)"]
)
def test_what_is_no_query_or_unknown_is_refused_and_named(query):
    with pytest.raises(BadInputError, match=r"not a filter|unknown function"):
        logging_filter(query)


def test_a_function_of_logging_is_unknown_to_monitoring():
    with pytest.raises(BadInputError, match="unknown function 'log_id'"):
        monitoring_filter('log_id("x")')
