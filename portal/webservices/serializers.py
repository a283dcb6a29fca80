"""Webservices as the REST API shows and takes them."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from portal.tools.models import QuotaRequest
from portal.webservices.comparison import pending_of
from portal.webservices.models import LEAST_CPU, LEAST_MEMORY, Release, Replica, Webservice
from portal.webservices.releases import paused


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
    commit = serializers.CharField(source="image.build.commit", read_only=True)
    digest = serializers.CharField(source="image.digest", read_only=True)
    variables = serializers.SerializerMethodField(help_text="Their names.")
    actor = serializers.CharField(source="actor.username", default=None, read_only=True)

    class Meta:
        model = Release
        fields = [
            "number", "status", "reason_code", "reason", "cause", "note", "build", "commit",
            "digest", "process_type", "replicas", "max_replicas", "health_check_path",
            "memory_bytes", "cpu_millis", "variables", "rolled_back_to", "is_pinned", "actor",
            "created_at", "live_at", "ended_at", "log_tail",
        ]  # fmt: skip
        read_only_fields = fields

    def get_variables(self, release: Release) -> list[str]:
        return sorted(release.variables)


class DifferenceSerializer(serializers.Serializer):
    field = serializers.CharField(help_text="Such as `image` or `variables.TOKEN`.")
    what = serializers.CharField(source="label")
    before = serializers.CharField()
    after = serializers.CharField()


class ComparisonSerializer(serializers.Serializer):
    release = serializers.IntegerField()
    against = serializers.IntegerField(allow_null=True)
    differences = DifferenceSerializer(many=True)


class VerdictSerializer(serializers.Serializer):
    build = serializers.IntegerField(source="image.build.number")
    digest = serializers.CharField(source="image.digest")
    size = serializers.IntegerField(source="image.size")
    created_at = serializers.DateTimeField(source="image.created_at")
    is_kept = serializers.BooleanField()
    reasons = serializers.ListField(child=serializers.CharField())


class PinSerializer(serializers.Serializer):
    is_pinned = serializers.BooleanField()


class RollbackSerializer(serializers.Serializer):
    release = serializers.IntegerField(min_value=1, help_text="The number of the one to go to.")
    why = serializers.CharField(max_length=120, allow_blank=True, default="")


class WebserviceSerializer(serializers.ModelSerializer):
    tool = serializers.CharField(source="tool.name", read_only=True)
    url = serializers.CharField(read_only=True)
    live = ReleaseSerializer(read_only=True, allow_null=True)
    starting = ReleaseSerializer(read_only=True, allow_null=True)
    running = serializers.SerializerMethodField()
    paused = serializers.SerializerMethodField(
        help_text="Why automatic deploys are paused; null when they are not."
    )
    pending_variables = serializers.SerializerMethodField(
        help_text="Names of those that changed since the live release began. Restart to apply them."
    )

    class Meta:
        model = Webservice
        fields = [
            "tool", "url", "status", "reason_code", "reason", "is_wanted", "replicas",
            "max_replicas", "scaling", "health_check_path", "memory_bytes", "cpu_millis",
            "deploy_branch", "paused", "live", "starting", "running", "pending_variables",
            "trouble", "trouble_since",
        ]  # fmt: skip
        read_only_fields = fields

    def get_paused(self, webservice: Webservice) -> str | None:
        return paused(webservice.paused_by) if webservice.paused_by else None

    @extend_schema_field(ReplicaSerializer(many=True))
    def get_running(self, webservice: Webservice) -> list[dict[str, Any]]:
        replicas = Replica.objects.filter(release__webservice=webservice)
        return list(ReplicaSerializer(replicas.select_related("release"), many=True).data)

    def get_pending_variables(self, webservice: Webservice) -> list[str]:
        return pending_of(webservice.tool)


class UseSerializer(serializers.Serializer):
    resource = serializers.CharField()
    what = serializers.CharField(source="label")
    used = serializers.IntegerField()
    limit = serializers.IntegerField()
    percent = serializers.IntegerField()


class AmountsField(serializers.DictField):
    """{resource: amount}, in bytes, thousandths of a processor, minutes or pieces."""

    child = serializers.IntegerField(min_value=0)


class QuotaRequestSerializer(serializers.ModelSerializer):
    tool = serializers.CharField(source="tool.name", read_only=True)
    asked_by = serializers.CharField(source="asked_by.username", default=None, read_only=True)
    decided_by = serializers.CharField(source="decided_by.username", default=None, read_only=True)
    wanted = AmountsField(read_only=True)
    granted = AmountsField(read_only=True)

    class Meta:
        model = QuotaRequest
        fields = [
            "id", "tool", "status", "wanted", "granted", "reason", "asked_by", "asked_at",
            "answer", "decided_by", "decided_at",
        ]  # fmt: skip
        read_only_fields = fields


class MeasureSerializer(serializers.Serializer):
    """What the registry counted of the tool, images and build cache."""

    used_bytes = serializers.IntegerField()
    limit_bytes = serializers.IntegerField(help_text="The registry takes no more.")
    measured_at = serializers.DateTimeField()
    silent_since = serializers.DateTimeField(
        source="since", allow_null=True, help_text="Since when it could not be measured again."
    )


class QuotasSerializer(serializers.Serializer):
    uses = UseSerializer(many=True)
    registry = MeasureSerializer(
        allow_null=True, help_text="Null where no registry counts, such as on one machine."
    )
    requests = QuotaRequestSerializer(many=True)


class AskSerializer(serializers.Serializer):
    reason = serializers.CharField(max_length=2000)
    wanted = AmountsField()


class GrantSerializer(serializers.Serializer):
    amounts = AmountsField(required=False, help_text="What was asked for if none.")
    answer = serializers.CharField(max_length=2000, allow_blank=True, default="")


class RefuseSerializer(serializers.Serializer):
    answer = serializers.CharField(max_length=2000)


class CheckSerializer(serializers.Serializer):
    """The answer of a replica to a health check."""

    release = serializers.IntegerField()
    index = serializers.IntegerField()
    ok = serializers.BooleanField()
    status = serializers.IntegerField(allow_null=True)
    said = serializers.CharField(help_text="The start of the body, or what is wrong.")
    seconds = serializers.FloatField()


class DeploySerializer(serializers.Serializer):
    build = serializers.IntegerField(min_value=1, help_text="The number of a succeeded build.")
    process_type = serializers.CharField(max_length=100, allow_blank=True, default="")


class ConfigureSerializer(serializers.Serializer):
    replicas = serializers.IntegerField(min_value=1, required=False)
    max_replicas = serializers.IntegerField(
        min_value=0,
        required=False,
        help_text="In a cluster: start more while they are busy, up to so many; 0 for never.",
    )
    health_check_path = serializers.CharField(max_length=200, required=False)
    memory_bytes = serializers.IntegerField(
        min_value=LEAST_MEMORY, max_value=2**50, required=False, help_text="Of each replica."
    )
    cpu_millis = serializers.IntegerField(
        min_value=LEAST_CPU, max_value=10**6, required=False, help_text="1000 is one processor."
    )

    deploy_branch = serializers.CharField(
        max_length=255,
        allow_blank=True,
        required=False,
        help_text="Builds of this branch or tag are deployed when they succeed; empty for none.",
    )


class ScaleSerializer(serializers.Serializer):
    replicas = serializers.IntegerField(min_value=1)
