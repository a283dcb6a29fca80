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


def test_a_connection_is_lent_again_and_replaced_when_the_server_ended_it():
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(served_by).result()
        assert threads.submit(served_by).result() == first
        with connection.cursor() as cursor:
            cursor.execute(END_OTHERS)
        assert threads.submit(served_by).result() != first
