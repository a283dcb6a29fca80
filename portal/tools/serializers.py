"""Tools as the REST API shows and takes them."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from portal.accounts.models import User
from portal.tools.audit import as_row
from portal.tools.models import Adoption, AuditEvent, EnvVar, Invitation, Membership, Tool
from portal.tools.names import LINKS


class ToolSerializer(serializers.ModelSerializer):
    url = serializers.CharField(source="get_absolute_url", read_only=True)

    class Meta:
        model = Tool
        fields = [
            "name", "title", "description", "license", "repository", "keywords", "links", "status",
            "created_at", "version", "url",
        ]  # fmt: skip
        read_only_fields = fields


class ToolInputSerializer(serializers.Serializer):
    """What can be edited; the rules are the model's."""

    title = serializers.CharField(max_length=120)
    description = serializers.CharField(max_length=4000, allow_blank=True, default="")
    license = serializers.CharField(max_length=80, allow_blank=True, default="")
    repository = serializers.CharField(max_length=500, allow_blank=True, default="")
    keywords = serializers.ListField(child=serializers.CharField(max_length=50), default=list)
    links = serializers.DictField(
        child=serializers.CharField(max_length=500),
        default=dict,
        help_text=f"Addresses by kind: {', '.join(LINKS)}.",
    )


class NewToolSerializer(ToolInputSerializer):
    name = serializers.CharField(max_length=40)


class MemberSerializer(serializers.ModelSerializer):
    username = serializers.CharField(source="user.username", max_length=255)

    class Meta:
        model = Membership
        fields = ["username", "role"]


class AdoptionSerializer(serializers.ModelSerializer):
    tool = serializers.CharField(source="tool.name", read_only=True)
    asker = serializers.CharField(source="asker.username", read_only=True)

    class Meta:
        model = Adoption
        fields = ["id", "tool", "asker", "why", "status", "reason", "created_at", "due_at"]
        read_only_fields = ["status", "reason", "created_at", "due_at"]


class AdoptionAnswerSerializer(serializers.Serializer):
    reason = serializers.CharField(max_length=2000, allow_blank=True, default="")


class ToolinfoSerializer(serializers.Serializer):
    toolinfo = serializers.JSONField(required=False, help_text="A record, or a list of records.")
    url = serializers.CharField(
        required=False, max_length=1000, help_text="The https address of a toolinfo.json instead."
    )

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if not ("toolinfo" in given) ^ ("url" in given):
            raise serializers.ValidationError(_("Give either toolinfo or url."))
        return given


class ToolinfoChangeSerializer(serializers.Serializer):
    field = serializers.CharField()
    before = serializers.JSONField()
    after = serializers.JSONField()


class ToolinfoPreviewSerializer(serializers.Serializer):
    changes = ToolinfoChangeSerializer(many=True)
    ignored = serializers.ListField(child=serializers.CharField(), help_text="Not kept here.")


class InvitationSerializer(serializers.ModelSerializer):
    id = serializers.IntegerField(read_only=True)
    tool = serializers.CharField(source="tool.name", read_only=True)
    invited_by = serializers.CharField(source="invited_by.username", default=None, read_only=True)

    class Meta:
        model = Invitation
        fields = [
            "id", "tool", "username", "role", "status", "invited_by", "created_at", "expires_at",
        ]  # fmt: skip
        read_only_fields = ["status", "created_at", "expires_at"]


class VariableSerializer(serializers.ModelSerializer):
    """A secret's value is taken but never given."""

    name = serializers.CharField(max_length=100)
    value = serializers.CharField(allow_blank=True, trim_whitespace=False, write_only=True)
    shown_value = serializers.CharField(read_only=True)

    class Meta:
        model = EnvVar
        fields = [
            "name", "value", "shown_value", "is_secret", "for_build", "for_run", "changed_at",
        ]  # fmt: skip
        read_only_fields = ["changed_at"]


class EventSerializer(serializers.Serializer):
    """What happened. `via` is person, token or platform; secrets are masked."""

    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    actor = serializers.CharField(allow_null=True)
    via = serializers.ChoiceField(choices=AuditEvent.Via.choices)
    token = serializers.CharField(allow_null=True)
    address = serializers.IPAddressField(
        allow_null=True, help_text="For administrators, and of what you did yourself."
    )
    action = serializers.CharField()
    tool = serializers.CharField(allow_null=True)
    summary = serializers.CharField()
    before = serializers.JSONField()
    after = serializers.JSONField()

    def to_representation(self, event: AuditEvent) -> dict[str, Any]:
        reader = self.context["request"].user
        assert isinstance(reader, User)
        return as_row(event, reader)
