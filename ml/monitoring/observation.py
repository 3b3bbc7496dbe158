"""A month from the data source under the registry's champion: reading around the pure comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fonderie.core.errors import BadDataError
from ml.datasets.months import Month
from ml.features.catalogue import CATALOGUE
from ml.models import ModelConfig
from ml.monitoring.champion import champion_version, load_champion
from ml.monitoring.monitor import Champion, monitor_month
from ml.monitoring.verdict import Finding, Kind, MonthVerdict, Severity
from ml.registry import Registry

if TYPE_CHECKING:
    from ml.datasets.origins import Origin


def observe(config: ModelConfig, registry: Registry, month: Month, origin: Origin | None = None) -> MonthVerdict:
    """Monitor one month. Raises BadInputError without a champion, BadDataError if it is damaged."""
    trained, champion = load_champion(config, champion_version(registry))
    return observe_month(trained, champion, month, origin)


def observe_month(config: ModelConfig, champion: Champion, month: Month, origin: Origin | None = None) -> MonthVerdict:
    """The same with a champion at hand. A month that cannot be read gives a verdict that says so."""
    from ml.datasets.origins import open_origin

    if gone := [name for name in config.features.names if name not in CATALOGUE]:
        reason = f"the champion reads {', '.join(gone)}, which no feature of the catalogue is called any more"
        return unreadable(config, champion, month, reason)
    try:
        table = (origin or open_origin()).build(config, [month]).table().to_pandas()
    except BadDataError as error:
        return unreadable(config, champion, month, str(error))
    return monitor_month(config, champion, month, table)


def unreadable(config: ModelConfig, champion: Champion, month: Month, reason: str) -> MonthVerdict:
    """The verdict on a month without data, or with data that breaks its contract."""
    finding = Finding(kind=Kind.SCHEMA, subject="month", measure="readable", severity=Severity.BLOCKED, reason=reason)
    return MonthVerdict(
        model=config.name,
        month=str(month),
        version=champion.version,
        rows=0,
        labelled_rows=0,
        findings=(finding,),
        metric=str(config.gate.metric),
        gate_error=config.gate.metric.error(champion.gate_metric),
    )
