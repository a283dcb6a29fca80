"""From layers to an image in a store, and from an image to files that run."""

import os
import subprocess
from pathlib import Path

import pytest

from builds.lifecycle.build import Built
from builds.lifecycle.buildpack import Buildpack, host_target
from builds.lifecycle.cache import Cache, previous_image, previous_layers
from builds.lifecycle.errors import EXPORT_ERROR, LifecycleError
from builds.lifecycle.export import Exporter, Source
from builds.lifecycle.launch import launcher_config, launcher_script
from builds.lifecycle.layers import Layer, Process
from builds.lifecycle.layout import Inside, Layout
from builds.lifecycle.oci import ImageStore
from builds.lifecycle.unpack import unpack

BUILDPACK = Buildpack("test/one", "1", "0.10", Path("/"))
SOURCE = Source("https://git.example.org/hat.git", "c" * 40, "main")


class Workshop:
    """A build's directory, a store and a cache, without any buildpack run."""

    def __init__(self, root):
        self.root = root
        self.store = ImageStore(root / "images")
        self.cache = Cache(root / "cache")
        self.number = 0
        self.begin()

    def begin(self):
        self.number += 1
        self.layout = Layout(self.root / f"build-{self.number}")
        self.layout.make()
        (self.layout.workspace / "app.txt").write_text("app")
        self.restored = self.cache.restore(
            self.layout, [BUILDPACK], previous=self.store.latest(), own=lambda path: None
        )

    def layer(self, name, text="content", **flags):
        path = self.layout.layers / "test_one" / name
        if text is not None:
            path.mkdir(parents=True, exist_ok=True)
            (path / "file").write_text(text)
        return Layer("test/one", name, path, data={"of": name}, **flags)

    def unpack(self, digest):
        return unpack(self.store, digest, self.root / "releases")

    def export(self, *layers, **parts):
        process = Process("web", ("bash", "-c", "echo $V"), buildpack="test/one")
        built = Built((BUILDPACK,), list(layers), {"web": process}, "web", **parts)
        exporter = Exporter(
            self.layout,
            self.store,
            target=host_target(),
            restored=self.restored,
            previous=previous_image(self.store, Inside()),
        )
        return exporter.export(built, SOURCE, tag=f"hat-{self.number}", cache=self.cache)


@pytest.fixture
def workshop(tmp_path):
    return Workshop(tmp_path)


def test_two_identical_builds_give_the_identical_digest(workshop, tmp_path):
    first = workshop.export(workshop.layer("a", launch=True))
    other = Workshop(tmp_path / "other")
    assert other.export(other.layer("a", launch=True)).digest == first.digest


def test_an_image_says_what_it_is(workshop):
    exported = workshop.export(workshop.layer("a", launch=True))
    config = workshop.store.read(exported.digest).config
    assert config["config"]["Entrypoint"] == ["/cnb/process/web"]
    assert config["config"]["User"] == "1000:1000"
    assert "c" * 40 in config["config"]["Labels"]["io.buildpacks.project.metadata"]
    assert len(config["history"]) == len(config["rootfs"]["diff_ids"]) == 5


def test_a_cached_launch_layer_comes_back_and_is_not_packed_again(workshop):
    workshop.export(workshop.layer("a", launch=True, cache=True))
    workshop.begin()
    layer = workshop.layer("a", None, launch=True, cache=True)
    assert (layer.path / "file").read_text() == "content"
    assert "[types]" not in layer.path.with_suffix(".toml").read_text()
    before = set(workshop.store._blobs.iterdir())
    workshop.export(layer)
    assert len(set(workshop.store._blobs.iterdir()) - before) == 0


def test_a_restored_layer_that_was_changed_is_packed_again(workshop):
    first = workshop.export(workshop.layer("a", launch=True, cache=True))
    workshop.begin()
    second = workshop.export(workshop.layer("a", "changed", launch=True, cache=True))
    assert second.digest != first.digest


def test_a_layer_left_to_the_previous_image_is_taken_from_it(workshop):
    first = workshop.export(workshop.layer("a", launch=True))
    workshop.begin()
    note = workshop.layout.layers / "test_one" / "a.toml"
    assert 'of = "a"' in note.read_text()
    assert workshop.export(workshop.layer("a", None, launch=True)).digest == first.digest


def test_a_layer_left_to_an_image_that_is_not_there_fails(workshop):
    with pytest.raises(LifecycleError) as caught:
        workshop.export(workshop.layer("a", None, launch=True))
    assert caught.value.code == EXPORT_ERROR


def test_a_cache_of_another_image_is_not_restored(workshop):
    workshop.export(workshop.layer("a", launch=True, cache=True))
    workshop.cache = Cache(workshop.root / "cache")
    workshop.store = ImageStore(workshop.root / "fresh")
    workshop.begin()
    assert workshop.restored == {}


def test_a_damaged_cache_is_as_good_as_none(workshop):
    workshop.export(workshop.layer("a", cache=True))
    (workshop.cache.root / "committed" / "cache.json").write_text("{")
    workshop.begin()
    assert workshop.restored == {}


def test_an_unpacked_image_is_there_once(workshop, tmp_path):
    digest = workshop.export(workshop.layer("a", launch=True)).digest
    root = unpack(workshop.store, digest, tmp_path / "releases")
    assert (root / "workspace/app.txt").read_text() == "app"
    assert (root / "layers/test_one/a/file").read_text() == "content"
    assert os.readlink(root / "cnb/process/web") == "/cnb/lifecycle/launcher"
    assert unpack(workshop.store, digest, tmp_path / "releases") == root


def test_other_images_and_their_blobs_can_be_deleted(workshop):
    first = workshop.export(workshop.layer("a", "one", launch=True))
    workshop.begin()
    second = workshop.export(workshop.layer("a", "two", launch=True))
    assert workshop.store.keep_only({second.digest}) > 0
    assert not workshop.store.has(first.digest)
    assert workshop.store.latest().digest == second.digest
    assert previous_layers(workshop.store.latest(), "test/one")["a"]["launch"] is True
    assert ImageStore(workshop.root / "none").keep_only(set()) == 0


@pytest.fixture
def launch(tmp_path):
    """Runs the real launcher on a tree in place of /layers and /workspace."""
    layer = Layer("test/one", "a", tmp_path / "layers/test_one/a", launch=True)
    processes = [
        Process("web", ("printenv",), ("V",)),
        Process("sh", ("echo one; echo $0 two",), is_direct=False, minor=8),
        Process("old", ("echo",), ("a",), minor=8),
        Process("lost", ("no-such-program",)),
        Process("shown", ("printenv", "V")),
        Process("sh-shown", ("echo $V",), is_direct=False, minor=8),
    ]
    (tmp_path / "layers/config").mkdir(parents=True)
    (tmp_path / "workspace").mkdir()
    places = {b"/layers": f"{tmp_path}/layers", b"/workspace": f"{tmp_path}/workspace"}

    def put(path, data):
        for name, place in places.items():
            data = data.replace(name, place.encode())
        path.write_bytes(data)
        path.chmod(0o755)

    put(tmp_path / "launcher", launcher_script(Inside()))
    put(tmp_path / "layers/config/launcher.sh", launcher_config(Inside(), [layer], processes))

    def run(kind, *args, files=None):
        for name, text in (files or {}).items():
            (layer.path / name).parent.mkdir(parents=True, exist_ok=True)
            (layer.path / name).write_text(text)
            (layer.path / name).chmod(0o755)
        program = tmp_path / kind
        if kind != "launcher":
            program.symlink_to(tmp_path / "launcher")
        env = {"PATH": "/usr/bin:/bin", "V": "base"}
        return subprocess.run([program, *args], env=env, capture_output=True, text=True, timeout=10)

    return run


@pytest.mark.parametrize(
    ("files", "value"),
    [
        ({}, "base"),
        ({"env/V": "x\n"}, "x\n"),
        ({"env.launch/V.default": "x"}, "base"),
        ({"env/V.append": "x", "env/V.delim": ":"}, "base:x"),
        ({"env/V.prepend": "x"}, "xbase"),
        ({"env.launch/web/V.override": "p'\"$x"}, "p'\"$x"),
        ({"env.launch/other/V.override": "no"}, "base"),
    ],
)
def test_the_launcher_sets_what_the_layers_ask_for(launch, files, value):
    assert launch("web", files=files).stdout == f"{value}\n"


def test_a_layers_programs_are_on_the_path(launch):
    assert "layers/test_one/a/bin:/usr/bin" in launch("web", "PATH", files={"bin/x": ""}).stdout


def test_a_users_arguments_replace_or_follow_by_api(launch):
    assert launch("old", "b").stdout == "a b\n"


def test_a_process_of_an_older_api_runs_in_a_shell(launch):
    assert launch("sh").stdout == "one\nbash two\n"


EXEC = "#!/bin/bash\n"


@pytest.mark.parametrize(
    ("programs", "value"),
    [
        ({"exec.d/a": "echo 'V = \"one\"' >&3"}, "one\n"),
        ({"exec.d/a": 'echo \'V = "a\\"b\\\\c"\' >&3'}, 'a"b\\c\n'),
        ({"exec.d/a": "echo \"V = 'it \\\\n'\" >&3"}, "it \\n\n"),
        ({"exec.d/a": "echo 'V=\"1\"' >&3", "exec.d/b": 'echo "V = \\"$V-2\\"" >&3'}, "1-2\n"),
        ({"exec.d/a": "echo 'V=\"all\"' >&3", "exec.d/web/a": "echo 'V=\"web\"' >&3"}, "web\n"),
        ({"exec.d/a": "echo '# nothing' >&3; echo noise"}, "base\n"),
    ],
)
def test_programs_of_a_layer_set_variables_at_launch(launch, programs, value):
    files = {name: EXEC + text for name, text in programs.items()}
    assert launch("web", files=files).stdout == value


@pytest.mark.parametrize("text", ["exit 3", "echo 'V: 1' >&3", "echo 'V = $(id)' >&3"])
def test_a_program_that_fails_or_talks_nonsense_ends_the_launch(launch, text):
    done = launch("web", files={"exec.d/a": EXEC + text})
    assert done.returncode == 82
    assert "exec.d/a" in done.stderr


def test_profiles_are_read_for_processes_that_run_in_a_shell(launch):
    files = {"profile.d/a.sh": "export V=mine", "profile.d/sh/b.sh": "V=$V-too"}
    assert launch("sh", files=files).stdout == "one\nbash two\n"
    assert launch("shown", files=files).stdout == "base\n"
    assert launch("sh-shown", files={**files, "profile.d/sh-shown/b.sh": "V=$V-too"}).stdout == (
        "mine-too\n"
    )


@pytest.mark.parametrize(("kind", "args"), [("none", ()), ("lost", ()), ("launcher", ())])
def test_what_cannot_be_started_ends_with_82(launch, kind, args):
    done = launch(kind, *args)
    assert done.returncode == 82
    assert done.stderr.startswith("launcher: ")


def test_any_command_runs_in_the_images_environment(launch):
    assert launch("launcher", "--", "printenv", "V", files={"env/V": "x"}).stdout == "x\n"
