"""Who has the form of a record open, so that two people can talk before they clash."""

from datetime import datetime, timedelta

from django.core.cache import cache
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from portal.accounts.permissions import MemberRequest, requires
from stories.views import find

# The page asks every 20 s; who did not for this long has gone.
GONE_AFTER = timedelta(seconds=50)


def others_at(record_id: int, *, username: str, now: datetime) -> list[str]:
    """Note that somebody is at the form; the names of the others who are.

    A hint, kept in the cache: two who ask at once may forget each other until they ask again.
    """
    key = f"at-the-form:{record_id}"
    seen: dict[str, datetime] = cache.get(key) or {}
    others = {name: at for name, at in seen.items() if name != username and now - at < GONE_AFTER}
    cache.set(key, {**others, username: now}, timeout=GONE_AFTER.total_seconds())
    return sorted(others)


@requires("member")
@require_GET
def editors(request: MemberRequest, ident: str) -> HttpResponse:
    others = others_at(find(ident).pk, username=request.user.username, now=timezone.now())
    return render(request, "stories/_editors.html", {"others": others})
