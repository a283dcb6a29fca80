"""A small wiki that people sign in with: OAuth 1.0a and OAuth 2 as MediaWiki speaks them.

It checks signatures, nonces and time stamps, and can be told to rename, block, lie or hang.
"""

from tests.wiki.people import Person, Wiki
from tests.wiki.server import WikiServer

__all__ = ["Person", "Wiki", "WikiServer"]
