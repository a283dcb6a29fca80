"""How an identity from outside becomes a user."""

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from allauth.socialaccount.providers.base import AuthError, Provider
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from portal.accounts.following import WIKI_PROVIDERS, roles_of, user_of
from portal.accounts.models import User
from portal.accounts.refusals import sign_in_refused

# With the development identity, these names come with a role.
DEVELOPMENT_ADMIN, DEVELOPMENT_WORKGROUP = "ada", "wanda"


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    """Signs people up without asking them anything."""

    def is_auto_signup_allowed(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        return True

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """One person has one identity: the same as before is found again, none is added."""
        if sociallogin.state.get("process") == "connect":
            raise ImmediateHttpResponse(sign_in_refused(request, PermissionDenied()))
        if sociallogin.is_existing:
            return
        if user := self._known(sociallogin):
            sociallogin.connect(request, user)

    def _known(self, sociallogin: SocialLogin) -> User | None:
        """Who has this central id by the other protocol, or this name in development."""
        if sociallogin.account.provider in WIKI_PROVIDERS:
            return user_of(sociallogin.account.uid)
        if sociallogin.account.provider == "dummy" and settings.DEVELOPMENT_IDENTITY:
            return User.objects.filter(username=sociallogin.user.username).first()
        return None

    def save_user(
        self, request: HttpRequest, sociallogin: SocialLogin, form: object = None
    ) -> User:
        user: User = sociallogin.user
        if sociallogin.account.provider == "dummy" and settings.DEVELOPMENT_IDENTITY:
            user.is_admin = user.username == DEVELOPMENT_ADMIN
            user.is_workgroup = user.username in (DEVELOPMENT_WORKGROUP, DEVELOPMENT_ADMIN)
        if sociallogin.account.provider in WIKI_PROVIDERS:
            facts = sociallogin.account.extra_data
            # Not allauth's idea of a name: on a wiki, upper and lower case make two people.
            user.username, user.email = facts["username"], facts["email"]
            for role, has in roles_of(tuple(facts["groups"])).items():
                setattr(user, role, has)
        return super().save_user(request, sociallogin, form)

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Provider,
        error: str = AuthError.UNKNOWN,
        exception: Exception | None = None,
        extra_context: object = None,
    ) -> None:
        """Every failed sign-in ends on one page of ours, with a sentence."""
        if error != AuthError.CANCELLED:
            raise ImmediateHttpResponse(sign_in_refused(request, exception))
