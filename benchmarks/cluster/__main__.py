"""The portal on a Kubernetes cluster of some size: `python -m benchmarks.cluster`.

A real API server with etcd, its controllers and scheduler; KWOK says that pods run, and the
benchmark plays Tekton's controller. Needs what `make test-cluster` needs.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

from benchmarks.cluster.stage import Stage, set_up


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster", description=__doc__)
    parser.add_argument("--webservices", type=int, default=5000)
    parser.add_argument("--under-way", type=int, default=500, help="builds")
    parser.add_argument("--finished", type=int, default=50_000, help="builds")
    parser.add_argument("--tries", type=int, default=200, help="of what is timed")
    parser.add_argument("--minutes", type=float, default=5, help="of idleness")
    parser.add_argument("--toolforge", type=Path, help="its compiled builds API")
    return parser.parse_args()


def measure(stage: Stage, asked: argparse.Namespace) -> None:
    import django  # noqa: PLC0415 - its settings are known by now

    django.setup()
    from django.utils import timezone  # noqa: PLC0415

    from benchmarks.cluster import changes, rows, toolforge, upkeep  # noqa: PLC0415

    sizes = rows.Sizes(asked.webservices, asked.under_way, asked.finished)
    stage.portal.manage("migrate", "--verbosity", "0")
    began = time.monotonic()
    platform = rows.fill(stage, sizes, at=timezone.now())
    filled = time.monotonic()
    rows.apply_all(stage, platform)
    took = time.monotonic() - filled
    print(f"rows in {filled - began:.0f} s, objects in {took:.0f} s", flush=True)
    stage.portal.start()
    try:
        upkeep.first_look(stage, platform)
        upkeep.idle(stage, asked.minutes)
        changes.requests(stage, platform, tries=min(asked.tries, 5))
        changes.latencies(stage, platform, tries=asked.tries)
        changes.starts(stage, platform, tries=asked.tries)
        upkeep.recovery(stage, platform)
        if asked.toolforge:
            toolforge.compare(stage, platform, asked.toolforge, tries=min(asked.tries, 50))
    finally:
        stage.portal.stop()


def main() -> None:
    asked = options()
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    print(f"{os.cpu_count()} cores, {memory:.0f} GiB, load {load} at the start")
    nodes = (2 * asked.webservices + asked.under_way) // 200 + 2
    with (
        tempfile.TemporaryDirectory(dir="/var/tmp") as folder,
        set_up(Path(folder), nodes=nodes) as stage,
    ):
        sizes = f"{asked.webservices} webservices, {asked.under_way} builds under way"
        print(f"PostgreSQL, {stage.broker}; {sizes}, {asked.finished} finished", flush=True)
        measure(stage, asked)


if __name__ == "__main__":
    main()
