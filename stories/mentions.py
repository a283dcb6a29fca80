"""Naming people in texts: @Name, or @[Name with spaces]; never in code, links or addresses."""

import re
from collections.abc import Container, Iterable
from html import escape, unescape

from django.utils.safestring import SafeString, mark_safe

from portal.accounts.models import User
from stories.text import render, spoken, within

# Whom a mention may mean, the longest first: "@bob." at the end of a sentence is bob.
Name = tuple[str, ...]

# What ends a short name. Marks of direction do too; joiners do not, for Persian names hold them.
_PUNCTUATION = r"!\"#$%&()*,/:;<=>?@\[\]\\^`{|}~“”„«»‹›…–—،؛؟。，、！？：；（）「」『』।॥·"
_ENDS = _PUNCTUATION + r"\s\x00-\x1f\u200e\u200f\u202a-\u202e\u2066-\u2069"
_MENTION = re.compile(rf"(?<![\w@/.+-])@(?:\[([^\[\]\n]+)\]|([^{_ENDS}]++)(?!@))")
_CLOSING = ".'’_-"


def names_in(texts: Iterable[str]) -> set[Name]:
    """Everyone whom Markdown texts name, whether there is such an account or not."""
    return {
        _name(match)
        for text in texts
        if "@" in text
        for piece in spoken(text)
        for match in _MENTION.finditer(piece)
    }


def _name(match: re.Match[str]) -> Name:
    if match[1]:
        return (" ".join(match[1].split()),)
    whole = match[2]
    shorter = [whole.rstrip(_CLOSING), re.split("['’]", whole)[0]]
    return tuple(dict.fromkeys(each for each in [whole, *shorter] if each))


def people(names: Iterable[Name]) -> set[User]:
    """Those of them who have an account; one query."""
    wanted = set(names)
    known = User.objects.filter(
        is_active=True, username__in={one for each in wanted for one in each}
    )
    by_name = {each.username: each for each in known} if wanted else {}
    return {by_name[one] for each in wanted if (one := _meant(each, by_name))}


def _meant(name: Name, known: Container[str]) -> str:
    return next((each for each in name if each in known), "")


def marked(text: str, known: Container[str]) -> SafeString:
    """Markdown as HTML in which those of `known` whom it names stand out."""

    def mark(match: re.Match[str]) -> str:
        name = _meant(tuple(map(unescape, _name(match))), known)
        if not name:
            return match[0]
        rest = "" if match[1] else match[2][len(name) :]
        return f'<strong class="mention"><bdi>@{escape(name)}</bdi></strong>{rest}'

    html = within(render(text), lambda part: _MENTION.sub(mark, part))
    return mark_safe(html)  # nosec B703 B308 - rendered clean, and names are escaped
