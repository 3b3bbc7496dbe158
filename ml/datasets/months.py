"""A month of flights: the partition everything is made from."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from fonderie.core.errors import BadInputError


@dataclass(frozen=True, order=True)
class Month:
    """A calendar month; ordered, hashable, written "2013-04"."""

    year: int
    month: int

    def __post_init__(self) -> None:
        """Refuse months outside 1..12 and years outside 1900..2999. Raises BadInputError."""
        if not (1 <= self.month <= 12 and 1900 <= self.year <= 2999):
            raise BadInputError(
                f"'{self.year:04d}-{self.month:02d}' is not a valid month", hint="want YYYY-MM, such as 2013-04"
            )

    @classmethod
    def parse(cls, text: str) -> Month:
        """Parse "2013-04". Raises BadInputError."""
        match = re.fullmatch(r"([0-9]{4})-([0-9]{2})", text.strip())
        if match is None:
            raise BadInputError(f"{text!r} is not a valid month", hint="want YYYY-MM, such as 2013-04")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"

    def shift(self, months: int) -> Month:
        """That many months later, or earlier if negative."""
        count = self.year * 12 + self.month - 1 + months
        return Month(count // 12, count % 12 + 1)

    @property
    def next(self) -> Month:
        """The following month."""
        return self.shift(1)

    @property
    def previous(self) -> Month:
        """The preceding month."""
        return self.shift(-1)

    @property
    def first_day(self) -> date:
        """The month's first day."""
        return date(self.year, self.month, 1)

    @property
    def last_day(self) -> date:
        """The month's last day."""
        return date.fromordinal(self.next.first_day.toordinal() - 1)

    @property
    def days(self) -> int:
        """Number of days, 28 to 31."""
        return self.last_day.day

    def holdout_from(self, fraction: float) -> int:
        """First day of the month's held-out tail: `fraction` of its days, one at least, but never all of them."""
        held = min(max(round(self.days * fraction), 1), self.days - 1)
        return self.days - held + 1


class Calendar(Protocol):
    """Whatever knows which months there are."""

    def months(self) -> list[Month]:
        """In order."""

    def require(self, months: Iterable[Month]) -> None:
        """Raises BadDataError unless there are all of them."""
