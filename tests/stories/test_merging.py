"""Three-way merges: against GNU diff3, and field by field."""

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stories.merging import MINE, THEIRS, diff3, merge_fields

LINES = st.lists(st.sampled_from("abcdefgh"), max_size=12)
needs_diff3 = pytest.mark.skipif(not shutil.which("diff3"), reason="GNU diff3 is not installed")


def edits(base):
    """Another version of a text: some lines dropped, changed or added."""
    one = st.tuples(st.integers(0, max(0, len(base))), st.sampled_from(["drop", "add", "change"]))

    def apply(steps):
        lines = list(base)
        for place, what in steps:
            if what == "add":
                lines.insert(min(place, len(lines)), "new")
            elif place < len(lines):
                lines[place : place + 1] = [] if what == "drop" else ["other"]
        return lines

    return st.lists(one, max_size=3).map(apply)


TRIPLES = st.lists(st.integers(0, 99).map(str), max_size=14, unique=True).flatmap(
    lambda base: st.tuples(st.just(base), edits(base), edits(base))
)


@given(LINES, LINES)
def test_one_side_alone_is_taken_as_it_is(base, other):
    assert diff3(base, other, base).lines == other
    assert diff3(base, base, other).lines == other
    assert diff3(base, other, other).lines == other
    assert diff3(base, other, base).conflicts == 0


@given(TRIPLES)
def test_nothing_that_was_written_is_lost(triple):
    base, mine, theirs = triple
    merged = diff3(base, mine, theirs)
    for side in (mine, theirs):
        assert {line for line in side if line not in base} <= set(merged.lines)


@given(TRIPLES)
def test_the_sides_can_be_exchanged(triple):
    base, mine, theirs = triple
    one, other = diff3(base, mine, theirs), diff3(base, theirs, mine)
    assert one.conflicts == other.conflicts
    if not one.conflicts:
        assert one.lines == other.lines


@needs_diff3
@settings(max_examples=60, deadline=None)
@given(triple=TRIPLES)
def test_clean_merges_of_gnu_diff3_are_ours(tmp_path_factory, triple):
    folder = tmp_path_factory.mktemp("diff3")
    names = []
    for name, lines in zip(
        ("mine", "base", "theirs"), (triple[1], triple[0], triple[2]), strict=True
    ):
        path = folder / name
        path.write_text("".join(f"{line}\n" for line in lines))
        names.append(str(path))
    done = subprocess.run(["diff3", "-m", *names], capture_output=True, text=True, check=False)
    ours = diff3(*triple)
    if done.returncode == 0 and not ours.conflicts:
        assert done.stdout.splitlines() == ours.lines
    if done.returncode == 0:
        assert not ours.conflicts


def test_a_conflict_shows_both_sides():
    merged = diff3(["a", "b"], ["a", "mine"], ["a", "theirs"])
    assert merged.conflicts == 1
    assert merged.lines == ["a", MINE, "mine", "=======", "theirs", THEIRS]


def test_fields_merge_on_their_own():
    base = {"title": "T", "text": "one\ntwo\nthree", "tags": ["a"], "size": ""}
    theirs = {"title": "Theirs", "text": "ONE\ntwo\nthree", "tags": ["a", "b"], "size": ""}
    mine = {"title": "T", "text": "one\ntwo\nTHREE", "tags": ["z", "a"], "size": "L"}
    result = merge_fields(base, theirs, mine)
    assert not result.clashes
    assert result.values == {
        "title": "Theirs",
        "text": "ONE\ntwo\nTHREE",
        "tags": ["z", "a", "b"],
        "size": "L",
    }


def test_what_does_not_go_together_is_said_with_all_three():
    result = merge_fields({"size": "S"}, {"size": "M"}, {"size": "L"})
    (clash,) = result.clashes
    assert (clash.base, clash.theirs, clash.mine, clash.merged) == ("S", "M", "L", None)
    assert result.values == {"size": "L"}
