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

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """A development name that is known already, such as a token's owner, is the same user."""
        is_development = sociallogin.account.provider == "dummy" and settings.DEVELOPMENT_IDENTITY
        if not is_development or sociallogin.is_existing:
            return
        if user := User.objects.filter(username=sociallogin.user.username).first():
            sociallogin.connect(request, user)

    def save_user(
        self, request: HttpRequest, sociallogin: SocialLogin, form: object = None
    ) -> User:
        if sociallogin.account.provider == "dummy" and settings.DEVELOPMENT_IDENTITY:
            user = sociallogin.user
            user.is_admin = user.username == DEVELOPMENT_ADMIN
            user.is_workgroup = user.username in (DEVELOPMENT_WORKGROUP, DEVELOPMENT_ADMIN)
        return super().save_user(request, sociallogin, form)
