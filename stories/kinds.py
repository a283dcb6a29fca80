"""What kinds of records there are: their fields, and the moves of their status.

A kind is data. Forms, pages, REST, import and export are written once and read it from here. The
guards that a move names live in `stories.guards`; who plays which role is in `stories.roles`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

# A text for people, translated when it is shown.
Label = str | Promise
LINE_LENGTH, PROSE_LENGTH, ROWS_AT_MOST = 500, 200_000, 500

LINE, PROSE, DATE, NUMBER, FLAG = "line", "prose", "date", "number", "flag"
URL, CHOICE, LINES, ROWS, TOPICS, METRIC = "url", "choice", "lines", "rows", "topics", "metric"


@dataclass(frozen=True)
class Field:
    """One thing that a record says. `columns` are those of a list of rows."""

    name: str
    type: str
    label: Label
    help: Label = ""
    choices: tuple[tuple[str, Label], ...] = ()
    columns: tuple["Field", ...] = ()

    @property
    def empty(self) -> Any:  # noqa: ANN401
        """The value of a field that says nothing."""
        if self.type in (LINES, ROWS, TOPICS):
            return []
        return {FLAG: False, DATE: None, NUMBER: None}.get(self.type, "")


@dataclass(frozen=True)
class Move:
    """A change of status that `role` may make once every guard is content."""

    to: str
    role: str
    guards: tuple[str, ...] = ()
    needs_reason: bool = False
    needs_date: bool = False


@dataclass(frozen=True)
class Kind:
    """`statuses` maps each status to its label; the first is where a record begins.

    `required` fields are needed to leave the first status. A record in an `effective` status makes
    the record that it supersedes "superseded". `closed` statuses raise no flags.
    """

    prefix: str
    slug: str
    name: Label
    plural: Label
    about: Label
    statuses: Mapping[str, Label]
    moves: Mapping[str, tuple[Move, ...]]
    fields: tuple[Field, ...]
    required: tuple[str, ...] = ()
    effective: frozenset[str] = frozenset()
    closed: frozenset[str] = frozenset()
    title_label: Label = field(default=_("Title"))

    @property
    def first_status(self) -> str:
        return next(iter(self.statuses))

    @property
    def all_fields(self) -> tuple[Field, ...]:
        return self.fields + COMMON

    def field(self, name: str) -> Field:
        return next(each for each in self.all_fields if each.name == name)

    def moves_from(self, status: str) -> tuple[Move, ...]:
        return self.moves.get(status, ())

    def empty_fields(self) -> dict[str, Any]:
        return {each.name: each.empty for each in self.all_fields}


def _rows(name: str, label: Label, *columns: Field, help: Label = "") -> Field:
    return Field(name, ROWS, label, help, columns=columns)


def _each(statuses: str, *moves: Move) -> dict[str, tuple[Move, ...]]:
    return dict.fromkeys(statuses.split(), moves)


def _together(*tables: Mapping[str, tuple[Move, ...]]) -> dict[str, tuple[Move, ...]]:
    """One table of several; the moves of a status that occurs twice are joined."""
    joined: dict[str, tuple[Move, ...]] = {}
    for table in tables:
        for status, moves in table.items():
            joined[status] = joined.get(status, ()) + moves
    return joined


COMMON = (
    Field("owner", LINE, _("Owner"), _("A person or a role who answers for this record.")),
    Field("tags", LINES, _("Tags"), _("One on a line.")),
)
REVIEW_BY = Field("review_by", DATE, _("Review by"), _("After this day the record is stale."))
_EVIDENCE = _rows(
    "evidence",
    _("Evidence"),
    Field("claim", LINE, _("What it shows")),
    Field("metric", METRIC, _("Measured by the portal")),
    Field("url", URL, _("or a source elsewhere")),
    Field("seen_value", NUMBER, _("Value when last confirmed")),
    Field("seen_on", DATE, _("Seen on")),
    Field("tolerance", NUMBER, _("Tolerated change, percent")),
    Field("expires_on", DATE, _("Expires on")),
    help=_("A number of the portal, or a source. It goes stale when the number moves too far."),
)
_SUPERSEDED = Move("superseded", "system", ("superseded",))
_LIFE = _together(
    _each("draft", Move("active", "contributor", ("required",))),
    _each("active", Move("retired", "lead", ("not_needed",))),
    _each("retired", Move("active", "lead")),
)
_LIFE_LABELS = {"draft": _("Draft"), "active": _("Active"), "retired": _("Retired")}

PERSONA = Kind(
    "PE",
    "personas",
    _("Persona"),
    _("Personas"),
    _("Somebody whom the platform is for."),
    _LIFE_LABELS,
    _LIFE,
    (
        Field("summary", PROSE, _("Summary")),
        Field("goals", LINES, _("Goals"), _("One on a line.")),
        Field("frustrations", LINES, _("Frustrations"), _("One on a line.")),
        Field("skills", LINES, _("Skills"), _("One on a line.")),
        Field("example_tools", LINES, _("Example tools"), _("One on a line.")),
    ),
    required=("goals",),
    closed=frozenset({"retired"}),
    title_label=_("Name"),
)

USE_CASE = Kind(
    "UC",
    "use-cases",
    _("Use case"),
    _("Use cases"),
    _("Something that a persona does with the platform, from trigger to outcome."),
    _LIFE_LABELS,
    _together(
        _each("draft", Move("active", "contributor", ("required", "persona"))),
        _each("active", Move("retired", "lead")),
        _each("retired", Move("active", "lead")),
    ),
    (
        Field("trigger", LINE, _("Trigger")),
        Field("main_steps", LINES, _("Main steps"), _("One on a line.")),
        Field("variations", LINES, _("Variations"), _("One on a line.")),
        Field("outcome", PROSE, _("Outcome")),
        Field("frequency", LINE, _("How often")),
    ),
    required=("outcome",),
    closed=frozenset({"retired"}),
)

_STORY_EXITS = (
    Move("rejected", "reviewer", needs_reason=True),
    Move("deferred", "reviewer", needs_reason=True, needs_date=True),
    _SUPERSEDED,
)
STORY = Kind(
    "US",
    "stories",
    _("User story"),
    _("User stories"),
    _("What somebody wants to do, and what it is good for."),
    {
        "draft": _("Draft"),
        "proposed": _("Proposed"),
        "accepted": _("Accepted"),
        "in_progress": _("In progress"),
        "released": _("Released"),
        "rejected": _("Rejected"),
        "deferred": _("Deferred"),
        "duplicate": _("Duplicate"),
        "superseded": _("Superseded"),
    },
    _together(
        _each("draft", Move("proposed", "member", ("required",)), *_STORY_EXITS),
        _each(
            "proposed",
            Move("accepted", "reviewer", ("required", "acceptance", "persona")),
            *_STORY_EXITS,
        ),
        _each("accepted", Move("in_progress", "contributor", ("feature",)), *_STORY_EXITS),
        _each(
            "in_progress",
            Move("released", "lead", ("acceptance_checked", "milestone", "features_beta")),
            *_STORY_EXITS,
        ),
        _each("released", _SUPERSEDED),
        _each("deferred rejected", Move("proposed", "contributor")),
    ),
    (
        Field("role", LINE, _("As a")),
        Field("goal", LINE, _("I want to")),
        Field("benefit", LINE, _("so that")),
        _rows(
            "acceptance",
            _("Acceptance criteria"),
            Field("given", LINE, _("Given")),
            Field("when", LINE, _("when")),
            Field("then", LINE, _("then")),
            Field("checked", FLAG, _("Checked")),
            Field("waived", LINE, _("Waived because")),
        ),
        Field(
            "priority",
            CHOICE,
            _("Priority"),
            choices=(
                ("must", _("Must")),
                ("should", _("Should")),
                ("could", _("Could")),
                ("wont", _("Not this time")),
            ),
        ),
        Field("size", LINE, _("Size")),
        Field("notes", PROSE, _("Notes")),
    ),
    required=("role", "goal", "benefit"),
    effective=frozenset({"accepted", "in_progress", "released"}),
    closed=frozenset({"rejected", "duplicate", "superseded", "deferred"}),
)

FEATURE = Kind(
    "FT",
    "features",
    _("Feature"),
    _("Features"),
    _("Something that the platform does for tools, with how far it is supported."),
    {
        "idea": _("Idea"),
        "planned": _("Planned"),
        "beta": _("Beta"),
        "supported": _("Supported"),
        "deprecated": _("Deprecated"),
        "removed": _("Removed"),
        "rejected": _("Rejected"),
        "superseded": _("Superseded"),
    },
    _together(
        _each("idea", Move("planned", "contributor")),
        _each("idea planned", Move("rejected", "reviewer", needs_reason=True)),
        _each("planned", Move("beta", "reviewer", ("design_or_decision",))),
        _each("beta", Move("supported", "lead", ("since", "origin", "rationale"))),
        _each(
            "supported",
            Move("deprecated", "lead", ("decision", "removal_date", "fresh_reading")),
        ),
        _each("deprecated", Move("removed", "lead", ("unused",)), Move("supported", "lead")),
        _each("idea planned beta supported deprecated removed", _SUPERSEDED),
    ),
    (
        Field("summary", PROSE, _("Summary")),
        Field("what_is_supported", PROSE, _("What is supported")),
        Field("what_is_not", PROSE, _("What is not")),
        Field(
            "support_level",
            CHOICE,
            _("Support level"),
            choices=(
                ("experimental", _("Experimental")),
                ("best-effort", _("Best effort")),
                ("supported", _("Supported")),
            ),
        ),
        Field("since", LINE, _("Since"), _("A date, or in words: c. 2014.")),
        Field(
            "since_precision",
            CHOICE,
            _("How exactly that is known"),
            choices=(
                ("day", _("to the day")),
                ("month", _("to the month")),
                ("year", _("to the year")),
                ("words", _("in words only")),
                ("unknown", _("unknown")),
            ),
        ),
        Field(
            "origin",
            CHOICE,
            _("Origin"),
            choices=(
                ("toolserver-legacy", _("inherited from Toolserver")),
                ("grid-legacy", _("inherited from the grid")),
                ("request", _("a request")),
                ("platform-initiative", _("the platform's own initiative")),
                ("upstream", _("upstream")),
                ("community-built", _("built by the community")),
                ("unknown", _("unknown")),
            ),
        ),
        Field("origin_note", LINE, _("Note on the origin")),
        Field("metric", METRIC, _("Use is measured by")),
        Field("docs_url", URL, _("Documentation")),
        Field("removal_not_before", DATE, _("Removal not before")),
    ),
    effective=frozenset({"beta", "supported"}),
    closed=frozenset({"removed", "rejected", "superseded"}),
    title_label=_("Name"),
)

RATIONALE = Kind(
    "RA",
    "rationales",
    _("Rationale"),
    _("Rationales"),
    _("Why a feature is supported: an answer with evidence, or an honest question."),
    {
        "question": _("Question"),
        "drafted": _("Drafted"),
        "in_review": _("In review"),
        "agreed": _("Agreed"),
        "superseded": _("Superseded"),
        "withdrawn": _("Withdrawn"),
    },
    _together(
        _each("question", Move("drafted", "contributor", ("answer",))),
        _each("drafted", Move("in_review", "contributor", ("answer",))),
        _each("drafted", Move("question", "contributor")),
        _each(
            "in_review",
            Move(
                "agreed",
                "reviewer",
                (
                    "answer",
                    "alternative",
                    "current_evidence",
                    "review_by",
                    "other_author",
                    "no_concern",
                    "only_agreed",
                ),
            ),
            Move("drafted", "contributor"),
        ),
        _each("agreed", Move("in_review", "contributor", needs_reason=True), _SUPERSEDED),
        _each("question drafted in_review agreed", Move("withdrawn", "lead", needs_reason=True)),
        _each("withdrawn", Move("question", "contributor")),
    ),
    (
        Field("answer", PROSE, _("Answer")),
        Field("why_supported", PROSE, _("Why it is supported")),
        Field("known_so_far", PROSE, _("Known so far")),
        _rows(
            "alternatives",
            _("Alternatives"),
            Field("name", LINE, _("Alternative")),
            Field("why_not", LINE, _("Why not")),
        ),
        Field("cost_note", PROSE, _("What it costs")),
        Field("what_would_change_our_mind", PROSE, _("What would change our mind")),
        _EVIDENCE,
        REVIEW_BY,
    ),
    effective=frozenset({"agreed"}),
    closed=frozenset({"superseded", "withdrawn"}),
    title_label=_("Question"),
)

TEMPLATES = {
    "short": (_("Short"), ("Problem", "Proposal")),
    "full": (_("Full"), ("Problem", "Goals", "Proposal", "Alternatives", "Risks")),
}
DESIGN = Kind(
    "DD",
    "designs",
    _("Design doc"),
    _("Design docs"),
    _("How something is to be built, reviewed before it is."),
    {
        "draft": _("Draft"),
        "in_review": _("In review"),
        "approved": _("Approved"),
        "implemented": _("Implemented"),
        "obsolete": _("Obsolete"),
        "superseded": _("Superseded"),
        "withdrawn": _("Withdrawn"),
    },
    _together(
        _each("draft", Move("in_review", "contributor", ("required",))),
        _each(
            "in_review",
            Move("approved", "system", ("quorum", "no_concern", "sections")),
            Move("draft", "contributor"),
        ),
        _each("approved", Move("implemented", "lead"), Move("in_review", "contributor")),
        _each("approved implemented", Move("obsolete", "lead", needs_reason=True), _SUPERSEDED),
        _each("draft in_review approved", Move("withdrawn", "lead", needs_reason=True)),
    ),
    (
        Field("summary", PROSE, _("Summary")),
        _rows(
            "sections",
            _("Sections"),
            Field("heading", LINE, _("Heading")),
            Field("text", PROSE, _("Text")),
            Field("record", LINE, _("or a record to show, such as FT-2")),
        ),
        Field(
            "template",
            CHOICE,
            _("Template"),
            _("Says which sections have to be filled."),
            choices=tuple((name, label) for name, (label, _sections) in TEMPLATES.items()),
        ),
        Field("authors", LINES, _("Authors"), _("One on a line.")),
        Field("reviewers", LINES, _("Reviewers"), _("User names, one on a line.")),
        Field("external_url", URL, _("Address elsewhere")),
        Field("location", LINE, _("Where it was found")),
        Field("quorum", NUMBER, _("Approvals needed"), _("Empty means two.")),
    ),
    required=("summary",),
    effective=frozenset({"approved", "implemented"}),
    closed=frozenset({"obsolete", "superseded", "withdrawn"}),
)

_DECISION_GUARDS = ("options", "do_nothing", "closing_date")
DECISION = Kind(
    "DR",
    "decisions",
    _("Decision request"),
    _("Decision requests"),
    _("A question that somebody has to decide, with its options and what came of it."),
    {
        "draft": _("Draft"),
        "open": _("Open for comment"),
        "in_discussion": _("In discussion"),
        "decided": _("Decided"),
        "deferred": _("Deferred"),
        "withdrawn": _("Withdrawn"),
        "superseded": _("Superseded"),
    },
    _together(
        _each("draft", Move("open", "contributor", ("required", *_DECISION_GUARDS))),
        _each("open", Move("in_discussion", "contributor")),
        _each(
            "open in_discussion",
            Move("decided", "lead", ("decision_complete", "no_concern")),
            Move("deferred", "lead", needs_reason=True, needs_date=True),
        ),
        _each("deferred", Move("open", "contributor", _DECISION_GUARDS)),
        _each("draft open in_discussion", Move("withdrawn", "lead", needs_reason=True)),
        _each("decided", _SUPERSEDED),
    ),
    (
        Field("problem", PROSE, _("Problem")),
        Field("goals", LINES, _("Goals"), _("One on a line.")),
        Field("constraints", LINES, _("Constraints"), _("One on a line.")),
        Field("risks", LINES, _("Risks"), _("One on a line.")),
        _rows(
            "options",
            _("Options"),
            Field("name", LINE, _("Option")),
            Field("description", PROSE, _("Description")),
            Field("pros", LINES, _("Pros"), _("One on a line.")),
            Field("cons", LINES, _("Cons"), _("One on a line.")),
            Field("effort", LINE, _("Effort")),
            Field("is_do_nothing", FLAG, _("This is the option to do nothing")),
        ),
        Field("deciders", LINES, _("Deciders"), _("One on a line.")),
        Field("consulted", LINES, _("Consulted"), _("One on a line.")),
        Field("informed", LINES, _("Informed"), _("One on a line.")),
        Field("comments_close_on", DATE, _("Comments close on")),
        Field("decide_by", DATE, _("Decide by")),
        Field("chosen_option", LINE, _("Chosen option"), _("The name of one of the options.")),
        Field("decision_text", PROSE, _("Decision")),
        Field("decision_rationale", PROSE, _("Why it was decided so")),
        Field("decided_on", DATE, _("Decided on")),
        Field("revisit_on", DATE, _("Look at it again on")),
        _rows(
            "expected_effect",
            _("Expected effect"),
            Field("measure", LINE, _("What is expected to change")),
            Field("metric", METRIC, _("Measured by")),
            Field("expected", NUMBER, _("Expected")),
            Field("check_on", DATE, _("Check on")),
            Field("actual", NUMBER, _("Actual")),
        ),
        Field("phabricator", LINE, _("Phabricator task")),
    ),
    required=("problem",),
    effective=frozenset({"decided"}),
    closed=frozenset({"withdrawn", "superseded"}),
    title_label=_("Question"),
)

MEETING = Kind(
    "MT",
    "meetings",
    _("Meeting"),
    _("Meetings"),
    _("Agenda and notes, line by line, so that a record can cite the very line."),
    {
        "planned": _("Planned"),
        "in_progress": _("In progress"),
        "notes_draft": _("Notes in draft"),
        "published": _("Published"),
        "corrected": _("Corrected"),
    },
    _together(
        _each("planned", Move("in_progress", "contributor")),
        _each("in_progress", Move("notes_draft", "contributor")),
        _each("notes_draft", Move("published", "contributor", ("agenda_noted",))),
        _each("published", Move("corrected", "contributor", needs_reason=True)),
    ),
    (
        Field("series", LINE, _("Series")),
        Field("date", DATE, _("Date")),
        Field("date_note", LINE, _("Note on the date")),
        Field("start", LINE, _("Start")),
        Field("end", LINE, _("End")),
        Field("chair", LINE, _("Chair")),
        Field("note_taker", LINE, _("Note taker")),
        _rows(
            "attendees",
            _("Attendees"),
            Field("name", LINE, _("Name")),
            Field("initials", LINE, _("Initials")),
            Field(
                "presence",
                CHOICE,
                _("Presence"),
                choices=(("present", _("present")), ("apologies", _("sent apologies"))),
            ),
            Field("note", LINE, _("Note")),
        ),
        _rows(
            "agenda",
            _("Agenda"),
            Field("title", LINE, _("Item")),
            Field("presenter", LINE, _("Presenter")),
            Field("record", LINE, _("Record, such as DR-2")),
            Field(
                "outcome",
                CHOICE,
                _("Outcome"),
                choices=(
                    ("information", _("information")),
                    ("decision", _("decision")),
                    ("action", _("action")),
                    ("none", _("not reached")),
                ),
            ),
        ),
        Field("notes", TOPICS, _("Notes"), _("One line for each thing said: AB: what was said.")),
    ),
)

ACTION = Kind(
    "AI",
    "actions",
    _("Action item"),
    _("Action items"),
    _("Something that somebody said they would do."),
    {
        "open": _("Open"),
        "carried_over": _("Carried over"),
        "done": _("Done"),
        "dropped": _("Dropped"),
    },
    _together(
        _each("open", Move("carried_over", "contributor")),
        _each("carried_over", Move("open", "contributor")),
        _each(
            "open carried_over",
            Move("done", "contributor", ("closing_note",)),
            Move("dropped", "contributor", needs_reason=True),
        ),
    ),
    (
        Field("due", DATE, _("Due")),
        Field("closing_note", PROSE, _("What was done")),
        Field("times_carried_over", NUMBER, _("Times carried over")),
    ),
    closed=frozenset({"done", "dropped"}),
    title_label=_("What is to be done"),
)

COMPONENT = Kind(
    "PC",
    "components",
    _("Platform component"),
    _("Platform components"),
    _("A part that the platform is made of."),
    {
        "planned": _("Planned"),
        "active": _("Active"),
        "retiring": _("Retiring"),
        "retired": _("Retired"),
    },
    _together(
        _each("planned", Move("active", "contributor")),
        _each("active", Move("retiring", "lead")),
        _each("retiring", Move("retired", "lead", ("not_needed",)), Move("active", "lead")),
    ),
    (
        Field("purpose", PROSE, _("Purpose")),
        Field("upstream_url", URL, _("Upstream")),
        Field("runs_on", LINE, _("Runs on")),
    ),
    closed=frozenset({"retired"}),
    title_label=_("Name"),
)

CLUSTER = Kind(
    "CL",
    "clusters",
    _("Cluster"),
    _("Clusters"),
    _("A Kubernetes cluster and the versions that were seen on it."),
    {"active": _("Active"), "retired": _("Retired")},
    _together(_each("active", Move("retired", "lead")), _each("retired", Move("active", "lead"))),
    (
        Field(
            "environment",
            CHOICE,
            _("Environment"),
            choices=(("production", _("production")), ("staging", _("staging"))),
        ),
        Field("version", LINE, _("Version")),
        Field("target", LINE, _("Version aimed for")),
        Field(
            "may_skip_minor",
            CHOICE,
            _("May it skip a minor version?"),
            choices=(("yes", _("yes")), ("no", _("no"))),
        ),
        _rows(
            "observations",
            _("Observed versions"),
            Field("version", LINE, _("Version")),
            Field("observed_on", DATE, _("Observed on")),
            Field("how", LINE, _("How")),
        ),
    ),
    closed=frozenset({"retired"}),
    title_label=_("Name"),
)

UPSTREAM = Kind(
    "UR",
    "upstream-releases",
    _("Upstream release"),
    _("Upstream releases"),
    _("A minor version that upstream released, and until when it is supported there."),
    {"known": _("Known"), "withdrawn": _("Withdrawn")},
    _each("known", Move("withdrawn", "lead", needs_reason=True)),
    (
        Field("component", LINE, _("Component")),
        Field("minor", LINE, _("Minor version")),
        Field("released_on", DATE, _("Released on")),
        Field("end_of_life", DATE, _("End of life")),
        Field("latest_patch", LINE, _("Latest patch")),
        Field("source_url", URL, _("Source")),
    ),
    closed=frozenset({"withdrawn"}),
)

POLICY = Kind(
    "UP",
    "policies",
    _("Upgrade policy"),
    _("Upgrade policies"),
    _("How often clusters are upgraded, and what that leads to."),
    {
        "draft": _("Draft"),
        "in_force": _("In force"),
        "retired": _("Retired"),
        "superseded": _("Superseded"),
    },
    _together(
        _each("draft", Move("in_force", "lead", ("required", "decision"))),
        _each("in_force", Move("retired", "lead", needs_reason=True), _SUPERSEDED),
    ),
    (
        Field("summary", PROSE, _("Summary")),
        Field("lag_target", LINE, _("How far behind upstream")),
        Field("max_gap_days_past_eol", NUMBER, _("Days past end of life at most")),
        Field("upgrades_per_year", NUMBER, _("Upgrades a year")),
        Field("people_days_each", NUMBER, _("Days of work for each")),
        Field("window", LINE, _("Window")),
        Field("starts_on", DATE, _("Counted from")),
        Field("said", LINES, _("What was said of it"), _("One on a line.")),
        REVIEW_BY,
    ),
    required=("upgrades_per_year",),
    effective=frozenset({"in_force"}),
    closed=frozenset({"retired", "superseded"}),
)

STEP = Kind(
    "ST",
    "upgrade-steps",
    _("Upgrade step"),
    _("Upgrade steps"),
    _("One cluster, from one version to the next."),
    {
        "planned": _("Planned"),
        "in_progress": _("In progress"),
        "done": _("Done"),
        "rolled_back": _("Rolled back"),
        "cancelled": _("Cancelled"),
    },
    _together(
        _each("planned", Move("in_progress", "contributor", ("cluster",))),
        _each(
            "in_progress",
            Move("done", "contributor", ("done_on",)),
            Move("rolled_back", "contributor", needs_reason=True),
        ),
        _each("planned in_progress", Move("cancelled", "contributor", needs_reason=True)),
        _each("rolled_back", Move("planned", "contributor")),
    ),
    (
        Field("from_version", LINE, _("From")),
        Field("to_version", LINE, _("To")),
        Field("planned_for", DATE, _("Planned for")),
        Field("did_on", DATE, _("Done on")),
        Field("notes", PROSE, _("Notes")),
    ),
    closed=frozenset({"done", "cancelled"}),
)

MILESTONE = Kind(
    "MS",
    "milestones",
    _("Milestone"),
    _("Milestones"),
    _("A release of the platform that stories are planned for."),
    {"planned": _("Planned"), "reached": _("Reached"), "dropped": _("Dropped")},
    _each(
        "planned",
        Move("reached", "lead", ("reached_on",)),
        Move("dropped", "lead", needs_reason=True),
    ),
    (
        Field("planned_on", DATE, _("Planned for")),
        Field("reached_on", DATE, _("Reached on")),
        Field("notes", PROSE, _("Notes")),
    ),
    closed=frozenset({"dropped"}),
    title_label=_("Name"),
)

KINDS: dict[str, Kind] = {
    kind.prefix: kind
    for kind in (
        PERSONA,
        USE_CASE,
        STORY,
        FEATURE,
        RATIONALE,
        DESIGN,
        DECISION,
        MEETING,
        ACTION,
        COMPONENT,
        CLUSTER,
        UPSTREAM,
        POLICY,
        STEP,
        MILESTONE,
    )
}
BY_SLUG = {kind.slug: kind for kind in KINDS.values()}

_IDENT = re.compile(r"([A-Z]{2})-([1-9]\d{0,8})")


def split_ident(ident: str) -> tuple[str, int] | None:
    """ "FT-2" as kind and number; None if it is not an ident."""
    match = _IDENT.fullmatch(ident.strip().upper())
    return (match[1], int(match[2])) if match and match[1] in KINDS else None


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
