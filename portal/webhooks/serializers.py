"""Webhooks as the REST API shows and takes them."""

from rest_framework import serializers

from portal.webhooks.events import EVENTS
from portal.webhooks.models import Arrival, Delivery, Hook, Subscription
from portal.webhooks.operations import PATTERN_LENGTH, PATTERNS_AT_MOST


def _patterns(help_text: str) -> serializers.ListField:
    pattern = serializers.CharField(max_length=PATTERN_LENGTH)
    return serializers.ListField(
        child=pattern, max_length=PATTERNS_AT_MOST, required=False, help_text=help_text
    )


class HookSerializer(serializers.ModelSerializer):
    id = serializers.IntegerField(source="pk", read_only=True)
    address = serializers.CharField(read_only=True, help_text="Where the forge has to post to.")

    class Meta:
        model = Hook
        fields = [
            "id", "sender", "address", "is_active", "branches", "include", "exclude",
            "builds_tags", "subdirectory", "deploy", "previous_until", "created_at",
        ]  # fmt: skip
        read_only_fields = fields


class HookWithSecretSerializer(HookSerializer):
    secret = serializers.CharField(read_only=True, help_text="Shown once.")

    class Meta(HookSerializer.Meta):
        fields = [*HookSerializer.Meta.fields, "secret"]
        read_only_fields = fields


class HookInputSerializer(serializers.Serializer):
    is_active = serializers.BooleanField(required=False)
    branches = _patterns("Exact names or patterns; empty means every branch.")
    include = _patterns("Only when one of these files changed.")
    exclude = _patterns("Files that do not count.")
    builds_tags = serializers.BooleanField(required=False)
    subdirectory = serializers.CharField(max_length=255, allow_blank=True, required=False)
    deploy = serializers.BooleanField(required=False)


class NewHookSerializer(HookInputSerializer):
    sender = serializers.ChoiceField(choices=Hook.Sender.choices)


class ArrivalSerializer(serializers.ModelSerializer):
    id = serializers.IntegerField(source="pk", read_only=True)
    build = serializers.IntegerField(source="build.number", default=None, read_only=True)
    asked_by = serializers.CharField(source="asked_by.username", default=None, read_only=True)

    class Meta:
        model = Arrival
        fields = ["id", "at", "delivery_id", "event", "decision", "reason", "build", "asked_by"]
        read_only_fields = fields


class ArrivalDetailSerializer(ArrivalSerializer):
    class Meta(ArrivalSerializer.Meta):
        fields = [*ArrivalSerializer.Meta.fields, "payload"]
        read_only_fields = fields


class SubscriptionSerializer(serializers.ModelSerializer):
    id = serializers.IntegerField(source="pk", read_only=True)

    class Meta:
        model = Subscription
        fields = [
            "id", "url", "events", "is_active", "paused_reason", "failing_since", "created_at",
        ]  # fmt: skip
        read_only_fields = fields


class SubscriptionWithSecretSerializer(SubscriptionSerializer):
    secret = serializers.CharField(read_only=True, help_text="Shown once.")

    class Meta(SubscriptionSerializer.Meta):
        fields = [*SubscriptionSerializer.Meta.fields, "secret"]
        read_only_fields = fields


class NewSubscriptionSerializer(serializers.Serializer):
    url = serializers.CharField(max_length=1000)
    events = serializers.MultipleChoiceField(choices=list(EVENTS.items()))
    is_active = serializers.BooleanField(default=True)


class SubscriptionInputSerializer(serializers.Serializer):
    url = serializers.CharField(max_length=1000, required=False)
    events = serializers.MultipleChoiceField(choices=list(EVENTS.items()), required=False)
    is_active = serializers.BooleanField(required=False)


class AttemptSerializer(serializers.Serializer):
    at = serializers.DateTimeField()
    status = serializers.IntegerField(allow_null=True)
    seconds = serializers.FloatField()
    reason = serializers.CharField()


class DeliverySerializer(serializers.ModelSerializer):
    id = serializers.IntegerField(source="pk", read_only=True)
    event = serializers.CharField(source="notice.event", read_only=True)
    asked_by = serializers.CharField(source="asked_by.username", default=None, read_only=True)
    attempts = AttemptSerializer(many=True, read_only=True)

    class Meta:
        model = Delivery
        fields = [
            "id", "ident", "subscription", "event", "status", "reason", "attempts",
            "next_look_at", "asked_by", "created_at", "finished_at",
        ]  # fmt: skip
        read_only_fields = fields


class DeliveryDetailSerializer(DeliverySerializer):
    body = serializers.CharField(source="notice.body", read_only=True)

    class Meta(DeliverySerializer.Meta):
        fields = [*DeliverySerializer.Meta.fields, "body", "response"]
        read_only_fields = fields


class MailSerializer(serializers.Serializer):
    level = serializers.ChoiceField(choices=["none", "problems", "all"])
