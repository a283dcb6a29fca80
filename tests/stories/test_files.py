"""Records as files: nothing is lost on the way out and back, and broken files are named."""

import subprocess

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given, settings

from stories.exchange import digest, export_records, import_records, read_directory
from stories.files import BadFile, parse, to_markdown
from stories.kinds import KINDS
from stories.models import Record, Revision
from stories.operations import add_link, edit_record
from stories.schema import clean
from tests.conftest import NOW
from tests.stories.strategies import ANY

LIMIT = settings(max_examples=150, deadline=None)


@LIMIT
@given(ANY)
def test_a_file_holds_all_of_a_record(record):
    prefix, given_fields = record
    kind = KINDS[prefix]
    fields = clean(kind, given_fields)
    snapshot = {
        "ident": f"{prefix}-7",
        "title": "A title",
        "status": kind.first_status,
        "fields": fields,
        "links": [{"type": "relates_to", "to": "FT-1", "note": "a: b"}],
    }
    draft = parse("x.md", to_markdown(snapshot, 3).encode())
    assert draft.fields == fields
    assert (draft.ident, draft.version, draft.links) == (f"{prefix}-7", 3, snapshot["links"])


@LIMIT
@given(ANY)
def test_cleaning_is_done_once(record):
    prefix, given_fields = record
    once = clean(KINDS[prefix], given_fields)
    assert clean(KINDS[prefix], once) == once


def files_of(directory):
    return {path.name: path.read_text() for path in directory.rglob("*.md")}


@pytest.mark.django_db
def test_out_and_back_changes_nothing(catalogue, tmp_path):
    before = {record.ident: digest(record.snapshot()) for record in Record.objects.all()}
    revisions = Revision.objects.count()
    export_records(tmp_path)
    report = import_records(read_directory(tmp_path), by=None, at=NOW)
    assert len(report.unchanged) == len(before)
    assert Revision.objects.count() == revisions
    assert {record.ident: digest(record.snapshot()) for record in Record.objects.all()} == before


@pytest.mark.django_db
def test_into_an_empty_portal_and_out_again_gives_the_same_files(catalogue, tmp_path):
    export_records(tmp_path / "one")
    drafts = read_directory(tmp_path / "one")
    Record.objects.update(source=None)
    for model in (Record.links.rel.related_model, Record):
        model.objects.all().delete()
    import_records(drafts, by=None, at=NOW)
    export_records(tmp_path / "two")
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


@pytest.mark.django_db
def test_a_changed_line_is_a_changed_line(record_of, wanda, tmp_path):
    record = record_of("FT", summary="one\n\ntwo\n\nthree")
    export_records(tmp_path)
    before = (tmp_path / "features/FT-0001.md").read_text().splitlines()
    edit_record(record, by=wanda, at=NOW, version=1, fields={"summary": "one\n\nTWO\n\nthree"})
    export_records(tmp_path)
    after = (tmp_path / "features/FT-0001.md").read_text().splitlines()
    changed = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
    assert changed == [("revision: 1", "revision: 2"), ("two", "TWO")]


def git(directory, *words):
    name = ("-c", "user.name=w", "-c", "user.email=w@example.org")
    subprocess.run(["git", *name, *words], cwd=directory, check=True, capture_output=True)


@pytest.mark.django_db
def test_edited_in_git_and_in_the_portal_at_once(catalogue, get, wanda, tmp_path):
    call_command("export_records", tmp_path, verbosity=0)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "Export")
    path = tmp_path / "features/FT-0002.md"
    path.write_text(
        path.read_text()
        .replace("title: Jobs on a schedule", "title: Jobs at set times")
        .replace("origin: toolserver-legacy", "origin: grid-legacy")
    )
    git(tmp_path, "commit", "-qam", "Rename cron")
    record = get("FT-2")
    edit_record(record, by=wanda, at=NOW, version=1, fields={"what_is_not": "Not every second."})
    add_link(record, "runs_on", get("PC-1"), by=wanda, at=NOW)
    call_command("import_records", tmp_path, "--by", "wanda", verbosity=0)
    record = get("FT-2")
    assert record.title == "Jobs at set times"
    assert record.fields["origin"] == "grid-legacy"
    assert record.fields["what_is_not"] == "Not every second."
    assert record.links.filter(type="runs_on").exists()
    causes = list(record.revisions.order_by("number").values_list("cause", flat=True))
    assert causes == ["import", "edit", "link", "import"]
    call_command("export_records", tmp_path, verbosity=0)
    git(tmp_path, "commit", "-qam", "What the portal made of it")
    assert len(read_directory(tmp_path)) == 108


@pytest.mark.django_db
def test_where_both_changed_the_same_place_the_portal_keeps_its_text(
    catalogue, get, wanda, tmp_path, capsys
):
    export_records(tmp_path)
    path = tmp_path / "features/FT-0002.md"
    path.write_text(path.read_text().replace("title: Jobs on a schedule", "title: Theirs"))
    edit_record(get("FT-2"), by=wanda, at=NOW, version=1, title="Ours")
    call_command("import_records", tmp_path)
    assert get("FT-2").title == "Ours"
    assert "kept: FT-2" in capsys.readouterr().out


BROKEN = [
    ("no front matter", 1, "three dashes"),
    ("---\nrecord: FT-1\n", 1, "does not end"),
    ("---\nrecord: FT-1\ntitle: [\n---\n", 3, ""),
    ("---\nrecord: XX-1\ntitle: T\n---\n", 2, "ident"),
    ("---\nrecord: FT-1\n---\n", 1, "title"),
    ("---\nrecord: FT-1\ntitle: T\nstatus: nice\n---\n", 4, "status has to be"),
    ("---\nrecord: FT-1\ntitle: T\norigin: mars\n---\n", 4, "origin"),
    ("---\nrecord: FT-1\ntitle: T\ncolour: red\n---\n", 4, "no field"),
    ("---\nrecord: FT-1\ntitle: T\nlinks: 3\n---\n", 4, "list"),
    ("---\nrecord: FT-1\ntitle: T\nlinks:\n- type: likes\n  to: FT-2\n---\n", 4, "not known"),
    ("---\nrecord: FT-1\ntitle: T\n---\n\ntext without a place\n", 6, "below"),
    ("---\nrecord: FT-1\ntitle: T\n---\n<!-- field: colour -->\n", 5, "no text field"),
    ("---\na: &a [1]\nb: *a\nrecord: FT-1\n---\n", 3, "Aliases"),
    ("---\n- 1\n---\n", 2, "names with values"),
    ("---\nrecord: !!python/object:os.system FT-1\n---\n", 2, ""),
    ("---\nrecord: DR-1\ntitle: T\nrevision: new\n---\n", 4, "number"),
]


@pytest.mark.parametrize(("text", "line", "words"), BROKEN)
def test_a_broken_file_is_named_with_its_line(text, line, words):
    with pytest.raises(BadFile) as caught:
        parse("features/x.md", text.encode())
    assert str(caught.value).startswith(f"features/x.md:{line}: ")
    assert words in caught.value.sentence


def test_bytes_that_are_no_text():
    with pytest.raises(BadFile) as caught:
        parse("x.md", b"---\nrecord: FT-1\ntitle: \xff\n---\n")
    assert (caught.value.line, "UTF-8" in caught.value.sentence) == (3, True)
    with pytest.raises(BadFile):
        parse("x.md", b"-" * 3_000_000)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("RA-0001.md", "status: drafted", "status: agreed"), "review day"),
        (("DR-0001.md", "status: open", "status: decided"), "its day"),
        (("FT-0002.md", "to: RA-2", "to: RA-99"), "RA-99 is not there"),
        (("FT-0002.md", "to: RA-2", "to: PE-1"), "does not lead"),
        (("FT-0002.md", "quote: For example", "quote: For instance"), "do not stand"),
        (("FT-0002.md", "status: supported", "status: superseded"), "come together"),
    ],
)
def test_nothing_is_imported_when_one_file_is_wrong(catalogue, tmp_path, change, words):
    export_records(tmp_path)
    name, old, new = change
    (path,) = tmp_path.rglob(name)
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    (other,) = tmp_path.rglob("AI-0001.md")
    other.write_text(other.read_text().replace("title: ", "title: Not "))
    before = {record.ident: digest(record.snapshot()) for record in Record.objects.all()}
    with pytest.raises(CommandError, match=words) as caught:
        call_command("import_records", tmp_path)
    assert name in str(caught.value)
    assert {record.ident: digest(record.snapshot()) for record in Record.objects.all()} == before


@pytest.mark.django_db
def test_one_record_in_two_files(catalogue, tmp_path):
    export_records(tmp_path)
    (path,) = tmp_path.rglob("FT-0002.md")
    (tmp_path / "FT-2.md").write_bytes(path.read_bytes())
    with pytest.raises(BadFile, match=r"is in .* too"):
        read_directory(tmp_path)


@pytest.mark.django_db
def test_a_zero_is_not_nothing(record_of):
    record = record_of("DR", expected_effect=[{"measure": "m", "expected": 0}])
    text = to_markdown(record.snapshot())
    assert "expected: 0" in text
    assert parse("x.md", text.encode()).fields == record.fields
