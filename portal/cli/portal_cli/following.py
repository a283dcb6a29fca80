"""Logs as they grow: by byte offset, so that a lost connection loses and repeats nothing."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import click
import httpx

from portal_cli.client import Portal, address
from portal_cli.errors import NotFound
from portal_cli.output import clean, note

# Seconds between looks: at once after news, then ever longer.
SOON, LATE = 0.3, 2.0


@dataclass
class Reader:
    """Takes bytes from an offset on and gives complete lines."""

    offset: int = 0
    rest: bytes = b""
    finished: bool = field(default=False, init=False)

    def lines(self, data: bytes) -> Iterator[str]:
        self.offset += len(data)
        *complete, self.rest = (self.rest + data).split(b"\n")
        for line in complete:
            yield clean(line.decode("utf-8", "replace"))

    def last(self) -> Iterator[str]:
        """What stands after the last newline, when nothing will follow."""
        if self.rest:
            yield clean(self.rest.decode("utf-8", "replace"))
            self.rest = b""


def build_log(portal: Portal, tool: str, number: int, reader: Reader) -> list[str]:
    """The lines that came since the reader looked last; it is finished when none will follow."""
    path = address("tools", tool, "builds", number, "logs")
    answer = portal.call("GET", path, params={"offset": str(reader.offset)})
    lines = list(reader.lines(answer.content))
    if answer.headers.get("Log-Is-Complete") == "true":
        reader.finished = True
        lines += reader.last()
    return lines


def follow(
    look: Callable[[], list[str]],
    is_over: Callable[[], bool],
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Print what each look gives until it is over."""
    pause = SOON
    while True:
        lines = look()
        for line in lines:
            click.echo(line)
        if is_over():
            return
        pause = SOON if lines else min(pause * 1.5, LATE)
        sleep(pause)


class Output:
    """The output of a webservice's newest replica, whichever that is."""

    def __init__(self, portal: Portal, tool: str) -> None:
        self.portal = portal
        self.path = address("tools", tool, "webservice", "logs")
        self.replica = ""
        self.reader: Reader | None = None

    def look(self) -> list[str]:
        """New lines; goes on with the next replica when the one before is gone."""
        try:
            answer = self._read()
        except NotFound:
            if not self.replica:
                raise
            note("This replica has ended; waiting for the next one.")
            self.replica, self.reader = "", None
            return []
        replica = answer.headers.get("Log-Replica", "")
        start = int(answer.headers.get("Log-Offset", "0"))
        if self.reader is None or start > self.reader.offset:
            # The beginning, or older output was deleted meanwhile.
            self.reader = Reader(start)
        self.replica = replica
        return list(self.reader.lines(answer.content))

    def _read(self) -> httpx.Response:
        offset = "" if self.reader is None else str(self.reader.offset)
        params = {"offset": offset, "replica": self.replica}
        return self.portal.call("GET", self.path, params=params)

    def rest(self) -> list[str]:
        """A line that has no end yet."""
        return list(self.reader.last()) if self.reader else []

    def follow_on(self) -> list[str]:
        """A look that waits where nothing runs at the moment."""
        try:
            return self.look()
        except NotFound:
            if self.reader is None and not self.replica:
                return []
            raise
