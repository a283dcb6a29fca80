"""How buildpacks change the environment."""

import os
from pathlib import Path

import pytest

from builds.lifecycle.buildpack import Buildpack, Target
from builds.lifecycle.environment import add_roots, apply_files, for_buildpack, read_folder
from builds.lifecycle.layout import Inside


@pytest.mark.parametrize(
    ("before", "files", "after"),
    [
        ("old", {"V": "new"}, "new"),
        ("old", {"V.override": "new"}, "new"),
        ("old", {"V.default": "new"}, "old"),
        ("", {"V.default": "new"}, "new"),
        ("old", {"V.append": "new"}, "oldnew"),
        ("old", {"V.append": "new", "V.delim": ":"}, "old:new"),
        ("old", {"V.prepend": "new", "V.delim": ":"}, "new:old"),
        ("", {"V.prepend": "new", "V.delim": ":"}, "new"),
        ("old", {"V.unknown": "new"}, "old"),
    ],
)
def test_a_file_changes_a_variable_by_its_action(before, files, after):
    env = {"V": before}
    apply_files(env, files)
    assert env["V"] == after


def test_an_operators_value_is_a_default():
    env = {"V": "users"}
    apply_files(env, {"V": "operators", "W": "operators"}, without_suffix="default")
    assert env == {"V": "users", "W": "operators"}


def test_values_are_taken_byte_for_byte(tmp_path):
    (tmp_path / "V").write_bytes(b"a\n\n")
    assert read_folder(tmp_path) == {"V": "a\n\n"}


def test_only_regular_files_are_read(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe")
    assert read_folder(tmp_path) == {}
    assert read_folder(tmp_path / "missing") == {}


def test_a_build_layers_programs_are_found_first(tmp_path):
    (tmp_path / "bin").mkdir()
    env = {"PATH": "/usr/bin"}
    add_roots(env, tmp_path, seen="/layers/a/b")
    assert env == {"PATH": "/layers/a/b/bin:/usr/bin"}


def environment(**changes):
    buildpack = Buildpack("a/b", "1", "0.10", Path("/"), **changes)
    user = {"PATH": "/mine", "V": "1"}
    base = {"PATH": "/usr/bin"}
    return for_buildpack(
        buildpack, Inside(), base=base, user=user, operator={"O": "2"}, target=Target()
    )


def test_a_maintainers_variables_go_before_paths_and_replace_others():
    env = environment()
    assert (env["PATH"], env["V"], env["O"]) == ("/mine:/usr/bin", "1", "2")
    assert env["CNB_BUILDPACK_DIR"] == "/cnb/buildpacks/a_b/1"


def test_a_buildpack_may_ask_for_a_clear_environment():
    env = environment(clear_env=True)
    assert env["PATH"] == "/usr/bin"
    assert "V" not in env
