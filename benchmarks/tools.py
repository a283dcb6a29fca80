"""Pages of tools at size, on SQLite and PostgreSQL: 10,000 tools and 100,000 builds."""

import random
import sys

from benchmarks.pages import ask, begin, on_both_databases

TOOLS, BUILDS, MANY = 10_000, 100_000, 1000


def main() -> None:
    """Measure both databases, each in a process of its own."""
    if len(sys.argv) > 1:
        begin()
        fill()
        pages()
    else:
        on_both_databases("benchmarks.tools")


def fill() -> None:
    from django.db import connection  # noqa: PLC0415
    from django.utils import timezone  # noqa: PLC0415

    from builds.models import Build  # noqa: PLC0415
    from builds.states import Status  # noqa: PLC0415
    from portal.accounts.models import User  # noqa: PLC0415
    from portal.tools.models import Membership, Tool  # noqa: PLC0415

    now, chance = timezone.now(), random.Random(1)
    alice = User.objects.create_user("alice")
    tools = Tool.objects.bulk_create(
        (
            Tool(name=f"tool-{number}", title=f"Tool {number}", created_at=now)
            for number in range(TOOLS)
        ),
        batch_size=2000,
    )
    Membership.objects.bulk_create(
        (Membership(tool=tool, user=alice, role="maintainer") for tool in tools[:50]),
    )
    Build.objects.bulk_create(
        (
            Build(
                tool=tools[number % TOOLS],
                number=number // TOOLS + 1,
                source_url="https://git.example.org/a",
                status=chance.choice([Status.SUCCEEDED, Status.FAILED]),
                created_at=now,
            )
            for number in range(BUILDS)
        ),
        batch_size=2000,
    )
    Build.objects.bulk_create(
        Build(
            tool=tools[0],
            number=BUILDS + number,
            source_url="https://git.example.org/a",
            status=Status.FAILED,
            created_at=now,
        )
        for number in range(MANY)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def pages() -> None:
    from django.test import Client  # noqa: PLC0415
    from django.utils import timezone  # noqa: PLC0415

    from portal.accounts.models import ApiToken, User  # noqa: PLC0415

    alice, visitor, chance = Client(), Client(), random.Random(2)
    alice.force_login(User.objects.get(username="alice"))
    ask(
        visitor,
        {
            "dashboard, a page of it": lambda: f"/?page={chance.randint(1, 200)}",
            "dashboard, search": lambda: f"/?q=tool-{chance.randint(1, 9999)}",
            "a tool": lambda: f"/tools/tool-{chance.randint(0, 9999)}/",
            "REST, tools": lambda: "/api/v1/tools/",
        },
    )
    ask(
        alice,
        {
            "dashboard with 50 of one's own": lambda: "/",
            "builds of a tool": lambda: f"/tools/tool-{chance.randint(0, 49)}/builds/",
            "REST, builds of a tool": lambda: f"/api/v1/tools/tool-{chance.randint(0, 49)}/builds/",
            "REST, one's own tools": lambda: "/api/v1/tools/?mine=1",
        },
    )
    _token, value = ApiToken.issue(User.objects.get(username="alice"), name="x", at=timezone.now())
    ask(
        Client(headers={"Authorization": f"Bearer {value}"}),
        {
            "by token: REST, tools": lambda: "/api/v1/tools/",
            "by token: REST, builds": lambda: f"/api/v1/tools/tool-{chance.randint(1, 49)}/builds/",
            "by token: REST, one's own tools": lambda: "/api/v1/tools/?mine=1",
            "by token: Toolforge's list, 1,000 builds": lambda: "/builds/v1/tool/tool-0/builds",
        },
    )


if __name__ == "__main__":
    main()
