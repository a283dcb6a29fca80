"""What does not fit together among records: gaps, contradictions, answers gone stale.

A check is a query over records plus a sentence. Its findings are kept as `Flag` rows, refreshed for
the records that a save touches and for all of them once an hour. What is still a draft raises none,
but for a story without a feature.
"""

from stories.checks import kept, reasons, wishes, work
from stories.checks.base import CHECKS, Check, Severity
from stories.checks.flags import refresh
from stories.checks.platform import outlooks, outlooks_of, releases, upstream

__all__ = [
    "CHECKS",
    "Check",
    "Severity",
    "kept",
    "outlooks",
    "outlooks_of",
    "reasons",
    "refresh",
    "releases",
    "upstream",
    "wishes",
    "work",
]
