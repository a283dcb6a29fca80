"""Who calls, which tools they mean, and what a refusal becomes for them."""

from django.shortcuts import get_object_or_404
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from portal.accounts.models import User
from portal.accounts.origin import Origin
from portal.tools.models import Tool


class ReadOrSignIn(BasePermission):
    """Anyone may read; whoever changes something has to be known."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.method in SAFE_METHODS or bool(request.user.is_authenticated)


class AdminsOnly(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return bool(request.user.is_authenticated and request.user.is_admin)


def person(request: Request) -> User:
    """Who asks, and through what; the view's permissions made sure that somebody is signed in."""
    assert isinstance(request.user, User)
    request.user.origin = Origin.of(request.META, request.auth)
    return request.user


def maintained(request: Request, name: str) -> Tool:
    return get_object_or_404(Tool.objects.maintained_by(request.user), name=name)


def visible(request: Request, name: str) -> Tool:
    return get_object_or_404(Tool.objects.visible_to(request.user), name=name)
