"""To the wiki and back, by OAuth 1.0a."""

from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.helpers import complete_social_login
from allauth.socialaccount.models import SocialLogin, SocialToken
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from portal.accounts.following import admit
from portal.accounts.permissions import requires
from portal.accounts.refusals import sign_in_refused
from portal.accounts.wiki import oauth1
from portal.accounts.wiki.grant import Grant
from portal.accounts.wiki.identity import WikiError, read_identity
from portal.accounts.wikimedia.provider import WikimediaProvider


@never_cache
@requires("public")
@require_POST
def login(request: HttpRequest) -> HttpResponse:
    return _provider(request).redirect_from_request(request)


@never_cache
@requires("public")
@require_GET
def callback(request: HttpRequest) -> HttpResponse:
    provider = _provider(request)
    try:
        login = _login(request, provider)
    except (PermissionDenied, WikiError) as error:
        return sign_in_refused(request, error)
    return complete_social_login(request, login)


def _login(request: HttpRequest, provider: WikimediaProvider) -> SocialLogin:
    """Whoever the wiki vouches for. The state is used up before the wiki is asked anything."""
    key = request.GET.get("oauth_token", "")
    state = provider.unstash_redirect_state(request, key)
    request_token = Grant(key, state["data"]["secret"])
    grant = oauth1.complete(request_token, request.META["QUERY_STRING"])
    identity = read_identity(oauth1.identify(grant))
    admit(identity, at=timezone.now())
    login = provider.sociallogin_from_response(request, identity)
    login.token = grant.seal(SocialToken())
    login.state = state
    return login


def _provider(request: HttpRequest) -> WikimediaProvider:
    if not settings.OAUTH_KEY or settings.OAUTH_VERSION != "1.0a":
        raise Http404
    return get_adapter().get_provider(request, WikimediaProvider.id)
