"""Builds as Toolforge's builds API shows and takes them."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from builds.models import Build
from builds.states import Status

STATUSES = {
    Status.QUEUED: "BUILD_PENDING",
    Status.RUNNING: "BUILD_RUNNING",
    Status.SUCCEEDED: "BUILD_SUCCESS",
    Status.FAILED: "BUILD_FAILURE",
    Status.CANCELLED: "BUILD_CANCELLED",
    Status.TIMED_OUT: "BUILD_TIMEOUT",
}
MASK = "••••••"
STEP_MARK = "===> "
NO_MESSAGES: dict[str, list[str]] = {"info": [], "warning": [], "error": []}


def messages(**said: list[str]) -> dict[str, list[str]]:
    return NO_MESSAGES | said


def prefix_of(tool_name: str) -> str:
    return f"{tool_name}-buildpacks-pipelinerun-"


def build_id(build: Build) -> str:
    return f"{prefix_of(build.tool.name)}{build.number}"


def number_of(build_id: str, *, tool_name: str) -> int | None:
    """The number in a build's id; None if it is no id of this tool's."""
    prefix = prefix_of(tool_name)
    digits = build_id.removeprefix(prefix)
    is_id = build_id.startswith(prefix) and digits.isascii() and digits.isdigit()
    return int(digits) if is_id and len(digits) < 10 else None


def image_name(tool_name: str) -> str:
    return f"tool-{tool_name}"


def build_parameters(build: Build) -> dict[str, Any]:
    return {
        "source_url": build.source_url,
        "ref": build.ref,
        "envvars": dict.fromkeys(build.own_variables, MASK),
        "image_name": image_name(build.tool.name),
        "use_latest_versions": True,
    }


def build_data(build: Build) -> dict[str, Any]:
    return {
        "build_id": build_id(build),
        "status": STATUSES.get(Status(build.status), "BUILD_UNKNOWN"),
        "message": build.reason or build.label,
        "start_time": _time(build.started_at),
        "end_time": _time(build.finished_at),
        "parameters": build_parameters(build),
        "destination_image": _image(build),
        "resolved_ref": build.commit,
    }


def _time(moment: datetime | None) -> str:
    return moment.isoformat(timespec="seconds") if moment else ""


def _image(build: Build) -> str:
    image = build.image_or_none
    if image is None or image.removed_at:
        return ""
    reference = image.reference
    return reference if "@" in reference else f"{reference}@{image.digest}"


class Steps:
    """Puts the name of its step before each line of a log."""

    def __init__(self) -> None:
        self._step = "build"

    def lines(self, texts: list[str]) -> Iterator[str]:
        for text in texts:
            name = text.removeprefix(STEP_MARK)
            if name != text and name.isalpha():
                self._step = name.lower()
            yield f"[{self._step}] {text}"


class StartSerializer(serializers.Serializer):
    source_url = serializers.CharField(max_length=500)
    ref = serializers.CharField(max_length=255, allow_blank=True, default="")
    envvars = serializers.DictField(
        child=serializers.CharField(allow_blank=True, trim_whitespace=False), default=dict
    )
    image_name = serializers.CharField(max_length=255, allow_blank=True, default="")
    use_latest_versions = serializers.BooleanField(default=False)
    use_deprecated_versions = serializers.BooleanField(default=False)

    def validate_image_name(self, name: str) -> str:
        usual = image_name(self.context["tool"].name)
        if name not in ("", usual):
            raise serializers.ValidationError(
                _("A build makes one image here, %(name)s. Leave image_name out.") % {"name": usual}
            )
        return name


class MessagesSerializer(serializers.Serializer):
    info = serializers.ListField(child=serializers.CharField(), required=False)
    warning = serializers.ListField(child=serializers.CharField(), required=False)
    error = serializers.ListField(child=serializers.CharField(), required=False)


class ParametersSerializer(serializers.Serializer):
    source_url = serializers.CharField()
    ref = serializers.CharField(allow_blank=True)
    envvars = serializers.DictField(child=serializers.CharField())
    image_name = serializers.CharField()
    use_latest_versions = serializers.BooleanField()


class ShownBuildSerializer(serializers.Serializer):
    build_id = serializers.CharField()
    status = serializers.ChoiceField(choices=[*STATUSES.values(), "BUILD_UNKNOWN"])
    message = serializers.CharField()
    start_time = serializers.CharField(allow_blank=True)
    end_time = serializers.CharField(allow_blank=True)
    parameters = ParametersSerializer()
    destination_image = serializers.CharField(allow_blank=True)
    resolved_ref = serializers.CharField(allow_blank=True)


class StartedSerializer(serializers.Serializer):
    name = serializers.CharField()
    resolved_ref = serializers.CharField(allow_blank=True)
    parameters = ParametersSerializer()


class StartAnswer(serializers.Serializer):
    new_build = StartedSerializer()
    messages = MessagesSerializer()


class ListAnswer(serializers.Serializer):
    builds = ShownBuildSerializer(many=True)
    messages = MessagesSerializer()


class BuildAnswer(serializers.Serializer):
    build = ShownBuildSerializer()
    messages = MessagesSerializer()


class IdAnswer(serializers.Serializer):
    id = serializers.CharField()
    messages = MessagesSerializer()


class CleanAnswer(serializers.Serializer):
    messages = MessagesSerializer()


class QuotaItemSerializer(serializers.Serializer):
    name = serializers.CharField()
    limit = serializers.CharField()
    used = serializers.CharField()
    available = serializers.CharField()
    capacity = serializers.CharField()


class QuotaCategorySerializer(serializers.Serializer):
    name = serializers.CharField()
    items = QuotaItemSerializer(many=True)


class QuotaSerializer(serializers.Serializer):
    categories = QuotaCategorySerializer(many=True)


class QuotaAnswer(serializers.Serializer):
    quota = QuotaSerializer()
    messages = MessagesSerializer()


class HealthAnswer(serializers.Serializer):
    status = serializers.ChoiceField(choices=["OK", "ERROR"])
    messages = MessagesSerializer()
