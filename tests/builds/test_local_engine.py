"""The local engine: real git, a real sandbox, real processes, a real image."""

import os
import shutil
import signal
import subprocess
import time
from dataclasses import replace

import pytest

from builds.engines.base import Order, Phase
from builds.engines.local import LocalEngine, LocalSettings
from builds.lifecycle import enforcement
from builds.lifecycle.detached import PROJECT
from builds.lifecycle.oci import ImageStore
from builds.lifecycle.work import Limits, Work

pytestmark = pytest.mark.skipif(
    enforcement.probe().mode != "namespaces",
    reason=f"no sandbox here: {enforcement.probe().means[0]}",
)
PROCFILE = {"Procfile": "web: ./serve\n"}
ENDED = {Phase.SUCCEEDED, Phase.FAILED, Phase.LOST, Phase.MISSING}


class Site:
    """An engine of its own, and orders for it."""

    def __init__(self, state, git_server):
        self.git = git_server
        self.limits = Limits(
            memory_bytes=300 * 1024**2, pids=64, disk_bytes=60 * 1024**2, log_bytes=2 * 1024**2
        )
        self.settings = LocalSettings(
            state=state,
            buildpacks=make_buildpacks(state / "buildpacks"),
            trusted_prefixes=(git_server.url,),
            limits=self.limits,
        )
        self.engine = LocalEngine(self.settings)
        self.name = f"{state.parent.name.replace('_', '-')}-{os.getpid()}"[-40:]

    def use(self, limits):
        self.limits = limits
        self.settings = replace(self.settings, limits=limits)
        self.engine = LocalEngine(self.settings)

    def order(self, files, **changes):
        url, _commit = self.git.repository(self.name, files, links=changes.pop("links", ()))
        order = Order(name=f"{self.name}-1", tool=self.name, tool_id=7, source_url=url)
        return replace(order, **changes)

    def build(self, files, **changes):
        order = self.order(files, **changes)
        self.engine.submit(order)
        return order, self.wait(order)

    def wait(self, order, phases=ENDED, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            seen = self.engine.observe(order)
            if seen.phase in phases:
                return seen
            time.sleep(0.05)
        raise AssertionError(f"still {seen.phase}: {self.log(order)}")

    def log(self, order):
        return self.engine.logs(order, since=0, limit=10**7).data.decode()

    def remove(self, order):
        while self.engine.observe(order).phase is not Phase.MISSING or self.folder(order).exists():
            self.engine.remove(order)
            time.sleep(0.05)

    def folder(self, order):
        return self.settings.state / "builds" / order.name


@pytest.fixture
def site(tmp_path, git_server):
    return Site(tmp_path / "state", git_server)


ORDER = """
[[order]]
[[order.group]]
id = "test/script"
version = "1"
optional = true
[[order.group]]
id = "portal/procfile"
version = "0.1.0"
"""


def with_script(script):
    """A repository whose build runs a script, by the buildpack below."""
    return {"build.sh": script, **PROCFILE}


def make_buildpacks(folder):
    """Our buildpack for Procfiles, and one that runs the repository's build.sh."""
    shutil.copytree(PROJECT / "builds/buildpacks/procfile", folder / "procfile")
    (folder / "order.toml").write_text(ORDER)
    (folder / "script/bin").mkdir(parents=True)
    about = 'api = "0.10"\n[buildpack]\nid = "test/script"\nversion = "1"\n'
    (folder / "script/buildpack.toml").write_text(about)
    for name, text in (("detect", "test -f build.sh || exit 100"), ("build", "bash build.sh")):
        program = folder / "script/bin" / name
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
    return folder


def test_a_repository_becomes_an_image(site):
    order, seen = site.build(PROCFILE)
    assert seen.phase is Phase.SUCCEEDED, site.log(order)
    assert [step.name for step in seen.steps] == ["clone", "detect", "restore", "build", "export"]
    assert all(step.succeeded and step.finished_at for step in seen.steps)
    assert seen.image.processes == {"web": ("bash", "-c", "./serve")}
    assert len(seen.commit) == 40
    store = ImageStore(site.settings.state / "images" / order.tool)
    assert store.read(seen.image.digest).layers


def test_the_same_commit_gives_the_same_image(site):
    order, first = site.build(PROCFILE)
    again = replace(order, name=f"{order.name}-again", commit=first.commit)
    site.engine.submit(again)
    assert site.wait(again).image.digest == first.image.digest


def test_submitting_twice_starts_one_build(site):
    order = site.order(PROCFILE)
    site.engine.submit(order)
    site.engine.submit(order)
    assert site.wait(order).phase is Phase.SUCCEEDED
    assert site.log(order).count("===> CLONE") == 1


def test_a_build_that_was_removed_is_gone(site):
    order, _seen = site.build(PROCFILE)
    site.remove(order)
    assert not site.folder(order).exists()
    assert site.log(order) == ""


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"ref": "no-such-branch"}, "ref-not-found"),
        ({"subdirectory": "missing"}, "source-not-found"),
        ({"subdirectory": "link"}, "source-not-found"),
        ({"source_url": "https://127.0.0.1/x.git"}, "source-refused"),
        ({"commit": "e" * 40}, "source-not-found"),
    ],
)
def test_a_source_that_is_not_there_fails_in_words(site, changes, code):
    order, seen = site.build(PROCFILE, links=[("link", "/etc")], **changes)
    assert (seen.phase, seen.reason_code) == (Phase.FAILED, code), site.log(order)
    assert seen.reason.endswith(".")


def test_a_repository_that_is_not_there_fails_in_words(site):
    order = site.order(PROCFILE)
    order = replace(order, source_url=f"{site.git.url}nothing.git")
    site.engine.submit(order)
    assert site.wait(order).reason_code == "source-not-found"


def test_an_empty_repository_says_so(site):
    site.git.git("init", "--quiet", "--bare", str(site.git.root / f"{site.name}-empty.git"))
    order = replace(site.order(PROCFILE), source_url=f"{site.git.url}{site.name}-empty.git")
    site.engine.submit(order)
    assert "empty" in site.wait(order).reason


def test_a_branch_a_tag_and_a_directory_can_be_built(site):
    files = {"web/Procfile": "web: ./other\n", "README": "x"}
    _order, seen = site.build(files, subdirectory="web", ref="main")
    assert seen.image.processes["web"] == ("bash", "-c", "./other")


def test_what_nobody_knows_how_to_build_is_said(site):
    _order, seen = site.build({"README": "hello"})
    assert (seen.phase, seen.reason_code) == (Phase.FAILED, "nothing-detected")
    assert "No buildpack" in seen.reason


def test_a_bad_procfile_names_its_line(site):
    order, seen = site.build({"Procfile": "web: x\nnonsense\n"})
    assert seen.reason_code == "build-failed"
    assert "Procfile, line 2" in site.log(order)


def test_links_and_strange_names_are_kept_but_never_followed(site):
    files = {**PROCFILE, "new\nline": "x", "x" * 250: "y", "ünï": "z"}
    order, seen = site.build(files, links=[("etc", "/etc"), ("up", "../../../..")])
    assert seen.phase is Phase.SUCCEEDED, site.log(order)
    assert seen.image.size < 100_000


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("echo broken; exit 3", "build-failed"),
        ("head -c 100000000 /dev/zero > /workspace/big; sleep 30", "disk-full"),
        ("yes | head -c 20000000; sleep 30", "log-too-large"),
        ("python3 -c 'x = bytearray(900_000_000)'; exit 1", "out-of-memory"),
    ],
)
def test_a_build_that_takes_too_much_ends_with_its_reason(site, script, code):
    order, seen = site.build(with_script(script))
    assert seen.reason_code == code, site.log(order)[-2000:]


def test_a_directory_of_the_operators_packages_can_be_read(site, tmp_path):
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (wheels / "name").write_text("a package")
    for path in (tmp_path, *tmp_path.parents[:2]):
        path.chmod(0o711)
    site.settings = replace(site.settings, operator={"PIP_FIND_LINKS": f"{wheels} https://x/"})
    site.engine = LocalEngine(site.settings)
    order, _seen = site.build(with_script(f"cat {wheels}/name; touch {wheels}/x; exit 3"))
    assert "a package" in site.log(order)
    assert not (wheels / "x").exists()


def test_secrets_are_gone_from_the_disk_when_the_build_ends(site):
    _order, _seen = site.build(PROCFILE, environment={"TOKEN": "hunter2-hunter2"})
    found = subprocess.run(
        ["grep", "-r", "-l", "hunter2", str(site.settings.state)], capture_output=True
    )
    assert found.stdout == b""


def processes_of(folder):
    return subprocess.run(["pgrep", "-f", str(folder)], capture_output=True, text=True).stdout


def test_a_cancelled_build_leaves_no_process(site):
    order = site.order(with_script("echo started; setsid sleep 55555 & sleep 55555"))
    site.engine.submit(order)
    while "started" not in site.log(order):
        time.sleep(0.05)
    site.remove(order)
    time.sleep(0.3)
    assert processes_of(site.folder(order)) == ""
    assert subprocess.run(["pgrep", "-f", "sleep 55555"], capture_output=True).returncode == 1


@pytest.mark.parametrize("delay", [0.0, 0.15, 0.5, 1.0])
def test_a_build_that_was_killed_is_lost_or_done_and_never_half(site, delay):
    order = site.order(with_script("sleep 44444"))
    site.engine.submit(order)
    time.sleep(delay)
    pid = Work(site.folder(order)).read_status().get("pid")
    if pid:
        os.kill(pid, signal.SIGKILL)
        assert site.wait(order).phase is Phase.LOST
    site.remove(order)
    assert processes_of(site.folder(order)) == ""


def test_an_order_of_which_only_the_directory_was_made_is_started(site):
    order = site.order(PROCFILE)
    site.engine._prepare(order, Work(site.folder(order)))
    assert site.engine.observe(order).phase is Phase.MISSING
    site.engine.submit(order)
    assert site.wait(order).phase is Phase.SUCCEEDED
