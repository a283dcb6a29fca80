"""allauth's side of signing in by OAuth 1.0a: its accounts, its state, mwoauth's handshake."""

from typing import Any

from allauth.socialaccount.providers.base import AuthProcess, Provider, ProviderAccount
from allauth.utils import build_absolute_uri
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from portal.accounts.refusals import sign_in_refused
from portal.accounts.wiki import oauth1
from portal.accounts.wiki.identity import Identity, WikiError


class WikimediaProvider(Provider):
    """Its data is an Identity; it is keyed by the central id."""

    id = "wikimedia"
    name = "Wikimedia"
    account_class = ProviderAccount
    uses_apps = False
    supports_redirect = True

    def get_login_url(self, request: HttpRequest, **_kwargs: object) -> str:
        return reverse("wikimedia_login")

    def redirect(
        self,
        request: HttpRequest,
        process: str,
        next_url: str | None = None,
        data: object = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> HttpResponse:
        """To the wiki. OAuth 1.0a has no state; the request token, which must come back, is one."""
        callback = build_absolute_uri(request, reverse("wikimedia_callback"))
        try:
            address, token = oauth1.initiate(callback)
        except WikiError as error:
            return sign_in_refused(request, error)
        self.stash_redirect_state(
            request,
            AuthProcess.LOGIN,
            next_url,
            {"secret": token.secret},
            state_id=token.key,
            **kwargs,
        )
        return HttpResponseRedirect(address)

    def extract_uid(self, data: Identity) -> str:
        return data.sub

    def extract_extra_data(self, data: Identity) -> dict[str, Any]:
        return {"username": data.username, "email": data.email, "groups": list(data.groups)}

    def extract_common_fields(self, data: Identity) -> dict[str, Any]:
        return {"username": data.username}


provider_classes = [WikimediaProvider]
