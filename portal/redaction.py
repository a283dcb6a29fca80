"""Takes secrets out of what is kept or shown: as they are, and as programs like to write them.

Plain Python, so that the keepers of builds and webservices can use it too.
"""

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

# A shorter value would be found all over a text without being meant.
SHORTEST_SECRET = 4
REDACTED = "[redacted]"
# Where `base64` and MIME break their lines.
BASE64_LINES = (76, 64)


class Redactor:
    """Knows some secrets, and the forms in which they could be printed."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in _forms(secret)}
        long_enough = {form for form in forms if len(form) >= SHORTEST_SECRET}
        # The longest first: one secret may be the beginning of another.
        self._forms = sorted(long_enough, key=len, reverse=True)
        self.longest = max(map(len, self._forms), default=0)

    def finds(self, data: bytes) -> bool:
        return any(form in data for form in self._forms)

    def clean(self, data: bytes) -> bytes:
        found = [form for form in self._forms if form in data]
        if not found:
            return data
        return re.sub(b"|".join(map(re.escape, found)), REDACTED.encode(), data)

    def beginning(self, read: Callable[[int], bytes], length: int) -> bytes:
        """At most `length` clean bytes of a longer text, also where a secret lies on the border."""
        data = read(length + self.longest)
        cleaned = self.clean(data)
        if len(data) == length + self.longest:
            # A secret may begin here of which the end was not read.
            cleaned = cleaned[: max(0, len(cleaned) - self.longest)]
        return cleaned[:length]

    def text(self, text: str) -> str:
        if not self._forms:
            return text
        return self.clean(_bytes(text)).decode("utf-8", "surrogatepass")

    def json(self, value: Any) -> Any:  # noqa: ANN401
        """The same value with every text in it cleaned, keys included."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.json(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.json(each) for each in value]
        return value


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _forms(secret: str) -> Iterator[bytes]:
    for line in {secret, secret.strip(), *secret.splitlines()}:
        yield _bytes(line)
        yield from _in_urls(line)
        yield _bytes(json.dumps(line)[1:-1])
        yield _bytes(json.dumps(line, ensure_ascii=False)[1:-1])
    yield from _in_base64(_bytes(secret))


def _in_urls(text: str) -> Iterator[bytes]:
    for quoted in (
        quote(text, safe="", errors="replace"),
        quote(text, errors="replace"),
        quote_plus(text, errors="replace"),
    ):
        yield quoted.encode()
        yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), quoted).encode()


def _in_base64(raw: bytes) -> Iterator[bytes]:
    """What of a longer text's Base64 depends on the secret alone, wherever in it the secret is."""
    whole = base64.b64encode(raw)
    yield from (whole, whole.rstrip(b"="), whole.translate(_URL_SAFE))
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + raw)
        # Of the first and the last character some bits are the neighbours'.
        start = (before * 8 + 5) // 6
        end = (before + len(raw)) * 8 // 6
        for form in (encoded[start:end], encoded[start:end].translate(_URL_SAFE)):
            yield form
            if not before:
                yield from _broken(form)


_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def _broken(form: bytes) -> Iterator[bytes]:
    """Its lines, where it was broken into lines."""
    for length in BASE64_LINES:
        if len(form) > length:
            yield from (form[at : at + length] for at in range(0, len(form), length))
