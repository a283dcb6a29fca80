"""Tokens and sessions as the REST API shows and takes them."""

from typing import Any

from allauth.usersessions.models import UserSession
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from portal.accounts.models import ApiToken, User
from portal.accounts.tokens import LONGEST_OVERLAP


class UsedTokenSerializer(serializers.Serializer):
    """A Credential: an API token, or a command line that signed in."""

    name = serializers.CharField()
    prefix = serializers.CharField()
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=ApiToken.Scope.choices))
    tool = serializers.CharField(source="tool_name")
    expires_at = serializers.DateTimeField(allow_null=True)


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
        return UsedTokenSerializer(token).data if token else None


class TokenSerializer(serializers.ModelSerializer):
    tool = serializers.CharField(source="tool_name", read_only=True)
    scopes = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = ApiToken
        fields = [
            "id", "name", "prefix", "scopes", "tool", "created_at", "expires_at",
            "last_used_at", "last_used_from",
        ]  # fmt: skip
        read_only_fields = fields


class IssuedTokenSerializer(TokenSerializer):
    """The only answer that holds the token itself."""

    token = serializers.CharField(read_only=True)

    class Meta(TokenSerializer.Meta):
        fields = [*TokenSerializer.Meta.fields, "token"]


class NewTokenSerializer(serializers.Serializer):
    name = serializers.CharField(max_length=100)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=ApiToken.Scope.choices), allow_empty=False
    )
    tool = serializers.CharField(max_length=64, allow_blank=True, default="")
    expires_at = serializers.DateTimeField(allow_null=True, default=None)


class RotationSerializer(serializers.Serializer):
    """For how many seconds the old token goes on working."""

    overlap = serializers.IntegerField(
        min_value=0, max_value=int(LONGEST_OVERLAP.total_seconds()), default=0
    )


class SessionSerializer(serializers.ModelSerializer):
    address = serializers.CharField(source="ip", read_only=True)

    class Meta:
        model = UserSession
        fields = ["id", "created_at", "address", "user_agent"]
        read_only_fields = fields
