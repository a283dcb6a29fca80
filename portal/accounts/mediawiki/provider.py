"""allauth's MediaWiki provider (OAuth 2), with the policy of the other one."""

from typing import Any

from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.base import AuthProcess
from allauth.socialaccount.providers.mediawiki.provider import MediaWikiProvider
from django.conf import settings
from django.http import HttpRequest

from portal.accounts.mediawiki.client import MediaWikiAdapter
from portal.accounts.wiki.identity import Identity


class WikiProvider(MediaWikiProvider):
    """Its data is an Identity; it is keyed by the central id."""

    package = "portal.accounts.mediawiki"
    uses_apps = False
    pkce_enabled_default = True
    oauth2_adapter_class = MediaWikiAdapter

    def __init__(self, request: HttpRequest, app: SocialApp | None = None) -> None:
        consumer = SocialApp(
            provider=self.id, client_id=settings.OAUTH_KEY, secret=settings.OAUTH_SECRET
        )
        super().__init__(request, app or consumer)

    def get_redirect_from_request_kwargs(self, request: HttpRequest) -> dict[str, Any]:
        """Only where to go afterwards is the visitor's to choose: neither scopes nor linking."""
        asked = super().get_redirect_from_request_kwargs(request)
        return {"process": AuthProcess.LOGIN, "next_url": asked.get("next_url")}

    def extract_uid(self, data: Identity) -> str:
        return data.sub

    def extract_extra_data(self, data: Identity) -> dict[str, Any]:
        return {"username": data.username, "email": data.email, "groups": list(data.groups)}

    def extract_common_fields(self, data: Identity) -> dict[str, Any]:
        return {"username": data.username}

    def extract_email_addresses(self, data: Identity) -> list[EmailAddress]:
        return []


provider_classes = [WikiProvider]
