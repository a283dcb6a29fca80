"""Another system than the machine's own: taken from a directory or an image, built and run on."""

import io
import json
import re
import shutil
import subprocess
import tarfile
import time

import pytest

from builds.engines.base import Order, Phase
from builds.engines.local import LocalEngine, LocalSettings
from builds.lifecycle import enforcement
from builds.lifecycle.bases import BaseRefused, import_base
from builds.lifecycle.oci import ImageStore
from portal.webservices.engines.base import Phase as ReplicaPhase
from portal.webservices.engines.base import ReplicaOrder
from portal.webservices.engines.local import LocalSettings as ServiceSettings
from portal.webservices.engines.local import LocalWebserviceEngine

PROGRAMS = ("bash", "sh", "env", "setpriv", "cat", "sleep", "test", "mkdir")
BUILD = r"""#!/bin/bash
. /etc/os-release
echo "built on $ID, told $CNB_TARGET_DISTRO_NAME"
test ! -e /usr/bin/git || echo "this is the machine's own system"
echo scribble > /usr/scribble
mkdir -p "$1"
cat > "$1/launch.toml" <<END
[[processes]]
type = "web"
command = ["bash", "-c", "cat /etc/os-release /usr/scribble; sleep 600"]
END
"""


def libraries(program):
    done = subprocess.run(["ldd", program], capture_output=True, text=True)
    return re.findall(r"(/\S+)", done.stdout)


@pytest.fixture(scope="module")
def rootfs(tmp_path_factory):
    """A system of a few programs, with a name of its own."""
    root = tmp_path_factory.mktemp("rootfs")
    for name in PROGRAMS:
        program = shutil.which(name)
        for path in (program, *libraries(program)):
            target = root / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                shutil.copy(path, target)
    if not (root / "bin").exists():
        (root / "bin").symlink_to("usr/bin")
    (root / "etc").mkdir(exist_ok=True)
    (root / "etc/os-release").write_text('NAME="Small"\nID=small\nVERSION_ID="1"\n')
    return root


def layout_of(rootfs, folder, *, extra=None):
    """The same system as an OCI layout with one layer."""
    store = ImageStore(folder)

    def pack(file):
        with tarfile.open(fileobj=file, mode="w|", format=tarfile.PAX_FORMAT) as tar:
            tar.add(rootfs, ".")
            if extra is not None:
                tar.addfile(extra, io.BytesIO(b""))

    layer = store.add_layer(pack)
    config = {"config": {}, "rootfs": {"type": "layers", "diff_ids": [layer.diff_id]}}
    store.add_image(config, [layer], tag="small")
    return folder


def test_a_directory_becomes_a_base(rootfs, tmp_path):
    target = import_base(rootfs, tmp_path / "bases", "small-1")
    assert (target / "etc/os-release").read_text() == (rootfs / "etc/os-release").read_text()


def test_an_image_becomes_a_base_with_its_links_and_without_its_devices(rootfs, tmp_path):
    device = tarfile.TarInfo("dev/null")
    device.type, device.devmajor, device.devminor = tarfile.CHRTYPE, 1, 3
    layout = layout_of(rootfs, tmp_path / "layout", extra=device)
    target = import_base(layout, tmp_path / "bases", "small")
    assert (target / "etc/os-release").read_text() == (rootfs / "etc/os-release").read_text()
    assert not (target / "dev/null").exists()


@pytest.mark.parametrize("name", ["../x", "", ".new", "A", "a/b", "-a"])
def test_a_name_that_is_none_is_refused(rootfs, tmp_path, name):
    with pytest.raises(BaseRefused, match="lower-case"):
        import_base(rootfs, tmp_path / "bases", name)


def test_a_base_is_never_replaced(rootfs, tmp_path):
    import_base(rootfs, tmp_path / "bases", "small")
    with pytest.raises(BaseRefused, match="another name"):
        import_base(rootfs, tmp_path / "bases", "small")


def test_a_system_without_its_programs_is_refused_and_leaves_nothing(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(BaseRefused, match="no bash"):
        import_base(tmp_path / "empty", tmp_path / "bases", "small")
    assert list((tmp_path / "bases").iterdir()) == []


@pytest.mark.parametrize("linkname", ["../../etc/passwd", "etc/missing", "bin"])
def test_a_link_that_leads_elsewhere_is_refused(rootfs, tmp_path, linkname):
    link = tarfile.TarInfo("etc/link")
    link.type, link.linkname = tarfile.LNKTYPE, linkname
    layout = layout_of(rootfs, tmp_path / "layout", extra=link)
    with pytest.raises(BaseRefused, match="etc/link"):
        import_base(layout, tmp_path / "bases", "small")


@pytest.mark.parametrize("text", ["{}", "nonsense", '{"manifests": []}'])
def test_an_index_that_is_none_is_refused(tmp_path, text):
    (tmp_path / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))
    (tmp_path / "index.json").write_text(text)
    with pytest.raises(BaseRefused, match="no OCI layout"):
        import_base(tmp_path, tmp_path / "bases", "small")


def buildpacks(folder):
    (folder / "only/bin").mkdir(parents=True)
    about = 'api = "0.10"\n[buildpack]\nid = "test/only"\nversion = "1"\n'
    (folder / "only/buildpack.toml").write_text(about)
    member = '[[order]]\n[[order.group]]\nid = "test/only"\nversion = "1"\n'
    (folder / "order.toml").write_text(member)
    for name, text in (("detect", "#!/bin/bash\ntrue\n"), ("build", BUILD)):
        program = folder / "only/bin" / name
        program.write_text(text)
        program.chmod(0o755)
    return folder


def wait_for(check, *, seconds=60):
    end = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)
    return found


@pytest.mark.skipif(enforcement.probe().mode != "namespaces", reason="needs namespaces")
def test_a_build_and_its_image_run_on_the_base(rootfs, tmp_path, git_server):
    state = tmp_path / "state"
    base = import_base(rootfs, state / "bases", "small")
    settings = LocalSettings(
        state=state,
        buildpacks=buildpacks(tmp_path / "buildpacks"),
        trusted_prefixes=(git_server.url,),
        base="small",
    )
    engine = LocalEngine(settings)
    url, _commit = git_server.repository("on-base", {"README": "x"})
    order = Order(name="base-1", tool="base", tool_id=9, source_url=url)
    engine.submit(order)
    wait_for(lambda: engine.observe(order).phase not in (Phase.RUNNING, Phase.MISSING))
    seen, log = engine.observe(order), engine.logs(order, since=0, limit=10**6).data.decode()
    assert seen.phase is Phase.SUCCEEDED, log
    assert "built on small, told small" in log
    assert "machine's own" not in log
    assert not (base / "usr/scribble").exists()

    services = LocalWebserviceEngine(ServiceSettings(state=state))
    replica = ReplicaOrder("base-r1-0", "base", 9, "", seen.image.digest, "web", 20_000)
    services.submit(replica)
    try:
        output = wait_for(lambda: services.logs(replica, since=0, limit=10**6)[0])
        assert b"ID=small" in output
        assert b"scribble" in output
        assert b"No such file" in wait_for(
            lambda: services.logs(replica, since=0, limit=10**6)[0].partition(b"VERSION_ID")[2]
        )
    finally:
        wait_for(
            lambda: (
                services.remove(replica) or services.observe(replica).phase is ReplicaPhase.MISSING
            )
        )
