"""Build logs: append, read, archive. The only code that knows how log lines are stored.

A log is bytes, addressed by offset: complete cleaned lines, each ending in a newline. While a build
is under way they are rows of LogChunk; afterwards one file behind Django's storage API, made of
gzip members that can be read one by one.
"""

import gzip
import zlib
from collections.abc import Iterable, Iterator
from datetime import datetime

from django.core.files.base import ContentFile
from django.core.files.storage import Storage, storages
from django.db import transaction

from builds.lifecycle.cleaning import Cleaner
from builds.models import Build, LogChunk

# Raw bytes that one append takes at most.
READ_LIMIT = 1024 * 1024
# Bytes of log in one member of an archive.
MEMBER_SIZE = 1024 * 1024


def append(
    build: Build,
    raw: bytes,
    *,
    secrets: Iterable[str],
    at: datetime,
    is_last: bool = False,
    until: int | None = None,
) -> bool:
    """Store what `raw` adds to the log, redacted; False if another process stored it first.

    `raw` starts at `build.log_source_offset` of the engine's output, and ends at the place `until`
    where bytes are not counted. A line that is not complete waits for the next call, unless
    `is_last`. The build object is brought up to date.
    """
    lines, taken, cut = _clean(raw, secrets=secrets, drop_rest=build.log_cut, is_last=is_last)
    if not taken:
        return False
    changes = {
        "log_source_offset": build.log_source_offset + taken if until is None else until,
        "log_size": build.log_size + len(lines),
        "log_cut": cut,
        "last_output_at": at,
    }
    with transaction.atomic():
        # What comes when the build is over comes too late: its log may be archived.
        same = Build.objects.under_way().filter(
            pk=build.pk, log_source_offset=build.log_source_offset
        )
        if not same.update(**changes):
            return False
        if lines:
            build.chunks.create(start=build.log_size, end=build.log_size + len(lines), data=lines)
    for name, value in changes.items():
        setattr(build, name, value)
    return True


def was_overtaken(build: Build) -> bool:
    """Whether another process took over output since this object was read."""
    return not Build.objects.filter(pk=build.pk, log_source_offset=build.log_source_offset).exists()


def _clean(
    raw: bytes, *, secrets: Iterable[str], drop_rest: bool, is_last: bool
) -> tuple[bytes, int, bool]:
    """Cleaned lines, how many raw bytes they took, and whether they end inside a line too long."""
    start = 0
    if drop_rest:
        start = raw.find(b"\n") + 1
        if not start:
            return b"", len(raw), True
    cleaner = Cleaner(secrets)
    lines = cleaner.feed(raw[start:])
    ends_in_line = not raw.endswith(b"\n")
    is_too_long = ends_in_line and raw.find(b"\n", start) < 0 and len(raw) >= READ_LIMIT
    if is_last or is_too_long:
        return lines + cleaner.close(), len(raw), is_too_long
    return lines, raw.rfind(b"\n", start) + 1 if ends_in_line else len(raw), False


def read(build: Build, *, offset: int, limit: int) -> bytes:
    """At most `limit` bytes of the log from `offset` on; empty at its end."""
    parts = _archived(build, offset) if build.log_index else _stored(build, offset)
    collected = bytearray()
    for part in parts:
        collected += part
        if len(collected) >= limit:
            break
    return bytes(collected[:limit])


def read_all(build: Build, *, offset: int = 0, end: int | None = None) -> Iterator[bytes]:
    """The log from `offset` to `end` in pieces; never the whole of it in memory."""
    left = (build.log_size if end is None else end) - offset
    for part in _archived(build, offset) if build.log_index else _stored(build, offset):
        if left <= 0:
            return
        yield part[:left]
        left -= len(part)


def _stored(build: Build, offset: int) -> Iterator[bytes]:
    chunks = build.chunks.filter(end__gt=offset).order_by("start")
    for start, data in chunks.values_list("start", "data").iterator(chunk_size=16):
        yield bytes(data)[max(0, offset - start) :]


def _archived(build: Build, offset: int) -> Iterator[bytes]:
    starts = [entry for entry in build.log_index if entry[0] <= offset] or build.log_index[:1]
    log_offset, file_offset = starts[-1]
    with _storage().open(_archive_name(build)) as archive:
        archive.seek(file_offset)
        with gzip.GzipFile(fileobj=archive) as unpacked:
            unpacked.seek(offset - log_offset)
            while part := unpacked.read(MEMBER_SIZE):
                yield part


def archive(build: Build) -> None:
    """Move the finished log from rows to a file; safe to repeat after a crash at any point."""
    if build.log_index or not build.log_size:
        return
    packed, index = _pack(_stored(build, 0))
    storage, name = _storage(), _archive_name(build)
    storage.delete(name)
    storage.save(name, ContentFile(packed))
    with transaction.atomic():
        Build.objects.filter(pk=build.pk).update(log_index=index)
        LogChunk.objects.filter(build=build).delete()
    build.log_index = index


def _pack(parts: Iterable[bytes]) -> tuple[bytes, list[list[int]]]:
    packed, index, waiting, offset = bytearray(), [], bytearray(), 0
    for part in parts:
        waiting += part
        while len(waiting) >= MEMBER_SIZE:
            index.append([offset, len(packed)])
            packed += _member(waiting[:MEMBER_SIZE])
            offset += MEMBER_SIZE
            del waiting[:MEMBER_SIZE]
    if waiting:
        index.append([offset, len(packed)])
        packed += _member(waiting)
    return bytes(packed), index


def _member(data: bytes | bytearray) -> bytes:
    packer = zlib.compressobj(level=6, wbits=31)
    return packer.compress(data) + packer.flush()


def _storage() -> Storage:
    return storages["logs"]


def _archive_name(build: Build) -> str:
    return f"{build.tool.name}/{build.number}.log.gz"
