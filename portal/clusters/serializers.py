"""What REST shows of clusters, and what it takes."""

from django.conf import settings
from rest_framework import serializers

from portal.clusters.models import Cluster, RegistryPlace
from portal.clusters.operations import EDITABLE

SEEN = ("is_reachable", "since", "last_seen_at", "trouble", "version", "components")


class RegistrySerializer(serializers.Serializer):
    """A cluster's registry, and how it was last seen."""

    host = serializers.CharField(source="registry")
    kind = serializers.ChoiceField(source="registry_kind", choices=Cluster.Kind.choices)
    is_reachable = serializers.BooleanField(
        source="registry_state.is_reachable",
        default=None,
        allow_null=True,
        help_text="Null before the first look.",
    )
    since = serializers.DateTimeField(source="registry_state.since", default=None, allow_null=True)
    last_seen_at = serializers.DateTimeField(
        source="registry_state.last_seen_at", default=None, allow_null=True
    )
    version = serializers.CharField(source="registry_state.version", default=None, allow_null=True)


class ClusterSerializer(serializers.ModelSerializer):
    """For everyone: how the cluster is, not how it is reached."""

    registry = RegistrySerializer(source="*", read_only=True)
    portal_version = serializers.SerializerMethodField(help_text="Of the portal that answers.")

    class Meta:
        model = Cluster
        fields = (
            "name", "tools_url", "builder", "run_image", "is_default", *SEEN, "registry",
            "portal_version",
        )  # fmt: skip
        read_only_fields = fields

    def get_portal_version(self, cluster: Cluster) -> str:
        return settings.VERSION


class RegistryReportSerializer(RegistrySerializer):
    """For administrators: what is wrong, too."""

    trouble = serializers.CharField(source="registry_state.trouble", default=None, allow_null=True)
    places = serializers.IntegerField(help_text="Tools that have a place there.")
    troubled = serializers.IntegerField(help_text="Places that something is wrong with.")
    changing = serializers.IntegerField(help_text="Places whose credentials are being changed.")


class RegistryPlaceSerializer(serializers.ModelSerializer):
    """A tool's place in a registry; of its credentials only when they end."""

    tool = serializers.CharField(source="tool.name", read_only=True)

    class Meta:
        model = RegistryPlace
        fields = (
            "tool", "ends_at", "placed_at", "used_bytes", "limit_bytes", "measured_at",
            "remove_after", "trouble", "since",
        )  # fmt: skip
        read_only_fields = fields


class RotateSerializer(serializers.Serializer):
    tool = serializers.CharField(
        max_length=40, allow_blank=True, default="", help_text="All tools if none."
    )


class RotatedSerializer(serializers.Serializer):
    tools = serializers.IntegerField(help_text="Whose credentials are changed soon.")


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
