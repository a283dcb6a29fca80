"""Records with arbitrary content, for property tests."""

from hypothesis import strategies as st

from stories import kinds
from stories.kinds import KINDS

TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=40)
AWKWARD = st.sampled_from(
    [
        "",
        " leading",
        "trailing ",
        "---\nnot the end\n---",
        "<!-- field: summary -->",
        "\\<!-- field: summary -->",
        "a\n\nb\n",
        "yes",
        "2026-01-01",
        "null",
        "- list",
        "key: value",
        "#",
        "'quotes\"",
        "\u202eright to left\u202c مرحبا",
        "\x85next\u2028line",
        "\ttab",
    ]
)


def value(field):
    """What may be sent for a field."""
    text = TEXT | AWKWARD
    if field.type == kinds.DATE:
        return st.none() | st.dates().map(str)
    if field.type == kinds.NUMBER:
        return st.none() | st.integers(-(10**12), 10**12) | st.floats(-1e9, 1e9)
    if field.type == kinds.FLAG:
        return st.booleans()
    if field.type == kinds.CHOICE:
        return st.sampled_from(["", *dict(field.choices)])
    if field.type == kinds.URL:
        return st.sampled_from(["", "https://example.org/a?b=c#d"])
    if field.type == kinds.METRIC:
        return st.sampled_from(["", "tools", "gone.metric"])
    if field.type == kinds.LINES:
        return st.lists(text, max_size=3)
    if field.type == kinds.ROWS:
        row = st.fixed_dictionaries({}, optional={each.name: value(each) for each in field.columns})
        return st.lists(row, max_size=2)
    if field.type == kinds.TOPICS:
        line = st.fixed_dictionaries({"speaker": st.sampled_from(["", "AB"]), "text": text})
        topic = st.fixed_dictionaries({"title": text, "lines": st.lists(line, max_size=3)})
        return st.lists(topic, max_size=2)
    return text


def content(prefix):
    """Fields of a kind; `chosen_option` names an option, or nothing."""
    fields = {each.name: value(each) for each in KINDS[prefix].all_fields}
    fields.pop("chosen_option", None)
    return st.fixed_dictionaries({}, optional=fields)


ANY = st.sampled_from(sorted(KINDS)).flatmap(
    lambda prefix: st.tuples(st.just(prefix), content(prefix))
)
