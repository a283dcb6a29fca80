"""Connections to PostgreSQL are kept for the next request, and replaced when they died."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import close_old_connections, connection

pytestmark = [
    pytest.mark.skipif(
        connection.vendor != "postgresql", reason="needs PostgreSQL: make test-postgres runs it"
    ),
    pytest.mark.django_db(transaction=True),
]
END_OTHERS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND datname = current_database()
"""


def served_by():
    """Which process of the server answers a request."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            return cursor.fetchone()[0]
    finally:
        close_old_connections()


def test_connections_are_lent_again_and_replaced_when_the_server_ended_them():
    with ThreadPoolExecutor(1) as threads:
        lent = {threads.submit(served_by).result() for _request in range(30)}
        assert len(lent) <= connection.settings_dict["OPTIONS"]["pool"]["max_size"]
        with connection.cursor() as cursor:
            cursor.execute(END_OTHERS)
        assert threads.submit(served_by).result() not in lent
