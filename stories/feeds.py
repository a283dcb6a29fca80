"""Atom feeds of what changes."""

from datetime import datetime
from typing import Any

from django.contrib.syndication.views import Feed
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.feedgenerator import Atom1Feed
from django.utils.translation import gettext as _

from stories.checks import CHECKS
from stories.models import Flag, Record, Revision

ENTRIES = 50


class ChangesFeed(Feed):
    """Changes of all records, or of one."""

    required_role = "public"
    feed_type = Atom1Feed

    def get_object(self, request: HttpRequest, ident: str = "") -> Record | None:
        return get_object_or_404(Record.objects.by_ident(ident)) if ident else None

    def title(self, record: Record | None) -> str:
        return str(record) if record else _("Changes of records")

    def link(self, record: Record | None) -> str:
        return record.get_absolute_url() if record else reverse("records_home")

    def items(self, record: Record | None) -> Any:  # noqa: ANN401
        revisions = Revision.objects.select_related("record").defer("stored")
        if record:
            revisions = revisions.filter(record=record)
        return revisions.order_by("-at", "-pk")[:ENTRIES]

    def item_title(self, item: Revision) -> str:
        return f"{item.record} (r{item.number})"

    def item_description(self, item: Revision) -> str:
        return item.summary or str(item.get_cause_display())

    def item_link(self, item: Revision) -> str:
        return reverse("record_diff", args=[item.record.ident]) + f"?to={item.number}"

    def item_updateddate(self, item: Revision) -> datetime:
        return item.at

    def item_author_name(self, item: Revision) -> str:
        return item.author_name


class FindingsFeed(Feed):
    """Findings as they are raised: what needs somebody."""

    required_role = "public"
    feed_type = Atom1Feed

    def title(self) -> str:
        return _("Findings about records")

    def link(self) -> str:
        return reverse("findings")

    def items(self) -> Any:  # noqa: ANN401
        flags = Flag.objects.filter(cleared_at=None).select_related("record")
        return flags.order_by("-raised_at", "-pk")[:ENTRIES]

    def item_title(self, item: Flag) -> str:
        check = CHECKS.get(item.code)
        return f"{item.record}: {check.label if check else item.code}"

    def item_description(self, item: Flag) -> str:
        return item.sentence

    def item_link(self, item: Flag) -> str:
        return item.record.get_absolute_url()

    def item_guid(self, item: Flag) -> str:
        return f"flag-{item.pk}"

    item_guid_is_permalink = False

    def item_updateddate(self, item: Flag) -> datetime:
        return item.raised_at
