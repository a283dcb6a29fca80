"""REST: who is asking, their own tokens and sessions."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from allauth.usersessions.models import UserSession
from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import AnonRateThrottle, ScopedRateThrottle, UserRateThrottle
from rest_framework.views import APIView

from portal.accounts import tokens
from portal.accounts.models import ApiToken, User
from portal.accounts.permissions import ANY_TOKEN, TOOLS
from portal.accounts.serializers import (
    IssuedTokenSerializer,
    MeSerializer,
    NewTokenSerializer,
    RotationSerializer,
    SessionSerializer,
    TokenSerializer,
)
from portal.accounts.sessions import end_session, sessions_of, sign_out_everywhere


def caller(request: Request) -> User:
    """Who asks; the permissions of the view made sure that somebody is signed in."""
    assert isinstance(request.user, User)
    return request.user


class Me(APIView):
    """Who is signed in, and the token that the call was made with, if any."""

    required_role = "member"
    scopes, for_any_token = ANY_TOKEN, True
    permission_classes = [IsAuthenticated]

    @extend_schema(responses=MeSerializer)
    def get(self, request: Request) -> Response:
        return Response(MeSerializer(request.user, context={"token": request.auth}).data)


class OwnAccount(APIView):
    required_role = "member"
    scopes = TOOLS
    permission_classes = [IsAuthenticated]


class MakesTokens(OwnAccount):
    throttle_classes = [AnonRateThrottle, UserRateThrottle, ScopedRateThrottle]
    throttle_scope = "tokens"


def _issued(operation: Callable[..., Any], *args: Any, **wanted: Any) -> Response:  # noqa: ANN401
    """The answer that shows a token's value, once."""
    token, value = operation(*args, at=timezone.now(), **wanted)
    token.token = value
    place = {"Location": f"/api/v1/tokens/{token.pk}/", "Cache-Control": "no-store"}
    shown = IssuedTokenSerializer(token).data
    return Response(shown, status=status.HTTP_201_CREATED, headers=place)


class TokenList(MakesTokens):
    """The caller's tokens. A token that makes another cannot give it more than it may itself."""

    @extend_schema(responses=TokenSerializer(many=True))
    def get(self, request: Request) -> Response:
        return Response(TokenSerializer(caller(request).api_tokens.all(), many=True).data)

    @extend_schema(request=NewTokenSerializer, responses={201: IssuedTokenSerializer})
    def post(self, request: Request) -> Response:
        new = NewTokenSerializer(data=request.data)
        new.is_valid(raise_exception=True)
        given = dict(new.validated_data)
        given["tool_name"] = given.pop("tool")
        return _issued(tokens.issue_token, caller(request), through=request.auth, **given)


class TokenDetail(OwnAccount):
    @extend_schema(responses=TokenSerializer)
    def get(self, request: Request, pk: int) -> Response:
        return Response(TokenSerializer(_own(request, pk)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, pk: int) -> Response:
        tokens.revoke_token(_own(request, pk), by=caller(request), at=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


class TokenRotation(MakesTokens):
    """A successor that may do the same; the old token goes on for `overlap` seconds."""

    @extend_schema(request=RotationSerializer, responses={201: IssuedTokenSerializer})
    def post(self, request: Request, pk: int) -> Response:
        asked = RotationSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        return _issued(
            tokens.rotate_token,
            _own(request, pk),
            by=caller(request),
            overlap=timedelta(seconds=asked.validated_data["overlap"]),
            through=request.auth,
        )


class SessionList(OwnAccount):
    """Browsers that the caller is signed in with. DELETE signs out everywhere."""

    @extend_schema(responses=SessionSerializer(many=True))
    def get(self, request: Request) -> Response:
        return Response(SessionSerializer(sessions_of(caller(request)), many=True).data)

    @extend_schema(responses={204: None}, operation_id="sessions_destroy_all")
    def delete(self, request: Request) -> Response:
        sign_out_everywhere(caller(request), by=caller(request), at=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


class SessionDetail(OwnAccount):
    @extend_schema(responses={204: None})
    def delete(self, request: Request, pk: int) -> Response:
        session = get_object_or_404(UserSession.objects.filter(user=caller(request)), pk=pk)
        end_session(session, by=caller(request), at=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


def _own(request: Request, pk: int) -> ApiToken:
    return get_object_or_404(caller(request).api_tokens, pk=pk)


urlpatterns = [
    path("me/", Me.as_view(), name="api_me"),
    path("tokens/", TokenList.as_view(), name="api_tokens"),
    path("tokens/<int:pk>/", TokenDetail.as_view(), name="api_token"),
    path("tokens/<int:pk>/rotate/", TokenRotation.as_view(), name="api_token_rotate"),
    path("sessions/", SessionList.as_view(), name="api_sessions"),
    path("sessions/<int:pk>/", SessionDetail.as_view(), name="api_session"),
]
