"""How an identity from outside becomes a user. The Wikimedia provider will stand beside this."""

from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from django.conf import settings
from django.http import HttpRequest

from portal.accounts.models import User

# With the development identity, these names come with a role.
DEVELOPMENT_ADMIN, DEVELOPMENT_WORKGROUP = "ada", "wanda"


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    """Signs people up without asking them anything."""

    def is_auto_signup_allowed(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        return True

    def save_user(
        self, request: HttpRequest, sociallogin: SocialLogin, form: object = None
    ) -> User:
        if sociallogin.account.provider == "dummy" and settings.DEVELOPMENT_IDENTITY:
            user = sociallogin.user
            user.username = sociallogin.account.uid
            user.email = ""
            user.is_admin = user.username == DEVELOPMENT_ADMIN
            user.is_workgroup = user.username in (DEVELOPMENT_WORKGROUP, DEVELOPMENT_ADMIN)
            sociallogin.email_addresses = []
        return super().save_user(request, sociallogin, form)
