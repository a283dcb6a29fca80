"""Tools as toolinfo records (version 1.2.2), which catalogues such as Toolhub crawl."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db.models import Count, Max, Prefetch
from django.db.models.functions import Coalesce
from django.utils.encoding import iri_to_uri
from django.utils.translation import gettext as _

from portal.tools.models import Membership, Tool
from portal.tools.names import LINKS

VERSION = "/toolinfo/1.2.2"
# A renamed maintainer is the only change that does not show in the fingerprint of all tools.
KEPT_SECONDS = 60
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Document:
    body: bytes
    etag: str
    changed_at: datetime


def record_of(tool: Tool, maintainers: Iterable[str]) -> dict[str, Any]:
    """What the catalogue gets of one tool; fields without a value are left out."""
    record: dict[str, Any] = {
        "name": f"{settings.TOOLINFO_PREFIX}{tool.name}",
        "title": tool.title,
        "description": tool.description or tool.title,
        "url": tool.home,
        "author": [{"name": name, "wiki_username": name} for name in maintainers],
        "repository": iri_to_uri(tool.repository),
        "license": tool.license,
        "keywords": ", ".join(tool.keywords),
        "tool_type": "web app",
        **{kind: iri_to_uri(tool.links[kind]) for kind in LINKS if kind in tool.links},
        "_schema": VERSION,
        "_language": "en",
    }
    return {name: value for name, value in record.items() if value}


def document_of(tool: Tool) -> Document:
    return _document(_records([tool])[0], tool.updated_at or tool.created_at)


def whole_document() -> Document:
    """All public tools in the order of their names; made anew only when one of them changed."""
    public = Tool.objects.public()
    state = public.aggregate(
        count=Count("pk"), changed_at=Max(Coalesce("updated_at", "created_at"))
    )
    changed_at = state["changed_at"] or LONG_AGO
    key = f"toolinfo-{state['count']}-{changed_at.timestamp()}-{settings.TOOLINFO_PREFIX}"
    document: Document | None = cache.get(key)
    if document is None:
        document = _document(_records(public.order_by("name")), changed_at)
        cache.set(key, document, KEPT_SECONDS)
    return document


def _records(tools: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - a list or a query of tools
    keepers = Membership.objects.filter(role=Membership.Role.MAINTAINER).select_related("user")
    wanted = Prefetch("memberships", keepers.order_by("user__username"), to_attr="keepers")
    if isinstance(tools, list):
        tools = Tool.objects.filter(pk__in=[tool.pk for tool in tools])
    return [
        record_of(tool, [each.user.username for each in tool.keepers])
        for tool in tools.prefetch_related(wanted)
    ]


def _document(content: Any, changed_at: datetime) -> Document:  # noqa: ANN401
    body = json.dumps(content, ensure_ascii=False, indent=1).encode()
    return Document(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"', changed_at)


class NotToolinfo(Exception):
    """A sentence about what was given."""


@dataclass(frozen=True)
class Reading:
    """What a record says about a tool in our fields, and what it says that we do not keep."""

    fields: Mapping[str, Any]
    ignored: list[str]


def read(text: str, *, name: str) -> Reading:
    """The record of the tool `name`, or the only one. Raises NotToolinfo with a sentence."""
    record = _pick(_parse(text), name)
    _refuse_what_is_no_text(record)
    fields: dict[str, Any] = {
        field: record[field].strip()
        for field in ("title", "description", "license", "repository")
        if isinstance(record.get(field), str)
    }
    if isinstance(record.get("keywords"), str):
        words = [word.strip() for word in record["keywords"].split(",")]
        fields["keywords"] = list(dict.fromkeys(word for word in words if word))
    links = {kind: url for kind in LINKS if (url := _address(record.get(kind)))}
    if links:
        fields["links"] = links
    taken = {*fields, *links, "name", "_schema", "_language", "$schema", "$language"}
    return Reading(fields, sorted(record.keys() - taken))


def _parse(text: str) -> Any:  # noqa: ANN401
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotToolinfo(_("This is no JSON: %(why)s") % {"why": error}) from error


def _pick(content: Any, name: str) -> Mapping[str, Any]:  # noqa: ANN401
    records = content if isinstance(content, list) else [content]
    if not records or not all(isinstance(each, dict) for each in records):
        raise NotToolinfo(_("A toolinfo file is one record, or a list of records."))
    wanted = {name, f"{settings.TOOLINFO_PREFIX}{name}", f"toolforge-{name}"}
    own = [each for each in records if each.get("name") in wanted]
    if own:
        return own[0]
    if len(records) == 1:
        return records[0]
    raise NotToolinfo(
        _("None of the %(count)d records has the name %(name)s.")
        % {"count": len(records), "name": name}
    )


def _refuse_what_is_no_text(record: Mapping[str, Any]) -> None:
    """JSON can say characters that no database and no page takes: NUL, and halves of others."""
    said = json.dumps(record, ensure_ascii=False)
    if "\\u0000" in said or any("\ud800" <= character <= "\udfff" for character in said):
        raise NotToolinfo(_("It holds characters that are no text."))


def _address(value: Any) -> str:  # noqa: ANN401
    """An address, or the English one of several, or the first."""
    if isinstance(value, list):
        found = [each for each in value if isinstance(each, dict)]
        found.sort(key=lambda each: each.get("language") != "en")
        value = found[0].get("url") if found else ""
    return value.strip() if isinstance(value, str) else ""
