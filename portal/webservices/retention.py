"""Which images are kept: the newest of a tool, and every one that a release may still need."""

from collections.abc import Collection
from datetime import datetime
from typing import Protocol, runtime_checkable

from django.conf import settings
from django.db.models import Count, Q

from builds.models import Build, Image
from portal.tools.models import Tool
from portal.webservices.models import Release
from portal.webservices.states import ReleaseStatus

# Releases whose images are kept besides the one that runs, to go back to.
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


def remove_old_images(*, store: Store, now: datetime) -> int:
    """Delete what nobody needs and mark its rows; the bytes freed. Skips tools that are built."""
    present = Count("images", filter=Q(images__removed_at=None))
    crowded = Tool.objects.annotate(present=present).filter(present__gt=settings.IMAGES_KEPT)
    busy = Build.objects.under_way().values("tool")
    return sum(_trim(tool, store=store, now=now) for tool in crowded.exclude(pk__in=busy))


def _trim(tool: Tool, *, store: Store, now: datetime) -> int:
    images = tool.images.filter(removed_at=None)
    releases = Release.objects.filter(webservice__tool=tool)
    in_use = releases.filter(status__in=[ReleaseStatus.STARTING, ReleaseStatus.LIVE])
    recent = list(releases.values_list("image", flat=True)[:RELEASES_KEPT])
    newest = list(images.values_list("pk", flat=True)[: settings.IMAGES_KEPT])
    kept = {*newest, *recent, *in_use.values_list("image", flat=True)}
    old = images.exclude(pk__in=kept)
    if not old.exists():
        return 0
    digests = set(Image.objects.filter(pk__in=kept).values_list("digest", flat=True))
    old.exclude(digest__in=digests).update(removed_at=now)
    return store.keep_images(tool.name, digests)
