"""Which images are kept: the newest of a tool, and every one that a release may still need."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, Max, Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from builds.models import Build, Image
from portal.clusters.models import RegistryPlace
from portal.tools.models import Tool
from portal.webservices.models import Release, Webservice
from portal.webservices.states import ReleaseStatus

# So many of the images that were released last are kept, to go back to.
RELEASES_KEPT = 3


class Store(Protocol):
    def keep_images(self, tool: str, digests: set[str]) -> int:
        """Delete the tool's other images; the bytes freed."""


@runtime_checkable
class Unpacks(Protocol):
    """An engine that unpacks images in order to run them."""

    def keep_unpacked(self, digests: Collection[str]) -> int:
        """Delete unpacked images that are neither named nor run; how many went."""


def remove_old_unpacked(*, engine: object) -> int:
    """Delete unpacked images of releases that are neither live nor on their way to be."""
    if not isinstance(engine, Unpacks):
        return 0
    in_use = Release.objects.filter(status__in=[ReleaseStatus.STARTING, ReleaseStatus.LIVE])
    return engine.keep_unpacked(set(in_use.values_list("image__digest", flat=True)))


@dataclass(frozen=True)
class Verdict:
    """What the next clean-up does with an image, and why."""

    image: Image
    # In words; empty when nobody needs it and it goes.
    reasons: tuple[str, ...]

    @property
    def is_kept(self) -> bool:
        return bool(self.reasons)


def verdicts(tool: Tool) -> list[Verdict]:
    """Of each image that is there, the newest first; changes nothing."""
    images = _present(tool).select_related("build__tool")
    why: dict[int, list[str]] = {}
    for image_id, reason in (*_needed(tool), *_recent(tool, settings.IMAGES_KEPT)):
        why.setdefault(image_id, []).append(reason)
    return [Verdict(image, tuple(why.get(image.pk, ()))) for image in images]


def _present(tool: Tool) -> QuerySet[Image]:
    """Those where the tool lives."""
    return tool.images.filter(removed_at=None, build__cluster=tool.cluster)


def _needed(tool: Tool) -> Iterator[tuple[int, str]]:
    releases = Release.objects.filter(webservice__tool=tool)
    current = Q(status__in=[ReleaseStatus.STARTING, ReleaseStatus.LIVE])
    for release in releases.filter(current | Q(is_pinned=True)):
        yield release.image_id, _holds(release) % {"number": release.number}
    served = releases.exclude(status=ReleaseStatus.FAILED).values("image")
    latest = served.annotate(last=Max("pk"), number=Max("number")).order_by("-last")
    for row in latest[:RELEASES_KEPT]:
        text = _("one of the last %(kept)d that were released, in release %(number)d")
        yield row["image"], text % {"kept": RELEASES_KEPT, "number": row["number"]}


def _holds(release: Release) -> str:
    if release.status == ReleaseStatus.LIVE:
        return _("release %(number)d runs it")
    if release.status == ReleaseStatus.STARTING:
        return _("release %(number)d is starting it")
    return _("release %(number)d pins it")


def _recent(tool: Tool, kept: int) -> Iterator[tuple[int, str]]:
    reason = ngettext("the newest one", "one of the newest %(kept)d", kept) % {"kept": kept}
    wanted = _present(tool).filter(is_unwanted=False)
    for pk in wanted.values_list("pk", flat=True)[:kept]:
        yield pk, reason


def remove_old_images(*, store: Store, now: datetime) -> int:
    """Mark what nobody needs, and delete it here; the bytes freed. Skips tools that are built.

    What is in a cluster's registry is left over until the tool's place there is looked at.
    """
    lives = Q(images__build__cluster=F("cluster")) | Q(images__build__cluster=None, cluster=None)
    there = Q(images__removed_at=None) & lives
    present = Count("images", filter=there)
    unwanted = Count("images", filter=there & Q(images__is_unwanted=True))
    crowded = Tool.objects.annotate(present=present, unwanted=unwanted).filter(
        Q(present__gt=settings.IMAGES_KEPT) | Q(unwanted__gt=0)
    )
    busy = Build.objects.under_way().values("tool")
    return sum(_trim(tool, store=store, now=now) for tool in crowded.exclude(pk__in=busy))


def _trim(tool: Tool, *, store: Store, now: datetime) -> int:
    with transaction.atomic():
        # A release that is made at this moment waits, and finds its image gone or kept.
        list(Webservice.objects.select_for_update().filter(tool=tool))
        decided = verdicts(tool)
        digests = {each.image.digest for each in decided if each.is_kept}
        gone = [each.image.pk for each in decided if each.image.digest not in digests]
        rows = Image.objects.filter(pk__in=gone)
        rows.update(removed_at=now, is_left_over=tool.cluster_id is not None)
        RegistryPlace.objects.filter(tool=tool, cluster=tool.cluster_id).wake(now=now)
    if tool.cluster_id or not gone:
        return 0
    return store.keep_images(tool.name, digests)
