"""Our build of the Flask example beside `podman build` of an equal Dockerfile.

`python -m benchmarks.podman ROOTFS`: ROOTFS is an unpacked Debian with Python, as debootstrap makes
it (`--include=python3,python3-venv,ca-certificates`); both build on it. Needs podman and root.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from benchmarks.site import Site

EXAMPLE = Path(__file__).parent.parent / "examples" / "flask-hello"
BASE, IMAGE, NAME, PORT = "localhost/base", "localhost/flask", "bench-flask", 18_999
DOCKERFILE = f"""
FROM {BASE}
WORKDIR /workspace
COPY requirements.txt .
RUN python3 -m venv /venv && /venv/bin/pip install --progress-bar=off -r requirements.txt
COPY . .
ENV PATH=/venv/bin:/usr/bin:/bin
CMD ["bash", "-c", "exec gunicorn --bind 127.0.0.1:$PORT app:app"]
"""
CONF = """
[containers]
default_ulimits = []
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""


class Podman:
    """A podman with images of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "containers.conf").write_text(CONF)
        self._env = {**os.environ, "CONTAINERS_CONF": str(folder / "containers.conf")}

    def __call__(self, *words: str) -> str:
        places = ("--root", f"{self._folder}/root", "--runroot", f"{self._folder}/run")
        done = subprocess.run(
            ["podman", *places, *words], env=self._env, capture_output=True, text=True
        )
        if done.returncode:
            sys.exit(done.stdout + done.stderr)
        return done.stdout

    def build(self, source: Path) -> None:
        pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        proxies = {n: v for n, v in os.environ.items() if n.lower().endswith("_proxy")}
        words = [word for n, v in (pip | proxies).items() for word in ("--env", f"{n}={v}")]
        wheels = ("--volume", "/opt:/opt:ro") if Path("/opt").is_dir() else ()
        self("build", "--network=host", *words, *wheels, "--tag", IMAGE, str(source))


def timed(what: str, work: Callable[[], object]) -> None:
    began = time.monotonic()
    work()
    print(f"  {what}: {time.monotonic() - began:.2f} s", flush=True)


def wait_for_page(url: str, host: str) -> None:
    while True:
        try:
            if httpx.get(url, headers={"Host": host}, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.02)


def measure_podman(rootfs: Path, folder: Path) -> None:
    podman, source = Podman(folder), folder / "source"
    shutil.copytree(EXAMPLE, source)
    (source / "Dockerfile").write_text(DOCKERFILE)
    subprocess.run(["tar", "-C", rootfs, "-cf", folder / "base.tar", "."], check=True)
    podman("import", str(folder / "base.tar"), BASE)
    print("podman build")
    timed("cold", lambda: podman.build(source))
    timed("nothing changed", lambda: podman.build(source))
    (source / "VERSION").write_text("changed\n")
    timed("only the source changed", lambda: podman.build(source))
    run = ("run", "--detach", "--network=host", "--env", f"PORT={PORT}", "--name", NAME, IMAGE)

    def start() -> None:
        podman(*run)
        wait_for_page(f"http://127.0.0.1:{PORT}/", "flask.localhost")

    timed("start to first answer", start)
    podman("rm", "--force", "--time=1", NAME)
    podman("rmi", "--all", "--force")


def measure_ours(rootfs: Path, folder: Path) -> None:
    files = {path.name: path.read_text() for path in EXAMPLE.iterdir() if path.is_file()}
    os.environ["PORTAL_BUILD_BASE"] = "debian"
    bases = folder / "state" / "bases"
    bases.mkdir(parents=True)
    (folder / "state").chmod(0o711)
    bases.chmod(0o711)
    subprocess.run(["cp", "--archive", "--reflink=auto", rootfs, bases / "debian"], check=True)
    with Site(folder) as site:
        print("the portal, on the same system")
        for what, version in (
            ("cold", "1\n"),
            ("nothing changed", "1\n"),
            ("only the source changed", "2\n"),
        ):
            number = site.start("flask", site.repository("flask", {**files, "VERSION": version}))
            print(f"  {what}: {site.wait('flask', number)['order to end']} s", flush=True)

        def start() -> None:
            site.deploy("flask", 3)
            wait_for_page(site.tools_url, "flask.localhost")

        timed("deploy to first answer", start)


def main() -> None:
    rootfs = Path(sys.argv[1])
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        measure_podman(rootfs, Path(folder))
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        measure_ours(rootfs, Path(folder))


if __name__ == "__main__":
    main()
