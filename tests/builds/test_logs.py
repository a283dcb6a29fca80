"""Logs: nothing lost, nothing twice, the same bytes from rows and from the archive."""

import asyncio
import json

import pytest
from django.test import RequestFactory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builds import logs
from builds.live import Hub, Mark, wanted_offset
from builds.models import Build
from builds.operations import Source, start_build
from tests.conftest import NOW


@pytest.fixture
def build(hat, alice):
    return start_build(hat, by=alice, source=Source("https://git.example.org/a"), at=NOW)[0]


def append(build, raw, **options):
    return logs.append(build, raw, secrets=options.pop("secrets", []), at=NOW, **options)


def test_an_incomplete_line_waits(build):
    append(build, b"one\ntw")
    assert (build.log_size, build.log_source_offset) == (4, 4)
    append(build, b"two\n")
    assert logs.read(build, offset=0, limit=99) == b"one\ntwo\n"


def test_only_the_first_of_two_writers_stores_a_piece(build):
    other = Build.objects.get(pk=build.pk)
    assert append(build, b"one\n")
    assert not append(other, b"one\n")
    assert logs.read(build, offset=0, limit=99) == b"one\n"


def test_where_lines_have_times_the_place_is_a_time(build):
    other = Build.objects.get(pk=build.pk)
    assert append(build, b"one\n", until=1767225600_000000001)
    assert build.log_source_offset == 1767225600_000000001
    assert not append(other, b"one\ntwo\n", until=1767225600_000000002)
    assert logs.was_overtaken(other)
    assert not logs.was_overtaken(build)


def test_a_line_longer_than_a_read_is_cut_and_its_rest_dropped(build):
    append(build, b"x" * logs.READ_LIMIT)
    assert build.log_cut
    append(build, b"hidden rest")
    append(build, b"still\nnext\n")
    lines = logs.read(build, offset=0, limit=10**6).split(b"\n")
    assert lines[0].endswith(b"bytes cut]")
    assert lines[1:] == [b"next", b""]


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(pieces=st.lists(st.binary(min_size=1, max_size=50), max_size=8), offset=st.integers(0, 99))
def test_the_archive_has_the_same_bytes(pieces, offset, build):
    Build.objects.filter(pk=build.pk).update(log_size=0, log_source_offset=0, log_index=[])
    build.refresh_from_db()
    build.chunks.all().delete()
    source = b"".join(pieces)
    for end in range(0, len(source), 40):
        append(build, source[build.log_source_offset : end])
    append(build, source[build.log_source_offset :], is_last=True)
    before = b"".join(logs.read_all(build, offset=offset))
    logs.archive(build)
    logs.archive(build)
    assert b"".join(logs.read_all(build, offset=offset)) == before
    assert logs.read(build, offset=offset, limit=7) == before[:7]


def test_a_large_archive_is_read_from_the_middle(build):
    lines = b"".join(b"line %d\n" % number for number in range(300_000))
    for start in range(0, len(lines), 900_000):
        append(build, lines[build.log_source_offset : start + 900_000])
    logs.archive(build)
    assert len(build.log_index) == 4
    assert logs.read(build, offset=3_000_000, limit=50) == lines[3_000_000:3_000_050]
    assert b"".join(logs.read_all(build, offset=5, end=2_500_000)) == lines[5:2_500_000]


class Feed:
    """Output that grows as the test says."""

    def __init__(self):
        self.data, self.final, self.reads = b"", False, 0

    def marks(self, keys):
        mark = Mark(len(self.data), {"status": "x"}, self.final)
        return {key: mark for key in keys if key == 1}

    def read(self, key, *, offset, limit):
        self.reads += 1
        return offset, self.data[offset : offset + limit]


def followed(feed, *, followers=1, offset=0):
    async def one(hub):
        return [event async for event in hub.follow(1, offset=offset)]

    async def grow():
        for number in range(20):
            feed.data += b"line %d\n" % number
            await asyncio.sleep(0.01)
        feed.final = True

    async def everything():
        hub = Hub(feed)
        growing = asyncio.create_task(grow())
        got = await asyncio.gather(*(one(hub) for _number in range(followers)))
        await growing
        return got

    return asyncio.run(everything())


def lines_of(events):
    chosen = [event.split("data: ")[1] for event in events if event.startswith("event: lines")]
    return [line for data in chosen for line in json.loads(data)]


def test_a_follower_gets_every_line_once_and_the_end():
    events = followed(Feed())[0]
    assert lines_of(events) == [f"line {number}" for number in range(20)]
    assert events[-1] == "event: end\ndata: {}\n\n"


def test_a_follower_that_comes_back_goes_on_where_it_was():
    first = followed(Feed())[0]
    ids = [int(event.split("id: ")[1].split("\n")[0]) for event in first if "id: " in event]
    feed = Feed()
    again = followed(feed, offset=ids[0])[0]
    begun = len(lines_of(first[:1]))
    assert lines_of(again) == [f"line {number}" for number in range(begun, 20)]


def test_many_followers_share_their_reads():
    feed = Feed()
    got = followed(feed, followers=50)
    assert all(lines_of(events) == lines_of(got[0]) for events in got)
    assert feed.reads < 100


def test_what_is_not_there_cannot_be_followed():
    async def follow():
        return [event async for event in Hub(Feed()).follow(2, offset=0)]

    assert asyncio.run(follow()) == []


@pytest.mark.parametrize(
    ("headers", "query", "offset"),
    [
        ({}, "", 0),
        ({}, "?offset=5", 5),
        ({"last-event-id": "7"}, "?offset=5", 7),
        ({}, "?offset=x", 0),
    ],
)
def test_the_last_event_goes_before_the_address(headers, query, offset):
    assert wanted_offset(RequestFactory(headers=headers).get(f"/{query}")) == offset
