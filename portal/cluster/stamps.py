"""Output of which each line begins with its time, as a cluster gives it."""

import re
from datetime import UTC, datetime

SECOND = 10**9
_STAMP = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")


def stamped_lines(
    raw: bytes, *, after: int = -1, with_rest: bool = False
) -> list[tuple[int, bytes]]:
    """The complete lines after a time, each with its own in nanoseconds; 0 where it has none.

    What comes after the last end of a line was cut off, or is not all there yet: it counts only
    `with_rest`.
    """
    lines = raw.split(b"\n")
    rest = lines.pop()
    if rest and with_rest:
        lines.append(rest)
    stamped = (line.partition(b" ") for line in lines)
    timed = ((_time_of(stamp), text + b"\n") for stamp, _space, text in stamped)
    return [(time, text) for time, text in timed if time > after]


def second_of(time: int) -> datetime | None:
    """The second of a time, for a cluster counts in whole ones; None is the beginning."""
    return datetime.fromtimestamp(time // SECOND, UTC) if time else None


def _time_of(stamp: bytes) -> int:
    """Nanoseconds of such as 2026-05-04T12:00:00.123456789Z, which no datetime can hold."""
    found = _STAMP.fullmatch(stamp)
    if not found:
        return 0
    moment, fraction, zone = (part.decode() for part in found.groups(default=b""))
    whole = datetime.fromisoformat(moment + zone).timestamp()
    return int(whole) * SECOND + int(fraction.ljust(9, "0") or 0)
