"""The numbers that stand beside a record, at a moment: evidence, effects, use, outlooks."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from stories import evidence, pictures
from stories.cadence import Outlook
from stories.models import Record

TOOLS_SHOWN = 12


def proof(record: Record, now: datetime) -> list[dict[str, Any]]:
    """Each claim of a rationale with the number then, now and the change."""
    rows = record.fields.get("evidence", [])
    known = evidence.latest((row["metric"] for row in rows), now.date())
    found = []
    for row in rows:
        seen = known.get(row["metric"], evidence.UNKNOWN)
        found.append(
            {
                "row": row,
                "known": seen,
                "change": evidence.change(row["seen_value"], seen.value),
                "metric": evidence.METRICS.get(row["metric"]),
                "spark": _spark(row["metric"], now),
            }
        )
    return found


def effects(record: Record, now: datetime) -> list[dict[str, Any]]:
    """What a decision was expected to bring, beside what is measured."""
    rows = record.fields.get("expected_effect", [])
    known = evidence.latest((row["metric"] for row in rows), now.date())
    return [
        {
            "row": row,
            "metric": evidence.METRICS.get(row["metric"]),
            "known": known.get(row["metric"], evidence.UNKNOWN),
        }
        for row in rows
    ]


def use(record: Record, now: datetime) -> dict[str, Any] | None:
    """How much a feature is used, by whom, and how that went in the days before."""
    name = record.fields.get("metric")
    if not name:
        return None
    known = evidence.latest([name], now.date()).get(name, evidence.UNKNOWN)
    return {
        "metric": evidence.METRICS.get(name),
        "known": known,
        "tools": known.sample[:TOOLS_SHOWN],
        "spark": _spark(name, now),
    }


def _spark(name: str, now: datetime) -> SafeString:
    readings = evidence.history(name, now.date()) if name else []
    return pictures.sparkline([each.value for each in readings], _("The last 90 days"))


def outlooks(found: Iterable[tuple[Record, Outlook]]) -> list[dict[str, Any]]:
    """Where an upgrade policy leads clusters, with a picture of it."""
    return [
        {
            "cluster": cluster,
            "outlook": seen,
            "picture": pictures.timeline(seen, seen.end),
            "share": round(seen.supported_share * 100),
        }
        for cluster, seen in found
    ]
