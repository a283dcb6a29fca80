"""Builds that mean harm, a full disk, and processes that are killed at any moment: all for real."""

import os
import random
import shutil
import signal
import subprocess
import time
from dataclasses import replace

import pytest

from builds.engines.base import Phase
from builds.lifecycle import enforcement
from builds.lifecycle.work import Limits, Work
from tests.builds.test_local_engine import (
    ENDED,
    PROCFILE,
    Site,
    processes_of,
    with_script,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(enforcement.probe().mode != "namespaces", reason="no namespaces here"),
]
# So long that no other test's programs are mistaken for it.
SLEEP = f"sleep {300_000 + os.getpid()}"


@pytest.fixture
def site(tmp_path, git_server):
    return Site(tmp_path / "state", git_server)


def count_left():
    found = subprocess.run(["pgrep", "-c", "-f", f"^{SLEEP}"], capture_output=True, text=True)
    return int(found.stdout)


def wait_until_nothing_is_left(seconds=10):
    end = time.monotonic() + seconds
    while count_left():
        assert time.monotonic() < end, f"{count_left()} processes are left"
        time.sleep(0.05)


def test_a_fork_bomb_meets_its_limit_and_is_gone_afterwards(site):
    bomb = f"for i in $(seq 500); do setsid {SLEEP} & done; exit 3"
    order, seen = site.build(with_script(bomb))
    assert seen.phase is Phase.FAILED, site.log(order)
    assert "Resource temporarily unavailable" in site.log(order)
    wait_until_nothing_is_left()


def test_a_bomb_that_never_stops_can_be_cancelled(site):
    order = site.order(with_script(f"echo started; while :; do {SLEEP} & done"))
    site.engine.submit(order)
    while "started" not in site.log(order):
        time.sleep(0.05)
    time.sleep(0.5)
    assert 0 < count_left() <= site.limits.pids
    site.remove(order)
    wait_until_nothing_is_left()


def test_200_mb_of_output_end_the_build_and_not_the_disk(site):
    limits = replace(site.limits, log_bytes=Limits().log_bytes, disk_bytes=Limits().disk_bytes)
    site.use(limits)
    order, seen = site.build(with_script("yes 'a line of some length' | head -c 200000000"))
    # The program may be done before the first look at how much it printed.
    size = (site.folder(order) / "log").stat().st_size
    assert seen.reason_code == "log-too-large" or size > 200_000_000
    assert size < 250_000_000


def test_a_repository_that_is_strange_in_every_way_is_built(site):
    deep = "/".join(["d"] * 150) + "/file"
    names = [
        "-rf",
        "--help",
        "a\\b",
        'quo"te',
        "semi;colon",
        "$(id)",
        "`id`",
        "\x1b[31mred",
        "\xa0",
    ]
    files = {**PROCFILE, deep: "deep", **{f"names/{name}": "x" for name in names}}
    files[".gitmodules"] = '[submodule "x"]\n\tpath = x\n\turl = file:///etc\n'
    files[".gitattributes"] = "* filter=evil diff=evil merge=evil\n"
    links = [("loop", "loop"), ("self", "."), ("root", "/"), ("proc", "/proc/self/root")]
    order, seen = site.build(files, links=links)
    assert seen.phase is Phase.SUCCEEDED, site.log(order)
    assert "submodules. They are not fetched" in site.log(order)


def test_a_link_in_place_of_the_layers_directory_is_not_followed(site, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    script = f"rm -rf /layers/portal_procfile; ln -s {outside} /layers/portal_procfile"
    order, seen = site.build(with_script(script))
    assert seen.phase in ENDED, site.log(order)
    assert [path.name for path in outside.iterdir()] == ["kept"]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 160 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    argv = ["mount", "-t", "tmpfs", "-o", "size=160m,mode=711", "none", str(folder)]
    if subprocess.run(argv, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_is_said_and_the_next_build_works_when_there_is_room(small_disk, git_server):
    site = Site(small_disk / "state", git_server)
    site.use(replace(site.limits, disk_bytes=10 * 1024**3))
    script = "head -c 500000000 /dev/zero > /workspace/big; echo wrote; sleep 30"
    order, seen = site.build(with_script(script))
    assert (seen.phase, seen.reason_code) == (Phase.FAILED, "disk-full"), site.log(order)[-2000:]
    assert "operator" in seen.reason
    site.remove(order)
    wait_for_room(small_disk)
    again = replace(site.order({**PROCFILE, "build.sh": "true"}), name=f"{order.name}-again")
    site.engine.submit(again)
    assert site.wait(again).phase is Phase.SUCCEEDED, site.log(again)


def wait_for_room(folder, seconds=20):
    end = time.monotonic() + seconds
    while shutil.disk_usage(folder).free < 120 * 1024**2:
        assert time.monotonic() < end, "the space did not come back"
        time.sleep(0.1)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_killed_whenever_a_build_ends_once_and_leaves_nothing(site, seed):
    """Submit, kill -9 the runner or everything in its sandbox, submit again, remove: at random."""
    chance = random.Random(seed)
    order = site.order(with_script(f"(setsid {SLEEP} &); sleep 0.3; echo done"))
    finals = []
    for _step in range(6):
        site.engine.submit(order)
        time.sleep(chance.uniform(0, 1.2))
        kill(chance.choice(["runner", "inside", "nothing"]), site, order)
        seen = site.engine.observe(order)
        finals += [seen.phase] if seen.phase in ENDED - {Phase.MISSING} else []
    final = site.wait(order, ENDED - {Phase.MISSING})
    assert set(finals) <= {final.phase}, "an end that was seen has changed"
    site.remove(order)
    wait_until_nothing_is_left()
    assert processes_of(site.folder(order)) == ""


def kill(what, site, order):
    pid = Work(site.folder(order)).read_status().get("pid")
    try:
        if what == "runner" and pid:
            os.kill(pid, signal.SIGKILL)
        elif what == "inside":
            subprocess.run(["pkill", "-KILL", "-f", f"^{SLEEP}"], check=False)
    except ProcessLookupError:
        pass
