"""The layers that a tool's builds find again: how large they are, and beginning anew."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from builds.admission import lock_queue
from builds.models import BuildCache
from builds.operations import BuildRefused
from builds.tasks import engine
from portal.accounts.models import User
from portal.tools.models import Tool
from portal.tools.operations import record_event


def cache_of(tool: Tool) -> BuildCache | None:
    """As measured after the last build; None when nothing is kept."""
    return BuildCache.objects.filter(tool=tool, size__gt=0).first()


def clear_cache(tool: Tool, *, by: User, at: datetime) -> None:
    """Have the next build begin from nothing. Raises BuildRefused while one uses the cache."""
    if tool.cluster:
        raise BuildRefused(
            _("This tool is built in a cluster, which looks after its cache itself.")
        )
    with transaction.atomic():
        # No build starts meanwhile.
        lock_queue()
        if tool.builds.running().exists():
            raise BuildRefused(
                _("A build is running and uses the cache. Wait until it ends, or cancel it.")
            )
        engine().clear_cache(tool.name)
        BuildCache.objects.update_or_create(tool=tool, defaults={"size": 0, "measured_at": at})
        record_event(tool, by=by, action="cache.cleared", summary="", at=at)
