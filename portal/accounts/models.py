"""People and programs: users and the tokens that act for them."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from portal.accounts.origin import Origin

TOKEN_PREFIX = "cht_"
VISIBLE_LENGTH = len(TOKEN_PREFIX) + 6
# How exactly the last use of a token is known; each use would be a write otherwise.
USE_PRECISION = timedelta(minutes=1)


class UserManager(BaseUserManager["User"]):
    def create_user(self, username: str, **fields: Any) -> "User":  # noqa: ANN401
        """A user that signs in through an identity provider, so without a password."""
        user = self.model(username=username, **fields)
        user.set_unusable_password()
        user.save()
        return user


class User(AbstractBaseUser):
    """Somebody who signed in. Wikimedia names may hold spaces and any script."""

    NAME_LENGTH = 255

    username = models.CharField(_("name"), max_length=NAME_LENGTH, unique=True)
    email = models.EmailField(blank=True)
    is_active = models.BooleanField(default=True)
    # Since when the wiki bars them; None for somebody whom an administrator deactivated.
    blocked_at = models.DateTimeField(null=True, blank=True)
    # When the wiki was last asked about them.
    checked_at = models.DateTimeField(null=True, blank=True)
    is_admin = models.BooleanField(default=False)
    is_workgroup = models.BooleanField(default=False)
    date_joined = models.DateTimeField(auto_now_add=True)

    # Set by the request that acts; see Origin.
    origin = Origin()

    objects = UserManager()
    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    def __str__(self) -> str:
        return self.username

    @property
    def is_staff(self) -> bool:
        return self.is_admin

    def has_perm(self, permission: str, obj: object = None) -> bool:
        return self.is_active and self.is_admin

    def has_module_perms(self, app_label: str) -> bool:
        return self.is_active and self.is_admin


def includes(scopes: Sequence[str], scope: str) -> bool:
    """Whether these scopes allow that one: by name, or because one of them implies it."""
    implied = (ApiToken.IMPLIED.get(each, []) for each in scopes)
    return scope in scopes or any(scope in each for each in implied)


def every_scope() -> list[str]:
    return [str(scope) for scope in ApiToken.Scope]


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def usable(self, now: datetime) -> "ApiTokenQuerySet":
        unexpired = Q(expires_at=None) | Q(expires_at__gt=now)
        return self.filter(unexpired, user__is_active=True)


class ApiToken(models.Model):
    """Lets a program act for a user. Only a digest is stored, so it can be shown just once."""

    class Scope(models.TextChoices):
        READ = "read", _("read tools, builds and logs")
        DEPLOY = "deploy", _("build, deploy, start and stop")
        WRITE = "write", _("change tools, their people and variables")
        STORIES_READ = "stories:read", _("read records")
        STORIES_WRITE = "stories:write", _("write records")

    # What a scope includes besides itself.
    IMPLIED: ClassVar = {"deploy": ["read"], "stories:write": ["stories:read"]}

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(_("name"), max_length=100)
    # What people and secret scanners recognise it by.
    prefix = models.CharField(max_length=16)
    digest = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=every_scope)
    # The only tool that it is good for; empty for all of the user's.
    tool_name = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    last_used_from = models.GenericIPAddressField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.prefix}… ({self.name})"

    def get_absolute_url(self) -> str:
        return reverse("tokens")

    @classmethod
    def issue(
        cls,
        user: User,
        *,
        name: str,
        at: datetime,
        expires_at: datetime | None = None,
        scopes: Sequence[str] | None = None,
        tool_name: str = "",
    ) -> tuple["ApiToken", str]:
        """A new token's row, and the token itself, which cannot be had again.

        `scopes` None is all of them.
        """
        value = TOKEN_PREFIX + secrets.token_urlsafe(30)
        token = cls.objects.create(
            user=user,
            name=name,
            prefix=value[:VISIBLE_LENGTH],
            digest=cls.digest_of(value),
            created_at=at,
            expires_at=expires_at,
            scopes=every_scope() if scopes is None else [str(each) for each in scopes],
            tool_name=tool_name,
        )
        return token, value

    @staticmethod
    def digest_of(value: str) -> str:
        return hashlib.sha256(value.encode()).hexdigest()

    def allows(self, scope: str) -> bool:
        return includes(self.scopes, scope)

    def has_ended(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now

    def note_use(self, now: datetime, *, address: str | None = None) -> None:
        """Remember when and from where it was used, at most once a minute."""
        is_noted = self.last_used_at is not None and now - self.last_used_at <= USE_PRECISION
        if not is_noted or address != self.last_used_from:
            ApiToken.objects.filter(pk=self.pk).update(last_used_at=now, last_used_from=address)
