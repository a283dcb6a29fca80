"""Records as REST sends and takes them."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from stories.checks import CHECKS, Severity
from stories.kinds import INVERSES, KINDS, LINK_TYPES
from stories.models import (
    Baseline,
    Comment,
    Flag,
    Link,
    Notification,
    Reading,
    Record,
    Review,
    Revision,
    SavedView,
    Support,
    Watch,
)

KIND_CHOICES = [(prefix, prefix) for prefix in sorted(KINDS)]
RELATIONS = sorted({*LINK_TYPES, *INVERSES})


class LinkSerializer(serializers.ModelSerializer):
    to = serializers.CharField(source="target.ident")

    class Meta:
        model = Link
        fields = ["id", "type", "to", "anchor", "quote", "note", "is_suspect", "created_at"]
        read_only_fields = fields


class RecordSerializer(serializers.ModelSerializer):
    """One line of a list."""

    ident = serializers.CharField(read_only=True)
    kind = serializers.ChoiceField(choices=KIND_CHOICES)
    owner = serializers.CharField(read_only=True)
    url = serializers.CharField(source="get_absolute_url", read_only=True)

    class Meta:
        model = Record
        fields = [
            "ident",
            "uid",
            "kind",
            "title",
            "status",
            "owner",
            "version",
            "created_at",
            "updated_at",
            "url",
        ]
        read_only_fields = fields


class RecordDetailSerializer(RecordSerializer):
    links = serializers.SerializerMethodField()
    backlinks = serializers.SerializerMethodField()
    flags = serializers.SerializerMethodField()
    source_record = serializers.CharField(
        source="source.ident", default=None, read_only=True, allow_null=True
    )
    superseded_by = serializers.CharField(
        source="superseded_by.ident", default=None, read_only=True, allow_null=True
    )
    certainty = serializers.ChoiceField(
        choices=Record.Certainty.choices, allow_blank=True, read_only=True
    )
    content = serializers.JSONField(source="fields")

    class Meta(RecordSerializer.Meta):
        fields = [
            *RecordSerializer.Meta.fields,
            "content",
            "status_since",
            "status_reason",
            "look_again_on",
            "source_record",
            "anchor",
            "quote",
            "certainty",
            "superseded_by",
            "sentence",
            "links",
            "backlinks",
            "flags",
        ]
        read_only_fields = fields

    def get_links(self, record: Record) -> list[dict[str, Any]]:
        return list(LinkSerializer(record.outgoing_links(), many=True).data)

    def get_backlinks(self, record: Record) -> list[dict[str, str]]:
        links = record.backlinks.select_related("source")
        return [{"type": each.link_type.inverse, "to": each.source.ident} for each in links]

    def get_flags(self, record: Record) -> list[dict[str, Any]]:
        flags = record.flags.filter(cleared_at=None)
        return [{"code": flag.code, "sentence": _words(flag)} for flag in flags]


class MissingSerializer(serializers.Serializer):
    code = serializers.CharField()
    field = serializers.CharField()
    detail = serializers.CharField()


class PossibleMoveSerializer(serializers.Serializer):
    """A move that the record may make, and what is missing for it."""

    to = serializers.CharField()
    role = serializers.CharField()
    needs_reason = serializers.BooleanField()
    needs_date = serializers.BooleanField()
    missing = MissingSerializer(many=True)


def _words(flag: Flag) -> str:
    check = CHECKS.get(flag.code)
    label = str(check.label) if check else flag.code
    return f"{label}. {flag.sentence}".strip()


class NewRecordSerializer(serializers.Serializer):
    """A record to be made: `content` holds its fields, `quote` the words that it rests on."""

    kind = serializers.ChoiceField(choices=KIND_CHOICES)
    title = serializers.CharField(max_length=300)
    content = serializers.DictField(default=dict)
    summary = serializers.CharField(max_length=500, default="", allow_blank=True)
    source_record = serializers.CharField(max_length=20, default="", allow_blank=True)
    anchor = serializers.CharField(max_length=20, default="", allow_blank=True)
    quote = serializers.CharField(max_length=5000, default="", allow_blank=True)


class ChangeSerializer(serializers.Serializer):
    """What to change; fields of `content` that are not sent stay."""

    title = serializers.CharField(max_length=300, required=False)
    content = serializers.DictField(default=dict)
    summary = serializers.CharField(max_length=500, default="", allow_blank=True)
    is_minor = serializers.BooleanField(default=False)


class MoveSerializer(serializers.Serializer):
    to = serializers.CharField(max_length=16)
    reason = serializers.CharField(default="", allow_blank=True, max_length=2000)
    look_again_on = serializers.DateField(required=False, allow_null=True)
    override = serializers.CharField(default="", allow_blank=True, max_length=2000)


class NewLinkSerializer(serializers.Serializer):
    type = serializers.ChoiceField(choices=RELATIONS)
    to = serializers.CharField(max_length=20)
    anchor = serializers.CharField(default="", allow_blank=True, max_length=20)
    quote = serializers.CharField(default="", allow_blank=True, max_length=5000)
    note = serializers.CharField(default="", allow_blank=True, max_length=500)


class RevisionSerializer(serializers.ModelSerializer):
    author = serializers.CharField(source="author_name", read_only=True)
    patrolled_by = serializers.CharField(
        source="patrolled_by.username", default=None, read_only=True, allow_null=True
    )

    class Meta:
        model = Revision
        fields = [
            "number",
            "author",
            "at",
            "summary",
            "cause",
            "changed_fields",
            "restored_from",
            "is_minor",
            "suppressed",
            "patrolled_by",
            "patrolled_at",
        ]
        read_only_fields = fields


class RecentSerializer(RevisionSerializer):
    """A change with the record that it is of."""

    record = serializers.CharField(source="record.ident", read_only=True)

    class Meta(RevisionSerializer.Meta):
        fields = ["record", *RevisionSerializer.Meta.fields]
        read_only_fields = fields


class RevisionDetailSerializer(RevisionSerializer):
    snapshot = serializers.SerializerMethodField()
    withheld = serializers.CharField(read_only=True)

    class Meta(RevisionSerializer.Meta):
        fields = [*RevisionSerializer.Meta.fields, "snapshot", "withheld"]
        read_only_fields = fields

    def get_snapshot(self, revision: Revision) -> dict[str, Any] | None:
        """None where the text is withheld: `withheld` says why."""
        return None if revision.withheld else revision.snapshot


class CommentSerializer(serializers.ModelSerializer):
    author = serializers.CharField(source="author.username", default=None, read_only=True)
    mentioned = serializers.SerializerMethodField()

    class Meta:
        model = Comment
        fields = [
            "id", "author", "kind", "field", "quote", "body", "mentioned", "reply_to", "at",
            "resolved_at",
        ]  # fmt: skip
        read_only_fields = ["id", "at", "resolved_at"]

    def get_mentioned(self, comment: Comment) -> list[str]:
        """Names of the accounts that `@Name` in the body told."""
        return [each.username for each in comment.mentioned.all()]


class ReviewSerializer(serializers.ModelSerializer):
    reviewer = serializers.CharField(source="reviewer.username", read_only=True)

    class Meta:
        model = Review
        fields = ["reviewer", "version", "verdict", "text", "at"]
        read_only_fields = ["version", "at"]


class SupportSerializer(serializers.ModelSerializer):
    user = serializers.CharField(source="user.username", read_only=True)
    tool = serializers.CharField(source="tool.name", required=False, allow_null=True)

    class Meta:
        model = Support
        fields = ["user", "tool", "weight", "why", "at"]
        read_only_fields = ["at"]


class FindingSerializer(serializers.ModelSerializer):
    record = serializers.CharField(source="record.ident")
    title = serializers.CharField(source="record.title")
    sentence = serializers.SerializerMethodField()
    severity = serializers.SerializerMethodField()
    advice = serializers.SerializerMethodField()
    url = serializers.CharField(source="record.get_absolute_url")

    class Meta:
        model = Flag
        fields = ["code", "severity", "record", "title", "sentence", "advice", "url", "raised_at"]
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(choices=Severity.choices))
    def get_severity(self, flag: Flag) -> str:
        check = CHECKS.get(flag.code)
        return check.severity.value if check else Severity.GAP.value

    def get_advice(self, flag: Flag) -> str:
        check = CHECKS.get(flag.code)
        return str(check.advice) if check else ""

    def get_sentence(self, flag: Flag) -> str:
        return _words(flag)


class IntegritySerializer(serializers.Serializer):
    """How many records were compared with their histories; `oldest` once all of them were."""

    records = serializers.IntegerField()
    compared = serializers.IntegerField()
    oldest = serializers.DateTimeField(allow_null=True)
    differ = serializers.IntegerField()


class ReadingSerializer(serializers.ModelSerializer):
    class Meta:
        model = Reading
        fields = ["metric", "on", "value", "sample", "error"]
        read_only_fields = fields


class WhySerializer(serializers.Serializer):
    """The one sentence that belongs beside a feature wherever it is shown."""

    feature = serializers.CharField()
    status = serializers.CharField()
    question = serializers.CharField(allow_null=True)
    answer = serializers.CharField(allow_null=True)
    rationale = serializers.CharField(allow_null=True)
    rationale_status = serializers.CharField(allow_null=True)
    is_stale = serializers.BooleanField()
    url = serializers.CharField()


class ReasonSerializer(serializers.Serializer):
    reason = serializers.CharField(max_length=2000)


class MergeSerializer(serializers.Serializer):
    into = serializers.CharField(max_length=20, help_text="The ident of the record that stays.")


class ReconfirmSerializer(serializers.Serializer):
    review_by = serializers.DateField()


class WatchSerializer(serializers.Serializer):
    level = serializers.ChoiceField(
        choices=Watch.Level.choices,
        allow_blank=True,
        help_text="Mentions are told at every level; an empty level is `mentions`.",
    )


class NotificationSerializer(serializers.ModelSerializer):
    record = serializers.CharField(source="record.ident")
    url = serializers.CharField(source="get_absolute_url")

    class Meta:
        model = Notification
        fields = ["record", "text", "url", "is_mention", "at", "read_at"]
        read_only_fields = fields


class BaselineSerializer(serializers.ModelSerializer):
    class Meta:
        model = Baseline
        fields = ["id", "name", "note", "at"]
        read_only_fields = ["id", "at"]


class MatrixRowSerializer(serializers.Serializer):
    story = serializers.CharField(source="story.ident")
    title = serializers.CharField(source="story.title")
    status = serializers.CharField(source="story.status")
    features = serializers.ListField(child=serializers.CharField())


class AffectedSerializer(serializers.Serializer):
    tool = serializers.CharField(source="tool.name")
    maintainers = serializers.ListField(child=serializers.CharField())


class MinuteSerializer(serializers.Serializer):
    """A line of notes; with a `title` it opens a topic."""

    topic = serializers.IntegerField(min_value=1, max_value=999, default=1)
    title = serializers.CharField(max_length=200, required=False, write_only=True)
    number = serializers.IntegerField(read_only=True)
    speaker = serializers.CharField(read_only=True)
    text = serializers.CharField(max_length=5000)


class BaselineChangeSerializer(serializers.Serializer):
    record = serializers.CharField(source="ident")
    title = serializers.CharField()
    before = serializers.IntegerField()
    after = serializers.IntegerField()


class NodeSerializer(serializers.Serializer):
    """A record or a tool; column 0 is where it was said, the last one are the tools."""

    key = serializers.CharField()
    title = serializers.CharField()
    url = serializers.CharField()
    column = serializers.IntegerField()


class TraceSerializer(serializers.Serializer):
    """`edges` are pairs of keys, from left to right."""

    nodes = NodeSerializer(many=True)
    edges = serializers.ListField(child=serializers.ListField(child=serializers.CharField()))


class PaceSerializer(serializers.Serializer):
    """Another pace than the policy's, to see where it would lead."""

    upgrades_per_year = serializers.DecimalField(
        max_digits=4, decimal_places=2, min_value=0, max_value=52, required=False
    )


class StepSerializer(serializers.Serializer):
    on = serializers.DateField()
    release = serializers.CharField(source="release.name")


class OutlookSerializer(serializers.Serializer):
    """What comes of a policy for one cluster; `first_supported` is null if it never catches up."""

    cluster = serializers.CharField(source="cluster.ident")
    lag = serializers.IntegerField(source="seen.lag")
    days_past = serializers.IntegerField(source="seen.days_past", allow_null=True)
    first_supported = serializers.DateField(source="seen.first_supported", allow_null=True)
    never_catches_up = serializers.BooleanField(source="seen.never_catches_up")
    supported_share = serializers.FloatField(source="seen.supported_share")
    end = serializers.DateField(source="seen.end")
    steps = StepSerializer(source="seen.steps", many=True)


class DaySerializer(serializers.Serializer):
    on = serializers.DateField()


class NeighbourSerializer(serializers.Serializer):
    """What stood at the other end of a link; null where that was withheld or not there."""

    type = serializers.CharField()
    to = serializers.CharField(source="ident")
    title = serializers.CharField(source="record.title", default=None, allow_null=True)
    status = serializers.CharField(source="record.status", default=None, allow_null=True)
    version = serializers.CharField(
        source="record.fields.version", default=None, help_text="Of a cluster."
    )


class KnownSerializer(serializers.Serializer):
    """The newest reading of that day that had a value; `error` if there was none newer."""

    metric = serializers.CharField()
    value = serializers.FloatField(source="known.value", allow_null=True)
    at = serializers.DateTimeField(source="known.at", allow_null=True)
    sample = serializers.ListField(source="known.sample", child=serializers.CharField())
    error = serializers.CharField(source="known.error")


class PastFlagSerializer(serializers.ModelSerializer):
    class Meta:
        model = Flag
        fields = ["code", "sentence", "raised_at"]
        read_only_fields = fields


class PastSerializer(serializers.Serializer):
    """A record at the end of a day; `withheld` says why its text is null."""

    record = serializers.CharField(source="past.revision.record.ident")
    on = serializers.DateField()
    version = serializers.IntegerField(source="past.revision.number")
    withheld = serializers.CharField(source="past.revision.withheld")
    title = serializers.CharField(source="past.record.title", default=None, allow_null=True)
    status = serializers.CharField(source="past.record.status", default=None, allow_null=True)
    content = serializers.JSONField(source="past.record.fields", default=None)
    links = NeighbourSerializer(source="past.links", many=True)
    findings = PastFlagSerializer(source="past.flags", many=True)
    readings = KnownSerializer(many=True)
    outlooks = OutlookSerializer(many=True)


class PreviewSerializer(serializers.Serializer):
    text = serializers.CharField(
        max_length=200_000, allow_blank=True, trim_whitespace=False, write_only=True
    )
    html = serializers.CharField(read_only=True)


class FiltersField(serializers.DictField):
    """Filters by name, each with its values: `{"status": ["open"], "q": ["cron"]}`."""

    child = serializers.ListField(child=serializers.CharField(allow_blank=True), max_length=50)


class SavedViewSerializer(serializers.ModelSerializer):
    """A filter of the list of a kind under a name; `url` is the list with it."""

    owner = serializers.CharField(source="owner.username", read_only=True)
    kind = serializers.ChoiceField(choices=KIND_CHOICES)
    filters = FiltersField()
    url = serializers.CharField(source="get_absolute_url", read_only=True)

    class Meta:
        model = SavedView
        fields = [
            "id",
            "owner",
            "kind",
            "name",
            "filters",
            "is_shared",
            "url",
            "created_at",
            "updated_at",
        ]
        read_only_fields = ["id", "created_at", "updated_at"]


class SavedViewChangeSerializer(serializers.Serializer):
    """What to change; what is not sent stays."""

    name = serializers.CharField(max_length=100, required=False)
    filters = FiltersField(required=False)
    is_shared = serializers.BooleanField(required=False)
