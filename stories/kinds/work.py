"""How the workgroup works: designs, decisions, meetings, and what is to be done."""

from django.utils.translation import gettext_lazy as _

from stories.kinds.base import (
    CHOICE,
    DATE,
    FLAG,
    LINE,
    LINES,
    METRIC,
    NUMBER,
    PROSE,
    SUPERSEDED,
    TOPICS,
    URL,
    Field,
    Kind,
    Move,
    each,
    rows,
    together,
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
    together(
        each("draft", Move("in_review", "contributor", ("required",))),
        each(
            "in_review",
            Move("approved", "system", ("quorum", "no_concern", "sections")),
            Move("draft", "contributor"),
        ),
        each("approved", Move("implemented", "lead"), Move("in_review", "contributor")),
        each("approved implemented", Move("obsolete", "lead", needs_reason=True), SUPERSEDED),
        each("draft in_review approved", Move("withdrawn", "lead", needs_reason=True)),
    ),
    (
        Field("summary", PROSE, _("Summary")),
        rows(
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
    together(
        each("draft", Move("open", "contributor", ("required", *_DECISION_GUARDS))),
        each("open", Move("in_discussion", "contributor")),
        each(
            "open in_discussion",
            Move("decided", "lead", ("decision_complete", "no_concern")),
            Move("deferred", "lead", needs_reason=True, needs_date=True),
        ),
        each("deferred", Move("open", "contributor", _DECISION_GUARDS)),
        each("draft open in_discussion", Move("withdrawn", "lead", needs_reason=True)),
        each("decided", SUPERSEDED),
    ),
    (
        Field("problem", PROSE, _("Problem")),
        Field("goals", LINES, _("Goals"), _("One on a line.")),
        Field("constraints", LINES, _("Constraints"), _("One on a line.")),
        Field("risks", LINES, _("Risks"), _("One on a line.")),
        rows(
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
        rows(
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
    together(
        each("planned", Move("in_progress", "contributor")),
        each("in_progress", Move("notes_draft", "contributor")),
        each("notes_draft", Move("published", "contributor", ("agenda_noted",))),
        each("published", Move("corrected", "contributor", needs_reason=True)),
    ),
    (
        Field("series", LINE, _("Series")),
        Field("date", DATE, _("Date")),
        Field("date_note", LINE, _("Note on the date")),
        Field("start", LINE, _("Start")),
        Field("end", LINE, _("End")),
        Field("chair", LINE, _("Chair")),
        Field("note_taker", LINE, _("Note taker")),
        rows(
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
        rows(
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
    together(
        each("open", Move("carried_over", "contributor")),
        each("carried_over", Move("open", "contributor")),
        each(
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
