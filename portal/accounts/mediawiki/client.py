"""Where the wiki's OAuth 2 is, and what is made of its answer."""

from allauth.socialaccount.models import SocialApp, SocialLogin, SocialToken
from allauth.socialaccount.providers.base import ProviderException
from allauth.socialaccount.providers.mediawiki.views import MediaWikiOAuth2Adapter
from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from portal.accounts.following import admit
from portal.accounts.wiki import oauth2
from portal.accounts.wiki.grant import Grant
from portal.accounts.wiki.identity import WikiError, read_identity


class MediaWikiAdapter(MediaWikiOAuth2Adapter):
    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request)
        base = f"{settings.WIKI_REST_URL}/oauth2"
        self.access_token_url = f"{base}/access_token"
        self.authorize_url = f"{base}/authorize"
        self.headers = {"User-Agent": settings.USER_AGENT}

    def complete_login(
        self, request: HttpRequest, app: SocialApp, token: SocialToken, **_kwargs: object
    ) -> SocialLogin:
        """Whoever the wiki vouches for; the token is encrypted before anybody stores it."""
        grant = Grant(token.token, token.token_secret, token.expires_at)
        try:
            identity = read_identity(oauth2.profile(grant))
            admit(identity, at=timezone.now())
        except WikiError as error:
            raise ProviderException(str(error)) from error
        grant.seal(token)
        return self.get_provider().sociallogin_from_response(request, identity)
