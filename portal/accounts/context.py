"""What every page knows about who looks at it."""

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

# Names that the development identity offers; see SocialAccountAdapter for their roles.
DEVELOPMENT_PEOPLE = [
    ("alice", _("keeps tools")),
    ("bob", _("keeps other tools")),
    ("wanda", _("is in the workgroup")),
    ("ada", _("is an administrator")),
]


def identity(request: HttpRequest) -> dict[str, object]:
    return {
        "wiki_sign_in": _wiki_sign_in(),
        "development_identity": settings.DEVELOPMENT_IDENTITY,
        "development_people": DEVELOPMENT_PEOPLE,
        "languages": settings.LANGUAGES,
    }


def _wiki_sign_in() -> str:
    """The name of the route that signs in with the wiki; empty where no consumer is set up."""
    if not settings.OAUTH_KEY:
        return ""
    return "mediawiki_login" if settings.OAUTH_VERSION == "2" else "wikimedia_login"
