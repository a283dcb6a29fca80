"""REST: who is asking."""

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.accounts.models import ApiToken, User


class UsedTokenSerializer(serializers.ModelSerializer):
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=ApiToken.Scope.choices))

    class Meta:
        model = ApiToken
        fields = ["name", "prefix", "scopes", "expires_at"]


class MeSerializer(serializers.ModelSerializer):
    roles = serializers.SerializerMethodField()
    token = serializers.SerializerMethodField()

    class Meta:
        model = User
        fields = ["username", "roles", "token"]

    def get_roles(self, user: User) -> list[str]:
        held = {"workgroup": user.is_workgroup, "admin": user.is_admin}
        return [role for role, is_held in held.items() if is_held]

    @extend_schema_field(UsedTokenSerializer(allow_null=True))
    def get_token(self, user: User) -> dict[str, Any] | None:
        token = self.context["token"]
        return UsedTokenSerializer(token).data if isinstance(token, ApiToken) else None


class Me(APIView):
    """Who is signed in, and the token that the call was made with, if any."""

    required_role = "member"
    permission_classes = [IsAuthenticated]

    @extend_schema(responses=MeSerializer)
    def get(self, request: Request) -> Response:
        return Response(MeSerializer(request.user, context={"token": request.auth}).data)


urlpatterns = [path("me/", Me.as_view(), name="api_me")]
