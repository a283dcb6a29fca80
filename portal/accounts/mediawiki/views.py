"""To the wiki and back, by OAuth 2: allauth's own views."""

from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView, OAuth2LoginView
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from portal.accounts.mediawiki.client import MediaWikiAdapter
from portal.accounts.permissions import requires

to_the_wiki = OAuth2LoginView.adapter_view(MediaWikiAdapter)
and_back = OAuth2CallbackView.adapter_view(MediaWikiAdapter)


@never_cache
@requires("public")
@require_POST
def login(request: HttpRequest) -> HttpResponse:
    _check_set_up()
    return to_the_wiki(request)


@never_cache
@requires("public")
@require_GET
def callback(request: HttpRequest) -> HttpResponse:
    _check_set_up()
    return and_back(request)


def _check_set_up() -> None:
    if not settings.OAUTH_KEY or settings.OAUTH_VERSION != "2":
        raise Http404
