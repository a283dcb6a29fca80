"""Gets and compiles the parts of a cluster (build), and keeps one running (up, or up-server)."""

import argparse
import signal
import sys
from collections.abc import Callable

import tests.environment  # noqa: F401 - the portal's settings say what builds get
from tests.cluster import components, debian, leftovers
from tests.cluster.cluster import start_cluster
from tests.cluster.lab import start_lab
from tests.cluster.processes import LabError


def build() -> None:
    debian.install(debian.SERVER)
    print(f"etcd {debian.version('etcd-server')} (Debian)", flush=True)
    for component in components.ALL:
        seconds = component.build()
        how = f"compiled in {seconds:.0f} s" if seconds else "already compiled"
        print(f"{component.name} {component.version}: {how}", flush=True)


def up() -> None:
    """Until Ctrl-C or SIGTERM."""
    with start_lab() as lab:
        print(f"export KUBECONFIG={lab.kubeconfig}")
        print(f"registry: {lab.registry}", flush=True)
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
