"""Webservices as the REST API shows and takes them."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from portal.webservices.models import Release, Replica, Webservice


class ReplicaSerializer(serializers.ModelSerializer):
    release = serializers.IntegerField(source="release.number", read_only=True)

    class Meta:
        model = Replica
        fields = [
            "release", "index", "phase", "started_at", "restarts", "exit_code", "probe_at",
            "probe_ok", "probe_answer",
        ]  # fmt: skip


class ReleaseSerializer(serializers.ModelSerializer):
    build = serializers.IntegerField(source="image.build.number", read_only=True)
    digest = serializers.CharField(source="image.digest", read_only=True)
    actor = serializers.CharField(source="actor.username", default=None, read_only=True)

    class Meta:
        model = Release
        fields = [
            "number", "status", "reason_code", "reason", "note", "build", "digest",
            "process_type", "actor", "created_at", "live_at", "ended_at", "log_tail",
        ]  # fmt: skip
        read_only_fields = fields


class WebserviceSerializer(serializers.ModelSerializer):
    tool = serializers.CharField(source="tool.name", read_only=True)
    url = serializers.CharField(read_only=True)
    live = ReleaseSerializer(read_only=True, allow_null=True)
    starting = ReleaseSerializer(read_only=True, allow_null=True)
    running = serializers.SerializerMethodField()

    class Meta:
        model = Webservice
        fields = [
            "tool", "url", "status", "reason_code", "reason", "is_wanted", "replicas",
            "health_check_path", "live", "starting", "running",
        ]  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(ReplicaSerializer(many=True))
    def get_running(self, webservice: Webservice) -> list[dict[str, Any]]:
        replicas = Replica.objects.filter(release__webservice=webservice)
        return list(ReplicaSerializer(replicas.select_related("release"), many=True).data)


class DeploySerializer(serializers.Serializer):
    build = serializers.IntegerField(min_value=1, help_text="The number of a succeeded build.")
    process_type = serializers.CharField(max_length=100, allow_blank=True, default="")


class ConfigureSerializer(serializers.Serializer):
    replicas = serializers.IntegerField(min_value=1, required=False)
    health_check_path = serializers.CharField(max_length=200, required=False)


class ScaleSerializer(serializers.Serializer):
    replicas = serializers.IntegerField(min_value=1)
