"""How pages write durations."""

from datetime import timedelta

from django import template
from django.utils.translation import gettext as _

register = template.Library()


@register.filter
def duration(value: timedelta | None) -> str:
    """Such as "0.8 s", "42 s", "3 min 5 s"; a dash for None."""
    if value is None:
        return "–"
    seconds = value.total_seconds()
    if seconds < 10:
        return _("%(seconds).1f s") % {"seconds": seconds}
    if seconds < 60:
        return _("%(seconds)d s") % {"seconds": seconds}
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return _("%(minutes)d min %(seconds)d s") % {"minutes": minutes, "seconds": rest}
    hours, minutes = divmod(minutes, 60)
    return _("%(hours)d h %(minutes)d min") % {"hours": hours, "minutes": minutes}
