"""Serve everything from one process tree: web, worker with beat, and the tools' proxy."""

import asyncio
import fcntl
import shutil
import socket
import sys
from argparse import ArgumentParser
from functools import partial
from pathlib import Path
from typing import IO

import httpx
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, close_old_connections

from portal import examples
from portal.clusters.models import Cluster
from portal.processes import Part, Tree
from portal.webservices.engines import proxy

HOST = "127.0.0.1"


class Command(BaseCommand):
    help = "Serve the portal: web, worker with beat, and the proxy that leads to the tools."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--workers", type=int, default=1, help="web processes")

    def handle(self, *, workers: int, **_options: object) -> None:
        settings.STATE.mkdir(mode=0o711, parents=True, exist_ok=True)
        with _only_one(settings.STATE / "up.lock"):
            for port, name in (
                (settings.PORT, "PORTAL_PORT"),
                (settings.TOOLS_PORT, "PORTAL_TOOLS_PORT"),
            ):
                _check_port(port, name)
            _prepare()
            asyncio.run(self._serve(workers))

    async def _serve(self, workers: int) -> None:
        parts = [_web(workers), _worker(), _beat(), _proxy(), _watch()]
        tree = Tree(parts, write=self._line)
        ready = asyncio.create_task(self._announce(tree))
        await tree.run()
        ready.cancel()

    def _line(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()

    async def _announce(self, tree: Tree) -> None:
        """Say once that the portal answers, and how to go on."""
        address = f"http://localhost:{settings.PORT}"
        async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
            while True:
                try:
                    answer = await client.get(f"http://{HOST}:{settings.PORT}/healthz")
                    if answer.is_success:
                        break
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.1)
        self._line(f"ready: {address}/")
        if settings.DEBUG:
            tree.say(
                "up", f"a first tool from an example: {address}/tools/register/?example=flask-hello"
            )


def _only_one(path: Path) -> IO[str]:
    """A lock for as long as the file is open: two portals must not share a state directory."""
    lock = path.open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise CommandError(
            f"A portal runs with {path.parent} already. Stop it, or choose another PORTAL_STATE."
        ) from error
    return lock


def _check_port(port: int, setting: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise CommandError(
                f"Port {port} is in use. Choose another: {setting}=<port> make run"
            ) from error


def _prepare() -> None:
    settings.STATIC_ROOT.mkdir(exist_ok=True)
    if not settings.DEBUG:
        call_command("collectstatic", interactive=False, verbosity=0)
    for folder in ("messages", "control"):
        (settings.BROKER / folder).mkdir(parents=True, exist_ok=True)
    # Alarms of an earlier run are worth nothing: the sweep finds what is to be done.
    for message in (settings.BROKER / "messages").iterdir():
        message.unlink(missing_ok=True)
    if settings.DEBUG and shutil.which("git"):
        examples.make_repositories()


def _web(workers: int) -> Part:
    command = [sys.executable, "-m", "uvicorn", "portal.asgi:application", "--host", HOST]
    command += ["--port", str(settings.PORT), "--workers", str(workers), "--no-access-log"]
    command += ["--timeout-graceful-shutdown", "3", "--log-level", "warning"]
    return Part("web", command)


def _celery(name: str, *words: str) -> Part:
    command = [sys.executable, "-W", "ignore::UserWarning", "-m", "celery", "--app"]
    return Part(name, [*command, "portal.celery", "--quiet", *words, "--loglevel", "WARNING"])


def _worker() -> Part:
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    return _celery("worker", "worker", "--pool", "threads", "--concurrency", "4", *quiet)


def _beat() -> Part:
    """A part of its own: as the worker's child it would outlive a worker that was killed."""
    return _celery("beat", "beat", "--schedule", settings.CELERY_BEAT_SCHEDULE_FILENAME)


def has_clusters() -> bool:
    """Whether there is anything to watch; a cluster made up in memory is each process's own."""
    return Cluster.objects.exclude(way=Cluster.Way.MEMORY).exists()


async def _is_to_be_watched() -> bool:
    try:
        await sync_to_async(close_old_connections)()
        return await sync_to_async(has_clusters)()
    except OperationalError:
        # Asked again soon.
        return False


def _watch() -> Part:
    # The one before it has ended: there is one tree of processes for a state directory.
    name = f"{socket.gethostname()}-{settings.STATE}"
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "watch", "--name", name]
    return Part("watch", command, is_needed=_is_to_be_watched)


def _proxy() -> Part:
    place = {"listen": settings.TOOLS_LISTEN, "domain": settings.TOOLS_DOMAIN}
    command, environment = proxy.command(settings.STATE, **place)
    return Part("proxy", command, environment, partial(proxy.prepare, settings.STATE, **place))
