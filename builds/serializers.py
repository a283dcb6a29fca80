"""Builds as the REST API shows and takes them."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from builds.admission import waiting
from builds.models import Build, Image


class ImageSerializer(serializers.ModelSerializer):
    class Meta:
        model = Image
        fields = ["digest", "reference", "size", "processes", "default_process", "buildpacks"]


class BuildSerializer(serializers.ModelSerializer):
    tool = serializers.CharField(source="tool.name", read_only=True)
    actor = serializers.CharField(source="actor.username", default=None, read_only=True)
    image = serializers.SerializerMethodField()

    class Meta:
        model = Build
        fields = [
            "tool", "number", "status", "reason_code", "reason", "source_url", "ref", "commit",
            "subdirectory", "deploy_when_built", "trigger", "actor", "created_at", "started_at",
            "finished_at", "steps", "log_size", "image", "trouble", "trouble_since",
        ]  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(ImageSerializer(allow_null=True))
    def get_image(self, build: Build) -> dict[str, Any] | None:
        image = build.image_or_none
        return ImageSerializer(image).data if image else None


class CacheSerializer(serializers.Serializer):
    size = serializers.IntegerField(help_text="Bytes, as measured after the last build.")
    measured_at = serializers.DateTimeField(allow_null=True)


class QueueSerializer(serializers.Serializer):
    position = serializers.IntegerField()
    because = serializers.CharField()


class BuildDetailSerializer(BuildSerializer):
    """One build, with its place in the queue while it waits."""

    queue = serializers.SerializerMethodField()

    class Meta(BuildSerializer.Meta):
        fields = [*BuildSerializer.Meta.fields, "queue"]
        read_only_fields = fields

    @extend_schema_field(QueueSerializer(allow_null=True))
    def get_queue(self, build: Build) -> dict[str, Any] | None:
        place = waiting(build)
        return QueueSerializer(place).data if place else None


class NewBuildSerializer(serializers.Serializer):
    source_url = serializers.CharField(
        max_length=500, required=False, help_text="The tool's repository by default."
    )
    ref = serializers.CharField(max_length=255, allow_blank=True, default="")
    subdirectory = serializers.CharField(max_length=255, allow_blank=True, default="")
    deploy = serializers.BooleanField(
        default=False, help_text="Deploy the image when the build succeeds."
    )
    variables = serializers.DictField(
        child=serializers.CharField(allow_blank=True, trim_whitespace=False),
        default=dict,
        help_text="Variables for this build alone; they are kept secret.",
    )
