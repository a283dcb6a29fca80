"""Relations between records: each is stored once, and its inverse is another name for it."""

from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from stories.kinds.base import Label
from stories.kinds.every import KINDS


@dataclass(frozen=True)
class LinkType:
    """A relation that is stored once, from `sources` to `targets`; `inverse` is its other name.

    `pairs` are the kinds that it may join. None stands for any two of the same kind.
    """

    name: str
    inverse: str
    label: Label
    inverse_label: Label
    pairs: frozenset[tuple[str, str]] | None
    acyclic: bool = False
    any_kinds: bool = False

    def allows(self, source: str, target: str) -> bool:
        if self.any_kinds:
            return True
        return source == target if self.pairs is None else (source, target) in self.pairs


def _pairs(text: str) -> frozenset[tuple[str, str]]:
    """ "US,UC>PE" is stories and use cases to personas."""
    found = set()
    for part in text.split():
        sources, targets = part.split(">")
        found |= {(s, t) for s in sources.split(",") for t in targets.split(",")}
    return frozenset(found)


_ALL = ",".join(KINDS)


LINK_TYPES: dict[str, LinkType] = {
    each.name: each
    for each in (
        LinkType("serves", "served_by", _("serves"), _("served by"), _pairs("US,UC>PE")),
        LinkType("details", "detailed_by", _("details"), _("detailed by"), _pairs("US>UC")),
        LinkType(
            "implemented_by",
            "implements",
            _("implemented by"),
            _("implements"),
            _pairs("US>FT"),
        ),
        LinkType("planned_for", "plans", _("planned for"), _("plans"), _pairs("US>MS")),
        LinkType(
            "described_in",
            "describes",
            _("described in"),
            _("describes"),
            _pairs("US,FT,RA>DD"),
        ),
        LinkType("justified_by", "about", _("justified by"), _("about"), _pairs("FT>RA")),
        LinkType("decided_by", "decides", _("decided by"), _("decides"), _pairs("FT,DD,RA,UP>DR")),
        LinkType("decided_in", "decided", _("decided in"), _("decided"), _pairs("DR>MT")),
        LinkType(
            "discussed_in",
            "discusses",
            _("discussed in"),
            _("discusses"),
            _pairs("RA,DD,DR,US,FT,UP>MT"),
        ),
        LinkType("raised_in", "raised", _("raised in"), _("raised"), _pairs("AI>MT")),
        LinkType("raised_by", "asked_for", _("raised by"), _("asked for"), _pairs("DR,US>PE")),
        LinkType("about_record", "actions", _("about"), _("actions"), _pairs(f"AI>{_ALL}")),
        LinkType("runs_on", "carries", _("runs on"), _("carries"), _pairs("FT>PC")),
        LinkType("runs", "run_by", _("runs"), _("run by"), _pairs("CL>PC")),
        LinkType(
            "depends_on",
            "needed_by",
            _("depends on"),
            _("needed by"),
            _pairs("FT>FT"),
            acyclic=True,
        ),
        LinkType(
            "evidence_from",
            "evidence_for",
            _("supported by evidence in"),
            _("evidence for"),
            _pairs("RA,DR>DR,MT"),
        ),
        LinkType("governs", "governed_by", _("governs"), _("governed by"), _pairs("DR>UP UP>CL")),
        LinkType("upgrades", "upgraded_in", _("upgrades"), _("upgraded in"), _pairs("ST>CL")),
        LinkType(
            "supersedes",
            "superseded_by",
            _("supersedes"),
            _("superseded by"),
            None,
            acyclic=True,
        ),
        LinkType(
            "duplicates", "duplicated_by", _("duplicates"), _("duplicated by"), None, acyclic=True
        ),
        LinkType(
            "relates_to",
            "related_from",
            _("relates to"),
            _("related from"),
            None,
            any_kinds=True,
        ),
    )
}


INVERSES = {each.inverse: each for each in LINK_TYPES.values()}


def triples() -> list[tuple[str, str, str]]:
    """Every allowed (source kind, type, target kind)."""
    return sorted(
        (source, each.name, target)
        for each in LINK_TYPES.values()
        for source in KINDS
        for target in KINDS
        if each.allows(source, target)
    )
