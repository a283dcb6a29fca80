"""`python -m tests.cluster build` gets and compiles the parts; `up` keeps a cluster running."""

import argparse
import signal
import sys
from collections.abc import Callable

from tests.cluster import components, debian, leftovers
from tests.cluster.cluster import start_cluster
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
    with start_cluster() as cluster:
        print(f"export KUBECONFIG={cluster.kubeconfig}", flush=True)
        signal.pause()


def clean() -> None:
    for folder in leftovers.clean():
        print(f"removed {folder}")


COMMANDS: dict[str, Callable[[], None]] = {"build": build, "up": up, "clean": clean}


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
