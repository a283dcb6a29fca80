"""All kinds of records, by prefix and by address."""

import re

from stories.kinds.base import Kind
from stories.kinds.platform import CLUSTER, COMPONENT, MILESTONE, POLICY, STEP, UPSTREAM
from stories.kinds.wishes import FEATURE, PERSONA, RATIONALE, STORY, USE_CASE
from stories.kinds.work import ACTION, DECISION, DESIGN, MEETING

KINDS: dict[str, Kind] = {
    kind.prefix: kind
    for kind in (
        PERSONA,
        USE_CASE,
        STORY,
        FEATURE,
        RATIONALE,
        DESIGN,
        DECISION,
        MEETING,
        ACTION,
        COMPONENT,
        CLUSTER,
        UPSTREAM,
        POLICY,
        STEP,
        MILESTONE,
    )
}


BY_SLUG = {kind.slug: kind for kind in KINDS.values()}


_IDENT = re.compile(r"([A-Z]{2})-([1-9]\d{0,8})")


def split_ident(ident: str) -> tuple[str, int] | None:
    """ "FT-2" as kind and number; None if it is not an ident."""
    match = _IDENT.fullmatch(ident.strip().upper())
    return (match[1], int(match[2])) if match and match[1] in KINDS else None
