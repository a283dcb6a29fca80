"""Relations between records."""

from django.db import models
from django.db.models import F, Q

from portal.accounts.models import User
from stories.kinds import LINK_TYPES, LinkType, triples


class Link(models.Model):
    """A relation from one record to another, stored once; its inverse is computed."""

    source = models.ForeignKey("stories.Record", on_delete=models.PROTECT, related_name="links")
    type = models.CharField(max_length=20)
    target = models.ForeignKey("stories.Record", on_delete=models.PROTECT, related_name="backlinks")
    source_kind = models.CharField(max_length=2)
    target_kind = models.CharField(max_length=2)
    # The line of a meeting that is cited, such as "t4.l7", and its words.
    anchor = models.CharField(max_length=20, blank=True)
    quote = models.TextField(blank=True)
    note = models.CharField(max_length=500, blank=True)
    # The target's material version when the link was made or confirmed; behind it is "suspect".
    target_version_seen = models.PositiveIntegerField()
    # Repeats, for a constraint, that the target is an agreed rationale.
    is_agreed = models.BooleanField(default=False)
    created_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["type", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["source", "type", "target", "anchor"], name="link_once"
            ),
            models.CheckConstraint(condition=~Q(source=F("target")), name="link_not_to_itself"),
            models.CheckConstraint(
                condition=Q(type__in=["relates_to"])
                | Q(type__in=["supersedes", "duplicates"], source_kind=F("target_kind"))
                | Q(
                    *[
                        Q(type=name, source_kind=source, target_kind=target)
                        for source, name, target in triples()
                        if LINK_TYPES[name].pairs is not None
                    ],
                    _connector=Q.OR,
                ),
                name="link_kinds_allowed",
            ),
            models.UniqueConstraint(
                fields=["source"],
                condition=Q(type="justified_by", is_agreed=True),
                name="feature_has_one_agreed_rationale",
            ),
        ]
        indexes = [
            models.Index(fields=["target", "type"], name="link_target_type"),
            models.Index(fields=["source_kind", "type"], name="link_kind_type"),
        ]

    def __str__(self) -> str:
        return f"{self.source.ident} {self.type} {self.target.ident}"

    @property
    def link_type(self) -> LinkType:
        return LINK_TYPES[self.type]

    @property
    def is_suspect(self) -> bool:
        return self.target_version_seen < self.target.material_version

    def snapshot(self) -> dict[str, str]:
        found = {"type": self.type, "to": self.target.ident}
        for name in ("anchor", "quote", "note"):
            if value := getattr(self, name):
                found[name] = value
        return found
