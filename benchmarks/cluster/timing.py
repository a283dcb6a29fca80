"""Waiting and describing."""

import time
from collections.abc import Callable
from statistics import median, quantiles


class TooLate(Exception):
    """It did not come about in time."""


def seconds_until(check: Callable[[], object], *, limit: float = 120, what: str = "it") -> float:
    began = time.monotonic()
    while not check():
        if time.monotonic() - began > limit:
            raise TooLate(f"{what}: not within {limit:.0f} s")
        time.sleep(0.004)
    return time.monotonic() - began


def in_ms(seconds: list[float]) -> str:
    """The middle, the slowest, and what few were slower than."""
    cuts = quantiles(seconds, n=100) if len(seconds) > 1 else seconds * 99
    p50, p95, p99, most = median(seconds), cuts[94], cuts[98], max(seconds)
    figures = (f"p{n} {value * 1000:.0f}" for n, value in ((50, p50), (95, p95), (99, p99)))
    return f"{', '.join(figures)}, most {most * 1000:.0f} ms ({len(seconds)} tries)"
