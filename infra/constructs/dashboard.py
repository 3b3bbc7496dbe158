"""One dashboard: the pipelines, the drift, the endpoints."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from imports.google.monitoring_dashboard import MonitoringDashboard
from infra.bindings import Construct
from infra.settings import Environment

WIDTH, HEIGHT = 24, 16  # of a tile, on a mosaic of 48 columns


class Dashboard(Construct):
    """Lines over time, two a row; `charts` are (title, filter, aligner).

    Source: Cloud Monitoring, "Dashboards in the API": MosaicLayout, XyChart.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        env: Environment,
        title: str,
        charts: Sequence[tuple[str, str, str]],
        after: Sequence[Any] = (),
    ) -> None:
        super().__init__(scope, id)
        tiles = [_tile(index, *chart) for index, chart in enumerate(charts)]
        layout = {"displayName": title, "labels": {env.name: ""}, "mosaicLayout": {"columns": 48, "tiles": tiles}}
        self.dashboard = MonitoringDashboard(
            self, "Default", dashboard_json=json.dumps(layout, sort_keys=True), depends_on=list(after)
        )


def _tile(index: int, title: str, filter: str, aligner: str) -> dict[str, Any]:
    aggregation = {"alignmentPeriod": "300s", "perSeriesAligner": aligner}
    series = {
        "timeSeriesQuery": {"timeSeriesFilter": {"aggregation": aggregation, "filter": filter}},
        "plotType": "LINE",
    }
    place = {"xPos": WIDTH * (index % 2), "yPos": HEIGHT * (index // 2)}
    return {
        **{key: value for key, value in place.items() if value},
        "width": WIDTH,
        "height": HEIGHT,
        "widget": {"title": title, "xyChart": {"dataSets": [series]}},
    }
