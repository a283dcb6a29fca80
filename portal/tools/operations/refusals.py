"""Why something about a tool is not done, in words for whoever asked."""

from portal.refusals import Refused, Stale


class ToolRefused(Refused):
    """Something about a tool is not done."""


class StaleVersion(ToolRefused, Stale):
    """Somebody else changed the tool since the caller read it."""
