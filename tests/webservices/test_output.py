"""The output of a replica in a cluster: one stream, whatever becomes of the container's log."""

import pytest

from portal.cluster.base import ClusterUnavailable
from portal.webservices.models import Replica
from portal.webservices.output import output_of, size_of
from portal.webservices.views import ReplicaFeed

WHERE = "tool-hat", "hat-a", "web"


def lines(first, last):
    return b"".join(b"line %03d\n" % number for number in range(first, last))


@pytest.fixture
def printed(memory, live):
    """Sets which lines are in the container's log; those before were rotated away."""

    def keep(first, last):
        memory.rotated[WHERE] = first
        memory.printed[WHERE] = lines(first, last)

    return keep


def read(cluster, since, limit=10**6):
    """By a row that was just fetched, as another process would."""
    return output_of(Replica.objects.get(), cluster=cluster, since=since, limit=limit)


def test_reading_goes_on_where_it_stopped(printed, tools):
    printed(0, 10)
    data, start = read(tools, 0)
    assert (data, start) == (lines(0, 10), 0)
    printed(0, 25)
    assert read(tools, len(data)) == (lines(10, 25), len(data))
    assert read(tools, len(lines(0, 25))) == (b"", len(lines(0, 25)))


def test_rotation_loses_and_repeats_nothing(printed, tools):
    printed(0, 30)
    seen, _start = read(tools, 0)
    printed(28, 40)
    new, start = read(tools, len(seen))
    assert start == len(seen)
    assert seen + new == lines(0, 40)
    printed(40, 41)
    last, start = read(tools, len(seen + new))
    assert (last, start) == (lines(40, 41), len(lines(0, 40)))


def test_what_is_gone_is_skipped_and_positions_stay(printed, tools):
    printed(0, 30)
    read(tools, 0)
    printed(20, 40)
    assert read(tools, 0) == (lines(20, 40), len(lines(0, 20)))
    assert read(tools, -len(lines(0, 3))) == (lines(37, 40), len(lines(0, 37)))


def test_a_reader_with_an_old_row_goes_on_right(printed, tools):
    printed(0, 10)
    old = Replica.objects.get()
    read(tools, 0)
    printed(0, 20)
    read(tools, len(lines(0, 10)))
    data, start = output_of(old, cluster=tools, since=len(lines(0, 10)), limit=10**6)
    assert (data, start) == (lines(10, 20), len(lines(0, 10)))


def test_a_limit_cuts_and_the_rest_follows(printed, tools):
    printed(0, 10)
    data, start = read(tools, 0, limit=15)
    rest, then = read(tools, start + len(data))
    assert data + rest == lines(0, 10)
    assert then == 15


def test_the_size_costs_one_request_for_what_is_new(printed, tools, memory):
    printed(0, 10)
    assert size_of(Replica.objects.get(), cluster=tools) == len(lines(0, 10))
    memory.requests.clear()
    printed(0, 12)
    assert size_of(Replica.objects.get(), cluster=tools) == len(lines(0, 12))
    assert memory.requests == [("logs", "Pod")]


def test_a_cluster_that_is_away_is_told_to_readers(
    printed,
    memory,
    client_of,
    api_of,
    alice,
):
    printed(0, 10)
    memory.fault = ClusterUnavailable("The cluster is on the moon.")
    answer = client_of(alice).get("/tools/hat/webservice/log/")
    assert answer.status_code == 503
    assert "on the moon" in answer.content.decode()
    answer = api_of(alice).get("/api/v1/tools/hat/webservice/logs/")
    assert answer.status_code == 503
    assert "on the moon" in answer.content.decode()
    replica = Replica.objects.get()
    mark = ReplicaFeed().marks([replica.pk])[replica.pk]
    assert mark.state["trouble"] == "The cluster is on the moon."
    assert not mark.is_final
