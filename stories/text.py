"""Markdown to safe HTML, and comparing texts as people write them."""

import hashlib
import re
from collections.abc import Callable
from html import unescape

import nh3
from django.core.cache import cache
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

_IDENT = re.compile(r"(?<![\w/-])([A-Z]{2}-[1-9]\d{0,8})(?![\w-])")
_QUOTES = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "\xa0": " "})
_MARKDOWN = MarkdownIt("js-default", {"html": False, "linkify": False})
# Headings of a field are below those of the page.
_LEVEL = re.compile(r"<(/?)h([1-6])>")
_CACHE_SECONDS = 7 * 86400


def render(source: str) -> SafeString:
    """Markdown as HTML without anything that runs; idents such as FT-2 become links."""
    key = f"markdown:{hashlib.sha256(source.encode()).hexdigest()}"
    html = cache.get(key)
    if html is None:
        html = _render(source)
        cache.set(key, html, _CACHE_SECONDS)
    return mark_safe(html)  # nosec B703 B308 - nh3 cleaned it


def _render(source: str) -> str:
    html = _LEVEL.sub(
        lambda match: f"<{match[1]}h{min(6, int(match[2]) + 3)}>", _MARKDOWN.render(source)
    )
    html = html.replace("<table>", '<div class="table"><table>').replace(
        "</table>", "</table></div>"
    )
    cleaned = nh3.clean(
        html,
        link_rel="nofollow noopener",
        attributes={"a": {"href", "title"}, "div": {"class"}, "ol": {"start"}, "td": {"align"}},
        url_schemes={"http", "https", "mailto"},
    )
    return _link_idents(cleaned)


def _link_idents(html: str) -> str:
    return within(html, lambda part: _IDENT.sub(r'<a href="/r/\1">\1</a>', part))


def within(html: str, change: Callable[[str], str]) -> str:
    """Change the text between tags of what was rendered, but not inside of links and code."""
    parts = re.split(r"(<[^>]*>)", html)
    inside = 0
    for place, part in enumerate(parts):
        if part.startswith("<"):
            inside += len(re.findall(r"^<(?:a|code)[ >]", part))
            inside -= len(re.findall(r"^</(?:a|code)>", part))
        elif not inside:
            parts[place] = change(part)
    return "".join(parts)


def spoken(source: str) -> list[str]:
    """What Markdown says outside of links and code, in pieces without any markup."""
    pieces: list[str] = []

    def keep(part: str) -> str:
        pieces.append(unescape(part))
        return part

    within(render(source), keep)
    return pieces


def normal(text: str) -> str:
    """The text with straight quotes and single spaces, for comparing quotations."""
    return re.sub(r"\s+", " ", text.translate(_QUOTES)).strip()


def occurs(quote: str, source: str) -> bool:
    return normal(quote) in normal(source)
