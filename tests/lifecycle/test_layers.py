"""What buildpacks leave is read as hostile input."""

import os
from pathlib import Path

import pytest

from builds.lifecycle.buildpack import Buildpack, Target, load
from builds.lifecycle.errors import BUILD_ERROR, BUILDPACK_API_UNSUPPORTED, LifecycleError
from builds.lifecycle.layers import read_launch, read_layers, read_unmet
from builds.lifecycle.toml import UnreadableToml, read_toml

NEW = Buildpack("a", "1", "0.10", Path("/"))
OLD = Buildpack("a", "1", "0.8", Path("/"))


def refused(function, *args):
    with pytest.raises(LifecycleError) as caught:
        function(*args)
    assert caught.value.code == BUILD_ERROR
    return str(caught.value)


def test_layers_come_in_order_with_their_flags(tmp_path):
    (tmp_path / "b.toml").write_text("[types]\nlaunch = true\n[metadata]\nv = 1\n")
    (tmp_path / "a.toml").write_text("[types]\ncache = true\n")
    first, second = read_layers(tmp_path, NEW)
    assert (first.name, first.cache, first.launch) == ("a", True, False)
    assert (second.name, second.launch, second.data) == ("b", True, {"v": 1})


def test_a_layer_for_nothing_is_put_aside(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x.toml").write_text("[types]\n")
    assert read_layers(tmp_path, NEW) == []
    assert (tmp_path / "x.ignore").is_dir()


@pytest.mark.parametrize("text", ["launch = true\n", "[types]\nlaunch = 1\n", "types = 3\n", "=="])
def test_a_layer_that_says_nonsense_fails_the_build(tmp_path, text):
    (tmp_path / "x.toml").write_text(text)
    assert "x.toml" in refused(read_layers, tmp_path, NEW)


def test_a_link_instead_of_a_layers_file_is_not_followed(tmp_path):
    (tmp_path / "x.toml").symlink_to("/etc/passwd")
    refused(read_layers, tmp_path, NEW)


def test_a_pipe_instead_of_a_file_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "x.toml")
    refused(read_layers, tmp_path, NEW)


def test_a_huge_file_is_refused(tmp_path):
    (tmp_path / "x.toml").write_bytes(b"#" * 2_000_000)
    with pytest.raises(UnreadableToml, match="larger"):
        read_toml(tmp_path / "x.toml")


def test_a_missing_file_is_empty(tmp_path):
    assert read_toml(tmp_path / "none.toml") == {}


def launch(tmp_path, text, buildpack=NEW):
    (tmp_path / "launch.toml").write_text(text)
    return read_launch(tmp_path, buildpack)


def test_processes_and_labels_are_read(tmp_path):
    text = (
        '[[processes]]\ntype="web"\ncommand=["a"]\nargs=["b"]\ndefault=true\n'
        '[[labels]]\nkey="k"\nvalue="v"\n'
    )
    found = launch(tmp_path, text)
    assert found.processes[0].line == ("a", "b")
    assert found.labels == {"k": "v"}


def test_an_older_api_gives_its_command_as_a_text(tmp_path):
    process = launch(tmp_path, '[[processes]]\ntype="web"\ncommand="a b"\n', OLD).processes[0]
    assert process.command == ("a b",)
    assert not process.is_direct


@pytest.mark.parametrize(
    "text",
    [
        '[[processes]]\ntype="web"\ncommand="a"\n',
        '[[processes]]\ntype="web"\ncommand=["a"]\ndirect=true\n',
        '[[processes]]\ntype="we/b"\ncommand=["a"]\n',
        '[[processes]]\ntype="web"\n',
        '[[processes]]\ntype="a"\ncommand=["a"]\ndefault=true\n'
        '[[processes]]\ntype="b"\ncommand=["a"]\ndefault=true\n',
    ],
)
def test_a_launch_file_against_the_rules_fails_the_build(tmp_path, text):
    refused(launch, tmp_path, text)


def test_only_what_was_in_the_plan_can_be_handed_on(tmp_path):
    (tmp_path / "build.toml").write_text('[[unmet]]\nname = "x"\n')
    assert read_unmet(tmp_path, NEW, ["x"]) == {"x"}
    assert "not in its plan" in refused(read_unmet, tmp_path, NEW, ["y"])


@pytest.mark.parametrize("api", ["0.6", "0.99", ""])
def test_a_buildpack_of_another_api_is_refused(tmp_path, api):
    text = f'api = "{api}"\n[buildpack]\nid = "a"\nversion = "1"\n'
    (tmp_path / "buildpack.toml").write_text(text)
    with pytest.raises(LifecycleError) as caught:
        load(tmp_path)
    assert caught.value.code == BUILDPACK_API_UNSUPPORTED


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        ({"os": "linux"}, True),
        ({"os": "linux", "arch": "arm64"}, False),
        ({"distros": [{"name": "debian", "version": "12"}]}, True),
        ({"distros": [{"name": "ubuntu"}]}, False),
    ],
)
def test_a_target_has_to_match(wanted, fits):
    assert Target("linux", "amd64", "debian", "12").matches(wanted) is fits
