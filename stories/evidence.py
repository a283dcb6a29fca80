"""What the portal knows about real use: named metrics over tools, builds and webservices.

The only module of records that reads them. A metric is one query that finds tools; its value is how
many it finds.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import DatabaseError, transaction
from django.db.models import Count, Exists, F, Max, Min, OuterRef, QuerySet, TextField
from django.db.models.functions import Cast
from django.utils.translation import gettext_lazy as _

from builds.models import Build, Image
from portal.accounts.models import User
from portal.tools.models import EnvVar, Membership, Tool
from portal.webservices.models import Release, Webservice
from portal.webservices.states import ReleaseStatus, Status
from stories.kinds import Label
from stories.models import Reading

log = logging.getLogger(__name__)
MONTH = timedelta(days=30)
# A reading that is older says nothing about today.
CURRENT = timedelta(days=7)
HISTORY_DAYS = 90


@dataclass(frozen=True)
class Metric:
    """`tools` is the query at a moment."""

    name: str
    label: Label
    tools: Callable[[datetime], QuerySet[Tool]]


METRICS: dict[str, Metric] = {}


def metric(
    name: str,
    label: Label,
) -> Callable[[Callable[[datetime], QuerySet[Tool]]], Callable[[datetime], QuerySet[Tool]]]:
    """Register a query under a name that records refer to."""

    def decorate(
        tools: Callable[[datetime], QuerySet[Tool]],
    ) -> Callable[[datetime], QuerySet[Tool]]:
        METRICS[name] = Metric(name, label, tools)
        return tools

    return decorate


@metric("tools", _("Tools"))
def _tools(now: datetime) -> QuerySet[Tool]:
    return Tool.objects.filter(status=Tool.Status.ACTIVE)


@metric("tools.building", _("Tools that were built in the last 30 days"))
def _building(now: datetime) -> QuerySet[Tool]:
    recent = Build.objects.filter(tool=OuterRef("pk"), created_at__gt=now - MONTH)
    return _tools(now).filter(Exists(recent))


@metric("tools.with-variables", _("Tools that set environment variables"))
def _with_variables(now: datetime) -> QuerySet[Tool]:
    return _tools(now).filter(Exists(EnvVar.objects.filter(tool=OuterRef("pk"))))


@metric("tools.shared", _("Tools with several maintainers"))
def _shared(now: datetime) -> QuerySet[Tool]:
    return _tools(now).annotate(people=Count("memberships")).filter(people__gt=1)


@metric("webservices.running", _("Tools with a running webservice"))
def _running(now: datetime) -> QuerySet[Tool]:
    return _tools(now).filter(Exists(_webservices()))


def _webservices() -> QuerySet[Webservice]:
    """Those of the outer tool that answer requests."""
    up = (Status.RUNNING, Status.DEGRADED)
    return Webservice.objects.filter(tool=OuterRef("pk"), status__in=up)


@metric("webservices.replicated", _("Tools with several replicas"))
def _replicated(now: datetime) -> QuerySet[Tool]:
    return _tools(now).filter(Exists(_webservices().filter(replicas__gt=1)))


def _live_with(*buildpacks: str) -> QuerySet[Tool]:
    """Tools whose live release runs an image that all these buildpacks took part in."""
    live = Release.objects.filter(
        webservice__tool=OuterRef("pk"), status=ReleaseStatus.LIVE
    ).annotate(buildpacks=Cast("image__buildpacks", TextField()))
    for name in buildpacks:
        live = live.filter(buildpacks__contains=f'"portal/{name}"')
    return Tool.objects.filter(Exists(live), Exists(_webservices()))


@metric("webservices.from-image", _("Webservices started from a built image"))
def _from_image(now: datetime) -> QuerySet[Tool]:
    return _live_with()


@metric("webservices.python", _("Webservices in Python"))
def _python(now: datetime) -> QuerySet[Tool]:
    return _live_with("python")


@metric("webservices.nodejs", _("Webservices in Node.js"))
def _nodejs(now: datetime) -> QuerySet[Tool]:
    return _live_with("nodejs")


@metric("webservices.static", _("Static sites"))
def _static(now: datetime) -> QuerySet[Tool]:
    return _live_with("static")


@metric("webservices.procfile", _("Webservices with a start command of their own"))
def _procfile(now: datetime) -> QuerySet[Tool]:
    return _live_with("procfile")


@metric("images.several-languages", _("Tools with several languages in one image"))
def _several_languages(now: datetime) -> QuerySet[Tool]:
    latest = Image.objects.filter(tool=OuterRef("pk")).annotate(
        text=Cast("buildpacks", TextField())
    )
    both = latest.filter(text__contains='"portal/python"').filter(text__contains='"portal/nodejs"')
    return _tools(now).filter(Exists(both))


def choices() -> list[tuple[str, Label]]:
    return [(each.name, each.label) for each in METRICS.values()]


def sample(now: datetime, names: Iterable[str] | None = None) -> list[Reading]:
    """Read metrics, all of them unless named, as the readings of today.

    A query that fails leaves a reading without a value: unknown is not zero.
    """
    readings = [_read(METRICS[name], now) for name in (names or METRICS) if name in METRICS]
    Reading.objects.bulk_create(
        readings,
        update_conflicts=True,
        unique_fields=["metric", "on"],
        update_fields=["at", "value", "sample", "error"],
    )
    return readings


def _read(metric: Metric, now: datetime) -> Reading:
    reading = Reading(metric=metric.name, on=now.date(), at=now)
    try:
        with transaction.atomic():
            tools = metric.tools(now)
            reading.value = tools.count()
            names = tools.order_by("name").values_list("name", flat=True)
            reading.sample = list(names[: Reading.SAMPLE])
    except DatabaseError as error:
        log.exception("the metric %s cannot be read", metric.name)
        reading.value, reading.error = None, f"{type(error).__name__}: {error}"[:500]
    return reading


@dataclass(frozen=True)
class Known:
    """The newest reading with a value, and why there is no newer one, if there is none."""

    value: float | None
    at: datetime | None
    sample: Sequence[str]
    error: str

    def is_current(self, now: datetime) -> bool:
        return self.at is not None and now - self.at < CURRENT


UNKNOWN = Known(None, None, (), "")


def latest(names: Iterable[str], until: date | None = None) -> Mapping[str, Known]:
    """What is known of each metric, or was known at the end of a day, in three queries."""
    wanted = [name for name in set(names) if name]
    if not wanted:
        return {}
    newest = Reading.objects.filter(metric__in=wanted).order_by()
    newest = newest.filter(on__lte=until) if until else newest
    with_value = newest.filter(value__isnull=False).values("metric").annotate(on=Max("on"))
    overall = newest.values("metric").annotate(on=Max("on"))
    days = {(row["metric"], row["on"]) for row in [*with_value, *overall]}
    rows = Reading.objects.filter(metric__in=wanted, on__in={on for _name, on in days})
    known: dict[str, Known] = {}
    for row in rows.order_by("on"):
        before = known.get(row.metric, UNKNOWN)
        if row.value is None:
            known[row.metric] = Known(before.value, before.at, before.sample, row.error)
        else:
            known[row.metric] = Known(row.value, row.at, row.sample, "")
    return known


def history(name: str, today: date) -> list[Reading]:
    """The readings of the months before a day, oldest first."""
    since = today - timedelta(days=HISTORY_DAYS)
    return list(Reading.objects.filter(metric=name, on__range=(since, today)).order_by("on"))


def named(fields: Mapping[str, Any]) -> list[str]:
    """The metrics that a record names: its own, and those of its rows."""
    rows = [*fields.get("evidence", []), *fields.get("expected_effect", [])]
    names = [fields.get("metric"), *(row.get("metric") for row in rows)]
    return list(dict.fromkeys(name for name in names if name))


def unused(names: Iterable[str], now: datetime, span: timedelta) -> set[str]:
    """Those of the metrics that were read all that time, and were never above zero."""
    readings = Reading.objects.filter(metric__in=set(names), on__gte=(now - span).date())
    seen = readings.order_by().values("metric").annotate(first=Min("at"), most=Max("value"))
    long_ago = now - span + timedelta(days=1)
    return {row["metric"] for row in seen if row["first"] <= long_ago and row["most"] == 0}


def change(then: float | None, now: float | None) -> float | None:
    """In percent of `then`; from nothing to something is 100. None if either is unknown."""
    if then is None or now is None:
        return None
    if then == 0:
        return 0.0 if now == 0 else 100.0
    return (now - then) / then * 100


@dataclass(frozen=True)
class Affected:
    tool: Tool
    maintainers: Sequence[str]


def affected(name: str, now: datetime) -> list[Affected]:
    """Tools that a metric counts now with the people who keep them: whom a removal would meet."""
    if name not in METRICS:
        return []
    tools = list(METRICS[name].tools(now).order_by("name"))
    keepers: dict[int, list[str]] = {}
    members = Membership.objects.filter(tool__in=[tool.pk for tool in tools])
    for tool_id, username in members.order_by("user__username").values_list(
        "tool_id", F("user__username")
    ):
        keepers.setdefault(tool_id, []).append(username)
    return [Affected(tool, keepers.get(tool.pk, ())) for tool in tools]


def metrics_of(tool: Tool, now: datetime) -> set[str]:
    """Names of the metrics that count this tool, in one query."""
    counted = {
        f"m{place}": Exists(each.tools(now).filter(pk=OuterRef("pk")))
        for place, each in enumerate(METRICS.values())
    }
    row = Tool.objects.filter(pk=tool.pk).values(**counted).get()
    return {name for name, is_counted in zip(METRICS, row.values(), strict=True) if is_counted}


def tools_of(user: User) -> QuerySet[Tool]:
    """The tools for which somebody may support a record."""
    return Tool.objects.of_member(user).order_by("name")
