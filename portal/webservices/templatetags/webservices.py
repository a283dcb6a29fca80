"""What pages of other apps show of webservices."""

from django import template

from portal.tools.models import Tool
from portal.webservices.comparison import pending_of

register = template.Library()


@register.inclusion_tag("webservices/_pending.html")
def pending_variables(tool: Tool) -> dict[str, object]:
    """Says which variables the webservice does not have yet, with the button that gives them."""
    return {"tool": tool, "pending": pending_of(tool)}
