"""Records at size, on SQLite and PostgreSQL: `python -m benchmarks.records`.

50,000 records, 500,000 revisions, 200,000 links. Pages are asked for in this process, as a worker
answers them; beside them the admin's plain change list over the same rows.
"""

import random
import re
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.pages import ask, begin, on_both_databases

RECORDS, REVISIONS_EACH, LINKS = 50_000, 10, 200_000
STATUSES = {"US": ("draft", "proposed"), "FT": ("idea", "planned"), "MT": ("planned",)}
SNAPSHOT = {"status": "draft", "links": [], "quote": "", "status_reason": ""}
FILES = 5_000
WORDS = re.findall(
    r"\w+",
    "cron job webservice python proxy image build tool grid kubernetes cluster upgrade policy log "
    "secret registry maintainer volunteer wiki storage network database schedule static language",
)


def main() -> None:
    """Measure both databases, each in a process of its own."""
    if len(sys.argv) > 1:
        begin()
        fill()
        pages()
        files()
    else:
        on_both_databases("benchmarks.records")


def fill() -> None:
    from django.db import connection  # noqa: PLC0415
    from django.utils import timezone  # noqa: PLC0415

    chance, now = random.Random(1), timezone.now()
    records = _fill_records(chance, now)
    _fill_search(records)
    _fill_revisions(records, now)
    _fill_links(records, chance, now)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _fill_records(chance: random.Random, now: datetime) -> list[Any]:
    from stories.kinds import KINDS  # noqa: PLC0415
    from stories.models import Record  # noqa: PLC0415

    text = [" ".join(chance.choices(WORDS, k=8)) for _ in range(2000)]
    records = []
    for number in range(RECORDS):
        prefix = ("US", "FT")[number % 2] if number < 2 * 24_900 else "MT"
        records.append(
            Record(
                kind=prefix,
                number=number + 1,
                fields=KINDS[prefix].empty_fields() | _said(prefix, chance, text),
                title=f"{chance.choice(text)} {number}",
                status=chance.choice(STATUSES[prefix]),
                version=REVISIONS_EACH,
                status_since=now,
                created_at=now,
                updated_at=now,
            )
        )
    return Record.objects.bulk_create(records, batch_size=2000)


def _said(prefix: str, chance: random.Random, text: list[str]) -> dict[str, str]:
    if prefix == "MT":
        return {}
    said = chance.choice(text)
    if prefix == "US":
        return {"notes": said, "role": "maintainer", "goal": chance.choice(text), "benefit": "b"}
    if chance.random() < 0.5:
        return {"summary": said, "removal_not_before": f"20{chance.randint(26, 45)}-06-15"}
    return {"summary": said}


def _fill_search(records: list[Any]) -> None:
    from stories.models import SearchDocument  # noqa: PLC0415

    SearchDocument.objects.bulk_create(
        (
            SearchDocument(record=each, ident=each.ident, title=each.title, body=each.whole_text())
            for each in records
        ),
        batch_size=2000,
    )


def _fill_revisions(records: list[Any], now: datetime) -> None:
    from stories import snapshots  # noqa: PLC0415
    from stories.models import Revision  # noqa: PLC0415

    for start in range(0, RECORDS, 2000):
        Revision.objects.bulk_create(
            [
                Revision(
                    record=each,
                    number=number + 1,
                    stored={**SNAPSHOT, "title": each.title, "fields": each.fields},
                    schema_version=snapshots.version(),
                    at=now,
                )
                for each in records[start : start + 2000]
                for number in range(REVISIONS_EACH)
            ],
            batch_size=2000,
        )


def _fill_links(records: list[Any], chance: random.Random, now: datetime) -> None:
    from stories.models import Link  # noqa: PLC0415

    stories = [each for each in records if each.kind == "US"]
    features = [each for each in records if each.kind == "FT"]
    pairs = {(chance.choice(stories), chance.choice(features)) for _ in range(LINKS)}
    Link.objects.bulk_create(
        (
            Link(
                source=source,
                target=target,
                type="implemented_by",
                source_kind="US",
                target_kind="FT",
                target_version_seen=1,
                created_at=now,
            )
            for source, target in pairs
        ),
        batch_size=5000,
    )


def pages() -> None:
    from django.test import Client  # noqa: PLC0415

    from portal.accounts.models import User  # noqa: PLC0415

    client = Client()
    client.force_login(User.objects.create_user("ada", is_admin=True))
    chance = random.Random(2)

    def word() -> str:
        return f"{chance.choice(WORDS)}+{chance.choice(WORDS)}"

    asked: dict[str, Callable[[], str]] = {
        "list": lambda: f"/stories/stories/?page={chance.randint(1, 400)}",
        "admin list": lambda: f"/admin/stories/record/?kind=US&p={chance.randint(1, 240)}",
        "list, one status": lambda: "/stories/features/?status=planned",
        "list, a text contains": lambda: (
            f"/stories/stories/?goal={chance.choice(WORDS)}+{chance.choice(WORDS)}"
        ),
        "list, days between": lambda: (
            "/stories/features/?removal_not_before_from=2030-01-01"
            f"&removal_not_before_until=20{chance.randint(30, 45)}-12-31"
        ),
        "list, a list contains": lambda: f"/stories/stories/?acceptance={chance.choice(WORDS)}",
        "search": lambda: f"/stories/search/?q={word()}",
        "list with words": lambda: f"/stories/stories/?q={word()}",
        "admin search": lambda: f"/admin/stories/record/?kind=US&q={word()}",
        "record with its links": lambda: f"/r/US-{chance.randrange(0, 40_000, 2) + 1}",
        "history": lambda: f"/r/US-{chance.randrange(0, 40_000, 2) + 1}/-/history",
        "matrix": lambda: f"/stories/matrix/?page={chance.randint(1, 100)}",
        "findings": lambda: "/stories/findings/",
    }
    ask(client, asked)


def files() -> None:
    from django.db import transaction  # noqa: PLC0415
    from django.utils import timezone  # noqa: PLC0415

    from stories.exchange import export_records, import_records, read_directory  # noqa: PLC0415
    from stories.files import file_name, to_markdown  # noqa: PLC0415
    from stories.kinds import KINDS  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for number in range(FILES):
            ident = f"UC-{number + 1}"
            fields = KINDS["UC"].empty_fields() | {"outcome": " ".join(random.choices(WORDS, k=50))}
            snapshot = {
                "ident": ident,
                "title": ident,
                "status": "draft",
                "fields": fields,
                "links": [],
            }
            path = root / file_name(ident)
            path.parent.mkdir(exist_ok=True)
            path.write_text(to_markdown(snapshot))
        began = time.perf_counter()
        drafts = read_directory(root)
        read = time.perf_counter() - began
        import_records(drafts, by=None, at=timezone.now())
        print(
            f"  import of {FILES} files: {time.perf_counter() - began:.1f} s ({read:.1f} s reading)"
        )
        began = time.perf_counter()
        with transaction.atomic():
            count = export_records(root / "out")
        print(f"  export of {count} records: {time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    main()
