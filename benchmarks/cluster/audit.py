"""What was asked of the API server, counted at the API server."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Asked:
    user: str
    verb: str
    resource: str
    namespace: str

    @property
    def what(self) -> str:
        return f"{self.verb} {self.resource}"


class AuditLog:
    """Requests that were answered; a watch is one when it ends."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def position(self) -> int:
        return self._path.stat().st_size

    def since(self, position: int, *, user: str) -> Iterator[Asked]:
        with self._path.open("rb") as lines:
            lines.seek(position)
            for line in lines:
                asked = _asked(json.loads(line))
                if asked.user == user:
                    yield asked


def _asked(event: dict) -> Asked:
    about = event.get("objectRef") or {}
    parts = (about.get("resource", event["requestURI"]), about.get("subresource", ""))
    return Asked(
        user=event["user"]["username"],
        verb=event["verb"],
        resource="/".join(filter(None, parts)),
        namespace=about.get("namespace", ""),
    )


def table(asked: Iterator[Asked]) -> str:
    counts = Counter(each.what for each in asked)
    return ", ".join(f"{count} {what}" for what, count in counts.most_common()) or "none"
