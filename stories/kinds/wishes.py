"""For whom the platform is, what they want, what it does for them, and why."""

from django.utils.translation import gettext_lazy as _

from stories.kinds.base import (
    CHOICE,
    DATE,
    EVIDENCE,
    FLAG,
    LIFE,
    LIFE_LABELS,
    LINE,
    LINES,
    METRIC,
    PROSE,
    REVIEW_BY,
    SUPERSEDED,
    URL,
    Field,
    Kind,
    Move,
    each,
    rows,
    together,
)

PERSONA = Kind(
    "PE",
    "personas",
    _("Persona"),
    _("Personas"),
    _("Somebody whom the platform is for."),
    LIFE_LABELS,
    LIFE,
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
    LIFE_LABELS,
    together(
        each("draft", Move("active", "contributor", ("required", "persona"))),
        each("active", Move("retired", "lead")),
        each("retired", Move("active", "lead")),
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
    SUPERSEDED,
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
    together(
        each("draft", Move("proposed", "member", ("required",)), *_STORY_EXITS),
        each(
            "proposed",
            Move("accepted", "reviewer", ("required", "acceptance", "persona")),
            *_STORY_EXITS,
        ),
        each("accepted", Move("in_progress", "contributor", ("feature",)), *_STORY_EXITS),
        each(
            "in_progress",
            Move("released", "lead", ("acceptance_checked", "milestone", "features_beta")),
            *_STORY_EXITS,
        ),
        each("released", SUPERSEDED),
        each("deferred rejected", Move("proposed", "contributor")),
    ),
    (
        Field("role", LINE, _("As a")),
        Field("goal", LINE, _("I want to")),
        Field("benefit", LINE, _("so that")),
        rows(
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
    together(
        each("idea", Move("planned", "contributor")),
        each("idea planned", Move("rejected", "reviewer", needs_reason=True)),
        each("planned", Move("beta", "reviewer", ("design_or_decision",))),
        each("beta", Move("supported", "lead", ("since", "origin", "rationale"))),
        each(
            "supported",
            Move("deprecated", "lead", ("decision", "removal_date", "fresh_reading")),
        ),
        each("deprecated", Move("removed", "lead", ("unused",)), Move("supported", "lead")),
        each("idea planned beta supported deprecated removed", SUPERSEDED),
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
    together(
        each("question", Move("drafted", "contributor", ("answer",))),
        each("drafted", Move("in_review", "contributor", ("answer",))),
        each("drafted", Move("question", "contributor")),
        each(
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
        each("agreed", Move("in_review", "contributor", needs_reason=True), SUPERSEDED),
        each("question drafted in_review agreed", Move("withdrawn", "lead", needs_reason=True)),
        each("withdrawn", Move("question", "contributor")),
    ),
    (
        Field("answer", PROSE, _("Answer")),
        Field("why_supported", PROSE, _("Why it is supported")),
        Field("known_so_far", PROSE, _("Known so far")),
        rows(
            "alternatives",
            _("Alternatives"),
            Field("name", LINE, _("Alternative")),
            Field("why_not", LINE, _("Why not")),
        ),
        Field("cost_note", PROSE, _("What it costs")),
        Field("what_would_change_our_mind", PROSE, _("What would change our mind")),
        EVIDENCE,
        REVIEW_BY,
    ),
    effective=frozenset({"agreed"}),
    closed=frozenset({"superseded", "withdrawn"}),
    title_label=_("Question"),
)
