"""Gets and compiles the parts of a cluster (build), and keeps one running (up, or up-server)."""

import argparse
import signal
import sys
import time
from collections.abc import Callable

import tests.environment  # noqa: F401 - the portal's settings say what builds get
from tests.cluster import components, debian, images, leftovers
from tests.cluster.cluster import start_cluster
from tests.cluster.lab import start_lab
from tests.cluster.processes import LabError


def build() -> None:
    """Says each part's version, and how long it took to get."""
    debian.install(debian.SERVER | debian.NODE)
    for package in (debian.SERVER | debian.NODE).values():
        print(f"{package} {debian.version(package)}: from Debian", flush=True)
    for component in components.ALL:
        _say(f"{component.name} {component.version}", component.build())
    started = time.monotonic()
    images.base_layer()
    _say(f"image of Debian {images.SUITE}", time.monotonic() - started)


def _say(what: str, seconds: float) -> None:
    print(f"{what}: {f'made in {seconds:.0f} s' if seconds > 1 else 'was there'}", flush=True)


def up() -> None:
    """Until Ctrl-C or SIGTERM."""
    with start_lab() as lab:
        print(f"export KUBECONFIG={lab.kubeconfig}")
        print(f"# builder {lab.builder_image}, run image {lab.run_image}")
        print(f"# ingress http://{lab.ingress_address}", flush=True)
        signal.pause()


def up_server() -> None:
    with start_cluster() as cluster:
        print(f"export KUBECONFIG={cluster.kubeconfig}", flush=True)
        signal.pause()


def clean() -> None:
    for folder in leftovers.clean():
        print(f"removed {folder}")


COMMANDS: dict[str, Callable[[], None]] = {
    "build": build,
    "up": up,
    "up-server": up_server,
    "clean": clean,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("command", choices=COMMANDS)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        COMMANDS[parser.parse_args().command]()
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
