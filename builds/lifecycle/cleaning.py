"""What a process prints, made fit to keep: secrets out, one state per line, no control codes."""

import re
from collections.abc import Iterable

from portal.redaction import Redactor

LINE_LIMIT = 8192
# Bytes of a line that are kept while its end has not come: enough to cut it after redaction.
_HELD = 64 * 1024
# Colours and weights stay (the page turns them into elements); every other escape goes.
_ESCAPES = re.compile(
    rb"(?P<colour>\x1b\[[0-9;]*m)"
    rb"|\x1b\[[0-?]*[ -/]*[@-~]?"  # cursor movement and the like
    rb"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"  # titles, links: strings up to their end
    rb"|\x1b[ -/]*[0-~]?"
    rb"|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f]"
)
_UNUSUAL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f-\xff]")


class Cleaner:
    """Cleans a stream that comes in pieces; how it is cut up makes no difference."""

    def __init__(self, secrets: Iterable[str], *, line_limit: int = LINE_LIMIT) -> None:
        self._secrets = Redactor(secrets)
        self._limit = line_limit
        self._rest = bytearray()
        self._dropped = 0

    def feed(self, data: bytes) -> bytes:
        """Complete cleaned lines, each ending in a newline; an incomplete one is held back."""
        if b"\n" not in data:
            self._hold(data)
            return b""
        first, _newline, others = data.partition(b"\n")
        self._hold(first)
        out = [self._line()]
        complete, newline, rest = others.rpartition(b"\n")
        if newline:
            out.append(self._lines(complete + newline))
        self._hold(rest)
        return b"".join(out)

    def close(self) -> bytes:
        """What was held back, as a last line; empty if nothing was."""
        return self._line() if self._rest or self._dropped else b""

    def _hold(self, data: bytes) -> None:
        room = max(0, _HELD + self._limit - len(self._rest))
        self._rest += data[:room]
        self._dropped += max(0, len(data) - room)

    def _line(self) -> bytes:
        line, dropped = bytes(self._rest), self._dropped
        self._rest.clear()
        self._dropped = 0
        return self._cleaned(line, dropped) + b"\n"

    def _lines(self, data: bytes) -> bytes:
        """Many complete lines at once: most need nothing done."""
        if not self._secrets.finds(data):
            is_usual = not _UNUSUAL.search(data)
            if is_usual and max(map(len, data.split(b"\n"))) <= self._limit:
                return data
        return b"".join(self._cleaned(line, 0) + b"\n" for line in data.split(b"\n")[:-1])

    def _cleaned(self, line: bytes, dropped: int) -> bytes:
        line = _last_state(self._secrets.clean(line))
        if _UNUSUAL.search(line) or b"\x1b" in line:
            line = _ESCAPES.sub(lambda found: found["colour"] or b"", line)
            # Removing a code in the middle of a secret may have put it together.
            line = self._secrets.clean(line)
            line = line.decode("utf-8", "replace").encode()
        return self._cut(line, dropped)

    def _cut(self, line: bytes, dropped: int) -> bytes:
        if not dropped and len(line) <= self._limit:
            return line
        mark = b" [... %d bytes cut]"
        kept = line[: self._limit - len(mark) - 20].decode("utf-8", "ignore").encode()
        return kept + mark % (len(line) - len(kept) + dropped)


def _last_state(line: bytes) -> bytes:
    """What a terminal would show in the end of a line that was drawn over."""
    line = line.rstrip(b"\r")
    return line[line.rfind(b"\r") + 1 :]
