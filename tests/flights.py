"""Small invented months of the flights' schema, for tests that need data of a known shape fast."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ml.datasets.months import Month

ROUTES = {"LAX": 2475.0, "ORD": 733.0, "BOS": 187.0, "MIA": 1089.0, "DEN": 1620.0}
ZONES = {"LAX": 3, "DEN": 2, "ORD": 1}
"""Hours that the clock of a destination is behind."""
CARRIERS = ("UA", "DL", "B6")
PACE = {"UA": 1.0, "DL": 1.04, "B6": 0.97}
"""So that neither a destination's mean nor a carrier's is the best there is."""
ORIGINS = ("EWR", "JFK", "LGA")
PLANES = 40

Change = Callable[[pd.DataFrame], pd.DataFrame]


def months_between(first: Month, last: Month) -> list[Month]:
    """`first` to `last`, both included."""
    months = [first]
    while months[-1] < last:
        months.append(months[-1].next)
    return months


def flights(month: Month, *, per_day: int = 60, seed: int = 0) -> pd.DataFrame:
    """`per_day` flights on every day of the month; about 3 % are cancelled. The same seed gives the same month."""
    rng = np.random.default_rng([seed, month.year, month.month])
    n = per_day * month.days
    day = np.repeat(np.arange(1, month.days + 1), per_day)
    hour, minute = rng.integers(0, 24, n), rng.integers(0, 60, n)
    dest = rng.choice(list(ROUTES), n)
    distance = np.array([ROUTES[name] for name in dest])
    season = 8 * np.cos((month.month - 1) / 12 * 2 * np.pi)
    air_time = np.round(15 + distance / 7.5 + season * distance / 1000 + rng.normal(0, 5, n)).clip(20)
    dep_delay = np.round(rng.exponential(15, n) * (0.1 + (hour / 12) ** 2) - 6)  # delays pile up over the day
    planned = np.round(40 + distance / 7.5) - 60 * np.array([ZONES.get(name, 0) for name in dest])
    arrival = hour * 60 + minute + planned
    frame = pd.DataFrame(
        {
            "year": month.year,
            "month": month.month,
            "day": day,
            "dep_time": clock(hour * 60 + minute + dep_delay),
            "sched_dep_time": hour * 100 + minute,
            "dep_delay": dep_delay,
            "arr_time": clock(arrival + dep_delay),
            "sched_arr_time": clock(arrival),
            "arr_delay": dep_delay + np.round(rng.normal(0, 8, n)),
            "carrier": rng.choice(CARRIERS, n),
            "flight": np.tile(np.arange(1, per_day + 1), month.days),
            "tailnum": [f"N{number}ZZ" for number in rng.integers(100, 100 + PLANES + 5, n)],
            "origin": rng.choice(ORIGINS, n),
            "dest": dest,
            "air_time": air_time,
            "distance": distance,
            "hour": hour,
            "minute": minute,
            "time_hour": pd.to_datetime({"year": month.year, "month": month.month, "day": day, "hour": hour}, utc=True),
        }
    )
    frame["air_time"] = np.round(frame["air_time"] * frame["carrier"].map(PACE))
    cancelled = rng.random(n) < 0.03
    frame.loc[cancelled, ["dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"]] = np.nan
    return frame


def clock(minutes: np.ndarray) -> np.ndarray:
    """Minutes since some midnight as HHMM."""
    minutes = np.round(minutes).astype(int) % 1440
    return (minutes // 60 * 100 + minutes % 60).astype(float)


def weather(month: Month, *, seed: int = 0) -> pd.DataFrame:
    """One observation an airport and hour, a tenth of the hours missing."""
    rng = np.random.default_rng([seed, month.year, month.month, 1])
    grid = pd.MultiIndex.from_product([ORIGINS, range(1, month.days + 1), range(24)], names=["origin", "day", "hour"])
    frame = grid.to_frame(index=False).assign(year=month.year, month=month.month)
    for name, (low, high) in MEASURES.items():
        frame[name] = np.round(rng.uniform(low, high, len(frame)), 2)
    frame["time_hour"] = pd.to_datetime(frame[["year", "month", "day", "hour"]], utc=True)
    return frame[rng.random(len(frame)) > 0.1].reset_index(drop=True)


MEASURES = {
    "temp": (20, 90),
    "dewp": (10, 70),
    "humid": (20, 100),
    "wind_dir": (0, 360),
    "wind_speed": (0, 30),
    "wind_gust": (0, 45),
    "precip": (0, 0.3),
    "pressure": (990, 1030),
    "visib": (1, 10),
}


def planes() -> pd.DataFrame:
    """The register; a few tail numbers of the flights are not in it."""
    number = np.arange(100, 100 + PLANES)
    return pd.DataFrame(
        {
            "tailnum": [f"N{n}ZZ" for n in number],
            "year": (1990 + number % 23).astype(float),
            "type": "Fixed wing multi engine",
            "manufacturer": "BOEING",
            "model": "737",
            "engines": 2,
            "seats": 100 + number,
            "speed": np.nan,
            "engine": np.where(number % 5, "Turbo-fan", "Turbo-jet"),
        }
    )


def write_months(folder: Path, months: Sequence[Month], *, per_day: int = 60, seed: int = 0) -> Path:
    """A folder that FONDERIE_DATA can name."""
    for kind in ("flights", "weather"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for month in months:
        flights(month, per_day=per_day, seed=seed).to_parquet(folder / "flights" / f"{month}.parquet")
        weather(month, seed=seed).to_parquet(folder / "weather" / f"{month}.parquet")
    planes().to_parquet(folder / "planes.parquet")
    return folder


def change(path: Path, how: Change) -> None:
    """Rewrite one Parquet file through `how`."""
    how(pd.read_parquet(path)).to_parquet(path)
