"""What the portal costs while nobody asks for anything, and how it comes back."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.db import connection
from django.utils import timezone

from benchmarks.cluster import audit
from benchmarks.cluster.changes import break_pod, heal_pod, is_in
from benchmarks.cluster.rows import Platform
from benchmarks.cluster.stage import ACCOUNT, Stage
from benchmarks.cluster.timing import seconds_until
from builds.models import Build
from portal.webservices.models import Webservice
from portal.webservices.states import Status

TICKS = os.sysconf("SC_CLK_TCK")
PARTS = ("web", "worker", "beat", "watch")


@dataclass(frozen=True)
class Use:
    cpu: float
    memory: int


def use_of(pid: int) -> Use:
    """Seconds of processor so far, and megabytes that are held now."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    status = Path(f"/proc/{pid}/status").read_text()
    memory = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return Use(sum(map(int, fields[11:15])) / TICKS, int(memory.split()[1]) // 1024)


def pid_of(stage: Stage, part: str) -> int:
    return stage.portal.parts()[part][0]


def look_at_all(now: datetime) -> None:
    """Have every row looked at once."""
    Webservice.objects.update(next_look_at=now)
    Build.objects.running().update(next_look_at=now)


def first_look(stage: Stage, platform: Platform) -> None:
    """How long the worker needs for every row."""
    began = timezone.now()
    # Who is looked at is leased for some seconds; a look at what is steady is due much later.
    soon = Webservice.objects.filter(next_look_at__lt=began + timedelta(minutes=4))
    log = audit.AuditLog(stage.lab.audit_log)
    position = log.position()
    look_at_all(began)
    seconds = _slowly(lambda: not soon.exists())
    asked = list(log.since(position, user=ACCOUNT))
    count = Webservice.objects.count()
    print(f"one look at each of {count} webservices and the builds under way: {seconds:.0f} s,")
    print(f"  {len(asked)} requests: {audit.table(iter(asked))}", flush=True)


def _slowly(check: Callable[[], bool], limit: float = 1800) -> float:
    began = time.monotonic()
    while not check():
        if time.monotonic() - began > limit:
            break
        time.sleep(0.5)
    return time.monotonic() - began


def idle(stage: Stage, minutes: float) -> None:
    log = audit.AuditLog(stage.lab.audit_log)
    pids = {part: pid_of(stage, part) for part in PARTS}
    before = {part: use_of(pid) for part, pid in pids.items()}
    position = log.position()
    time.sleep(minutes * 60)
    after = {part: use_of(pid) for part, pid in pids.items()}
    asked = list(log.since(position, user=ACCOUNT))
    late = Webservice.objects.filter(next_look_at__lt=timezone.now()).count()
    late_builds = Build.objects.filter(next_look_at__lt=timezone.now()).count()
    print(f"{minutes:g} minutes in which nobody asks for anything:")
    print(f"  {len(asked) / minutes:.0f} requests a minute; {audit.table(iter(asked))}")
    for part in PARTS:
        cpu = (after[part].cpu - before[part].cpu) / minutes
        print(f"  {part}: {cpu:.1f} s of processor a minute, {after[part].memory} MB")
    print(f"  rows whose look is late at the end: {late} webservices, {late_builds} builds")
    connection.close()


def recovery(stage: Stage, platform: Platform) -> None:
    """Kill the watcher, change something, and wait for the row."""
    tool = platform.tools[1]
    assert is_in(tool, Status.RUNNING)
    began = time.monotonic()
    os.kill(pid_of(stage, "watch"), signal.SIGKILL)
    pod = break_pod(stage, tool)
    seconds_until(lambda: is_in(tool, Status.DEGRADED), limit=600)
    print(f"watcher killed, a pod fails, its row says so: {time.monotonic() - began:.1f} s later")
    heal_pod(stage, pod)
    seconds_until(lambda: is_in(tool, Status.RUNNING), limit=600)
    connection.close()
