"""What the platform is made of, and how it is kept up to date."""

from django.utils.translation import gettext_lazy as _

from stories.kinds.base import (
    CHOICE,
    DATE,
    LINE,
    LINES,
    NUMBER,
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
    together(
        each("planned", Move("active", "contributor")),
        each("active", Move("retiring", "lead")),
        each("retiring", Move("retired", "lead", ("not_needed",)), Move("active", "lead")),
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
    together(each("active", Move("retired", "lead")), each("retired", Move("active", "lead"))),
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
        rows(
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
    each("known", Move("withdrawn", "lead", needs_reason=True)),
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
    together(
        each("draft", Move("in_force", "lead", ("required", "decision"))),
        each("in_force", Move("retired", "lead", needs_reason=True), SUPERSEDED),
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
    together(
        each("planned", Move("in_progress", "contributor", ("cluster",))),
        each(
            "in_progress",
            Move("done", "contributor", ("done_on",)),
            Move("rolled_back", "contributor", needs_reason=True),
        ),
        each("planned in_progress", Move("cancelled", "contributor", needs_reason=True)),
        each("rolled_back", Move("planned", "contributor")),
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
    each(
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
