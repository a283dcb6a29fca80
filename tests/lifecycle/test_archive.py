"""Layer tars, written and read."""

import io
import os
import tarfile

import pytest

from builds.lifecycle.archive import MTIME, BadArchive, Limits, TarWriter, Unpacker


def packed(write, **kwargs):
    file = io.BytesIO()
    tar = TarWriter(file, **kwargs)
    write(tar)
    tar.close()
    return file.getvalue()


def made_by_hand(*entries):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, kind, link in entries:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.mode = kind, link, 0o755
            info.size = 4 if kind == tarfile.REGTYPE else 0
            tar.addfile(info, io.BytesIO(b"data") if info.size else None)
    file.seek(0)
    return file


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "tree"
    (root / "bin").mkdir(parents=True)
    (root / "bin" / "run").write_text("run")
    (root / "bin" / "run").chmod(0o755)
    (root / "link").symlink_to("/usr/bin/python3")
    os.mkfifo(root / "pipe")
    return root


def test_the_same_files_give_the_same_bytes(tree):
    first = packed(lambda tar: tar.add_tree(tree, "layers/x"))
    os.utime(tree / "bin" / "run", (1, 1))
    assert packed(lambda tar: tar.add_tree(tree, "layers/x")) == first


def test_entries_have_fixed_times_and_owners_and_no_pipes(tree):
    data = packed(lambda tar: tar.add_tree(tree, "layers/x"))
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        entries = {entry.name: entry for entry in tar}
    assert set(entries) == {"layers", *(f"layers/x{p}" for p in ("", "/bin", "/bin/run", "/link"))}
    assert {entry.mtime for entry in entries.values()} == {MTIME}
    assert (entries["layers"].uid, entries["layers/x/bin/run"].uid) == (0, 1000)


def test_a_tree_comes_out_as_it_went_in(tree, tmp_path):
    data = packed(lambda tar: tar.add_tree(tree, "layers/x"))
    out = tmp_path / "out"
    out.mkdir()
    Unpacker(out).unpack(io.BytesIO(data))
    assert (out / "layers/x/bin/run").read_text() == "run"
    assert os.access(out / "layers/x/bin/run", os.X_OK)
    assert os.readlink(out / "layers/x/link") == "/usr/bin/python3"


@pytest.mark.parametrize(
    "entries",
    [
        [("/etc/x", tarfile.REGTYPE, "")],
        [("../x", tarfile.REGTYPE, "")],
        [("a/../../x", tarfile.REGTYPE, "")],
        [("out", tarfile.SYMTYPE, "/tmp"), ("out/x", tarfile.REGTYPE, "")],
        [("out", tarfile.SYMTYPE, ".."), ("out/a/x", tarfile.REGTYPE, "")],
        [("null", tarfile.CHRTYPE, "")],
        [("pipe", tarfile.FIFOTYPE, "")],
        [("hard", tarfile.LNKTYPE, "/etc/passwd")],
    ],
)
def test_an_archive_that_leaves_its_place_is_refused(entries, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(BadArchive):
        Unpacker(out).unpack(made_by_hand(*entries))
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_file_replaces_a_link_instead_of_writing_through_it(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    out = tmp_path / "out"
    out.mkdir()
    Unpacker(out).unpack(
        made_by_hand(("x", tarfile.SYMTYPE, str(victim)), ("x", tarfile.REGTYPE, ""))
    )
    assert victim.read_text() == "untouched"
    assert (out / "x").read_text() == "data"


def test_a_whiteout_removes_what_a_lower_layer_had(tmp_path):
    unpacker = Unpacker(tmp_path)
    unpacker.unpack(made_by_hand(("d/a", tarfile.REGTYPE, ""), ("d/b", tarfile.REGTYPE, "")))
    unpacker.unpack(made_by_hand(("d/.wh.a", tarfile.REGTYPE, "")))
    unpacker.unpack(made_by_hand((".wh.e", tarfile.REGTYPE, ""), ("d", tarfile.DIRTYPE, "")))
    assert [path.name for path in (tmp_path / "d").iterdir()] == ["b"]


def test_set_user_id_bits_do_not_come_out(tmp_path):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        info = tarfile.TarInfo("x")
        info.mode = 0o4755
        tar.addfile(info)
    Unpacker(tmp_path).unpack(io.BytesIO(file.getvalue()))
    assert (tmp_path / "x").stat().st_mode & 0o7777 == 0o755


def test_too_many_entries_or_bytes_are_refused(tree, tmp_path):
    with pytest.raises(BadArchive):
        packed(lambda tar: tar.add_tree(tree, "x"), limits=Limits(entries=2))
    data = made_by_hand(("a", tarfile.REGTYPE, ""), ("b", tarfile.REGTYPE, ""))
    with pytest.raises(BadArchive):
        Unpacker(tmp_path, limits=Limits(bytes=5)).unpack(data)


def test_a_damaged_archive_is_refused(tmp_path):
    with pytest.raises(BadArchive, match="damaged"):
        Unpacker(tmp_path).unpack(io.BytesIO(b"this is no tar" * 100))
