"""Measurements, not tests. Each `bench_*.py` holds `measure() -> Iterable[Row]`; `make bench` runs them all."""
