"""Unpacked images: there while somebody runs them, gone when nobody does."""

import threading

import pytest

from builds.lifecycle.archive import TarWriter
from builds.lifecycle.oci import ImageStore
from builds.lifecycle.unpack import hold, remove_unpacked, unpack


def pack(file):
    tar = TarWriter(file)
    tar.add_file("workspace/app.txt", b"app")
    tar.close()


@pytest.fixture
def store(tmp_path):
    return ImageStore(tmp_path / "images")


@pytest.fixture
def digest(store):
    layer = store.add_layer(pack)
    config = {"config": {}, "rootfs": {"type": "layers", "diff_ids": [layer.diff_id]}}
    return store.add_image(config, [layer], tag="hat-1").digest


@pytest.fixture
def releases(tmp_path):
    return tmp_path / "releases"


def test_what_nobody_runs_is_deleted_to_the_last_file(store, digest, releases):
    unpack(store, digest, releases)
    assert remove_unpacked(releases, kept=()) == 1
    assert list(releases.iterdir()) == []


def test_what_a_process_holds_stays_until_it_lets_go(store, digest, releases):
    root, lock = hold(store, digest, releases)
    assert remove_unpacked(releases, kept=()) == 0
    assert (root / "workspace/app.txt").read_text() == "app"
    lock.close()
    assert remove_unpacked(releases, kept=()) == 1


def test_what_a_release_needs_stays(store, digest, releases):
    root = unpack(store, digest, releases)
    assert remove_unpacked(releases, kept={digest}) == 0
    assert root.is_dir()


def test_half_of_an_image_is_deleted_too(store, digest, releases):
    root = unpack(store, digest, releases)
    root.rename(root.with_suffix(".new"))
    assert remove_unpacked(releases, kept=()) == 0
    assert list(releases.iterdir()) == []


def test_what_was_deleted_is_unpacked_again(store, digest, releases):
    unpack(store, digest, releases)
    remove_unpacked(releases, kept=())
    assert (unpack(store, digest, releases) / "workspace/app.txt").read_text() == "app"


def test_nothing_unpacked_is_nothing_to_delete(releases):
    assert remove_unpacked(releases, kept=()) == 0


def test_a_holder_always_has_its_files_however_often_they_are_cleaned_away(store, digest, releases):
    ends = threading.Event()
    cleaner = threading.Thread(
        target=lambda: [remove_unpacked(releases, kept=()) for _ in iter(ends.is_set, True)]
    )
    cleaner.start()
    try:
        for _attempt in range(100):
            root, lock = hold(store, digest, releases)
            with lock:
                assert (root / "workspace/app.txt").read_text() == "app"
    finally:
        ends.set()
        cleaner.join()
