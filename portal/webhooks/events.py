"""What the portal tells about, in words."""

from django.utils.translation import gettext_lazy as _

EVENTS = {
    "build.succeeded": _("A build succeeded"),
    "build.failed": _("A build failed"),
    "build.cancelled": _("A build was cancelled"),
    "build.timed-out": _("A build timed out"),
    "release.live": _("A release is live"),
    "release.failed": _("A release failed"),
    "webservice.unhealthy": _("The webservice is unhealthy"),
    "webservice.recovered": _("The webservice recovered"),
}
TEST = "test"
# What somebody wants to know who wants to know of problems only: also that one is over.
PROBLEMS = (
    "build.failed", "build.timed-out", "release.failed", "webservice.unhealthy",
    "webservice.recovered",
)  # fmt: skip


def title_of(event: str) -> str:
    return str(_("A test") if event == TEST else EVENTS.get(event, event))
