"""What REST shows of clusters, and what it takes."""

from rest_framework import serializers

from portal.clusters.models import Cluster
from portal.clusters.operations import EDITABLE

SEEN = ("is_reachable", "since", "last_seen_at", "trouble", "version", "components")


class ClusterSerializer(serializers.ModelSerializer):
    """For everyone: how the cluster is, not how it is reached."""

    class Meta:
        model = Cluster
        fields = ("name", "tools_url", "builder", "run_image", "is_default", *SEEN)
        read_only_fields = fields


class ClusterInputSerializer(serializers.ModelSerializer):
    class Meta:
        model = Cluster
        fields: tuple[str, ...] = EDITABLE


class NewClusterSerializer(ClusterInputSerializer):
    class Meta(ClusterInputSerializer.Meta):
        fields = ("name", *EDITABLE)


class DeprecationSerializer(serializers.Serializer):
    """An API version that the target version deprecates or no longer has."""

    api_version = serializers.CharField(source="use.api_version")
    kind = serializers.CharField(source="use.kind")
    used_by = serializers.CharField(source="use.by")
    replacement = serializers.CharField(source="removal.replacement")
    is_gone = serializers.BooleanField()


class RightSerializer(serializers.Serializer):
    verb = serializers.CharField()
    group = serializers.CharField(allow_blank=True)
    resource = serializers.CharField()


class ReportSerializer(serializers.Serializer):
    """For administrators: what is missing, and what stands against the upgrade."""

    missing_rights = RightSerializer(many=True)
    target_version = serializers.CharField(allow_blank=True)
    findings = DeprecationSerializer(many=True)
