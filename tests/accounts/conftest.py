"""A wiki to sign in with, and browsers of people who do."""

import pytest

from tests.wiki import WikiServer
from tests.wiki.browser import Visitor


@pytest.fixture
def wiki(settings, db):
    with WikiServer() as wiki:
        settings.WIKI_URL = wiki.url
        settings.WIKI_REST_URL = wiki.url.replace("index.php", "rest.php")
        settings.OAUTH_KEY, settings.OAUTH_SECRET = wiki.key, wiki.secret
        settings.WIKI_TIMEOUT = 5
        yield wiki


@pytest.fixture(params=["1.0a", "2"])
def protocol(request, settings):
    """Both ways to sign in."""
    settings.OAUTH_VERSION = request.param
    return request.param


@pytest.fixture
def visitor(wiki):
    """A browser that was never here."""
    return Visitor(wiki)
