"""Of the buildpack contract: buildpacks of buildpacks, slices, lists of what was installed."""

import os

import pytest

from builds.lifecycle.archive import paths_in
from builds.lifecycle.bom import read_boms
from builds.lifecycle.buildpack import Buildpack, load_order
from builds.lifecycle.errors import BUILD_ERROR, FAILED, LifecycleError
from builds.lifecycle.layers import Layer, read_launch
from builds.lifecycle.slices import split
from tests.lifecycle.test_image import BUILDPACK, Workshop

COMPONENT = 'api = "0.10"\n[buildpack]\nid = "{0}"\nversion = "1"\n'


def order_of(text):
    """`a,b?|c` as TOML: groups of buildpacks, some of them optional."""
    parts = []
    for group in text.split("|"):
        parts.append("[[order]]")
        for name in filter(None, group.split(",")):
            optional = str(name.endswith("?")).lower()
            parts.append(
                f'[[order.group]]\nid = "{name.rstrip("?")}"\nversion = "1"\noptional = {optional}'
            )
    return "\n".join(parts) + "\n"


def groups(folder, order, **composites):
    """The groups that an order comes to, as text."""
    for name in "abcd":
        (folder / name).mkdir()
        (folder / name / "buildpack.toml").write_text(COMPONENT.format(name))
    for name, text in composites.items():
        (folder / name).mkdir()
        (folder / name / "buildpack.toml").write_text(COMPONENT.format(name) + order_of(text))
    (folder / "order.toml").write_text(order_of(order))
    return [
        ",".join(f"{m.buildpack.id}{'?' * m.is_optional}" for m in group)
        for group in load_order(folder)
    ]


@pytest.mark.parametrize(
    ("order", "composites", "expected"),
    [
        ("a,b?|c", {}, ["a,b?", "c"]),
        ("x", {"x": "a,b?"}, ["a,b?"]),
        ("x,d", {"x": "a|b,c"}, ["a,d", "b,c,d"]),
        ("a,x?,d", {"x": "b|c"}, ["a,b,d", "a,c,d", "a,d"]),
        ("x?", {"x": "a"}, ["a"]),
        ("x", {"x": "y,d", "y": "a|b?"}, ["a,d", "b?,d"]),
        ("x,y", {"x": "a|b", "y": "c|d"}, ["a,c", "a,d", "b,c", "b,d"]),
    ],
)
def test_a_buildpack_of_buildpacks_stands_for_its_groups(tmp_path, order, composites, expected):
    assert groups(tmp_path, order, **composites) == expected


@pytest.mark.parametrize("composites", [{"x": "x"}, {"x": "y", "y": "x"}, {"x": "no-such"}])
def test_what_is_made_of_itself_or_of_nothing_is_refused(tmp_path, composites):
    with pytest.raises(LifecycleError) as caught:
        groups(tmp_path, "x", **composites)
    assert caught.value.code == FAILED


PATHS = ["app.py", "assets", "assets/a.css", "assets/deep", "assets/deep/b.css", "c.css", "d"]


@pytest.mark.parametrize(
    ("slices", "expected"),
    [
        ([], [PATHS]),
        ([["assets"]], [PATHS[1:5], ["app.py", "c.css", "d"]]),
        ([["assets/*.css"]], [["assets/a.css"], [p for p in PATHS if p != "assets/a.css"]]),
        ([["*.css"], ["assets", "*"]], [["c.css"], [p for p in PATHS if p != "c.css"], []]),
        ([["assets/*"], ["assets"]], [PATHS[2:5], ["assets"], ["app.py", "c.css", "d"]]),
        ([["../*", "/etc", ""]], [[], PATHS]),
    ],
)
def test_each_path_is_in_one_slice(slices, expected):
    assert [sorted(part) for part in split(PATHS, slices)] == [sorted(part) for part in expected]


@pytest.fixture
def workshop(tmp_path):
    return Workshop(tmp_path)


def fill(workshop):
    (workshop.layout.workspace / "assets/deep").mkdir(parents=True)
    (workshop.layout.workspace / "assets/deep/b.css").write_text("b")
    (workshop.layout.workspace / "link").symlink_to("/etc/passwd")


def test_slices_are_layers_and_come_together_again(workshop):
    fill(workshop)
    digest = workshop.export(slices=[("assets",)]).digest
    history = workshop.store.read(digest).config["history"]
    assert [each["created_by"] for each in history][:2] == [
        "Application Slice: 1",
        "Application Slice: 2",
    ]
    root = workshop.unpack(digest) / "workspace"
    assert sorted(paths_in(root)) == [
        "app.txt",
        "assets",
        "assets/deep",
        "assets/deep/b.css",
        "link",
    ]
    assert os.readlink(root / "link") == "/etc/passwd"


def test_a_slice_that_did_not_change_keeps_its_layer(workshop):
    fill(workshop)
    first = workshop.store.read(workshop.export(slices=[("assets",)]).digest)
    workshop.begin()
    fill(workshop)
    (workshop.layout.workspace / "app.txt").write_text("changed")
    second = workshop.store.read(workshop.export(slices=[("assets",)]).digest)
    assert second.layers[0] == first.layers[0]
    assert second.layers[1] != first.layers[1]


def test_slices_are_read_from_what_the_buildpack_wrote(tmp_path):
    (tmp_path / "launch.toml").write_text('[[slices]]\npaths = ["a", "b/*"]\n[[slices]]\n')
    assert read_launch(tmp_path, BUILDPACK).slices == (("a", "b/*"), ())


CYCLONE = Buildpack(
    "test/one", "1", "0.10", "/", sbom_formats=("application/vnd.cyclonedx+json;version=1.4",)
)


def test_lists_of_what_was_installed_go_into_the_image(workshop):
    folder = workshop.layout.layers / "test_one"
    folder.mkdir(exist_ok=True)
    for name in ("launch", "a", "built", "build"):
        (folder / f"{name}.sbom.cdx.json").write_text(f'"{name}"')
    (folder / "a.sbom.json").write_text("ignored")
    layers = [workshop.layer("a", launch=True), workshop.layer("built", build=True)]
    boms = read_boms(folder, CYCLONE, layers)
    root = workshop.unpack(workshop.export(*layers, boms=boms).digest) / "layers/sbom/launch"
    assert sorted(paths_in(root)) == [
        "test_one",
        "test_one/a",
        "test_one/a/sbom.cdx.json",
        "test_one/sbom.cdx.json",
    ]
    assert (root / "test_one/a/sbom.cdx.json").read_text() == '"a"'


def test_a_format_that_was_not_announced_fails_the_build(tmp_path):
    (tmp_path / "launch.sbom.spdx.json").write_text("{}")
    with pytest.raises(LifecycleError, match="sbom-formats") as caught:
        read_boms(tmp_path, CYCLONE, [])
    assert caught.value.code == BUILD_ERROR


def test_a_link_instead_of_a_list_is_not_followed(tmp_path):
    (tmp_path / "launch.sbom.cdx.json").symlink_to("/etc/passwd")
    with pytest.raises(LifecycleError, match="no file"):
        read_boms(tmp_path, CYCLONE, [Layer("test/one", "a", tmp_path)])
