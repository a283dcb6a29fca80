"""Whom a text that somebody just wrote mentions."""

from collections.abc import Iterable

from django.utils.translation import gettext as _

from portal.accounts.models import User
from stories.mentions import names_in, people
from stories.operations.saving import refuse

PEOPLE_AT_MOST = 50


def mentioned(now: Iterable[str], before: Iterable[str] = (), *, field: str = "") -> set[User]:
    """Those whom the texts name now and did not name before. Refused when they are too many."""
    if not (named := names_in(now)):
        return set()
    known = names_in(before)
    if len(new := named - known) > PEOPLE_AT_MOST:
        sentence = _(
            "Mention at most %(most)d people at once; this mentions %(count)d. "
            "In code, between backticks, @ mentions nobody."
        )
        raise refuse("too-many", sentence % {"most": PEOPLE_AT_MOST, "count": len(new)}, field)
    return people(new) - people(known)
