"""A secret is planted wherever it could get out; afterwards it is nowhere to be read.

A real build and a real webservice print it in every way that programs do.
"""

import asyncio
import base64
import gzip
import json
import os
import stat
import time
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.utils import timezone

from builds import reconcile as build_reconcile
from builds.engines.local import LocalEngine, LocalSettings
from builds.lifecycle import enforcement
from builds.models import Build
from builds.operations import BuildRefused, Source, start_build
from builds.states import Status
from builds.views import hub
from portal.tools.models import Membership
from portal.tools.operations import ToolRefused, edit_tool, set_variable
from portal.webservices.engines.local import LocalSettings as ReplicaSettings
from portal.webservices.engines.local import LocalWebserviceEngine
from portal.webservices.models import Release, Webservice
from portal.webservices.operations import configure, deploy, stop
from portal.webservices.reconcile import reconcile
from portal.webservices.states import ReleaseStatus
from tests.builds.test_local_engine import make_buildpacks
from tests.portal.test_roles import ROUTES, address

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        enforcement.probe().mode != "namespaces",
        reason=f"no sandbox here: {enforcement.probe().means[0]}",
    ),
]
CANARY = 'canary-4f1c"&=+/ %ü-9b27e05d'
PRINT = """
import base64, json, os, sys, time, traceback, urllib.parse
secret = os.environ["TOKEN"]
raw = secret.encode()
out = sys.stdout.buffer

def say(data):
    out.write(data)
    out.flush()

say(b"plain " + raw + b"\\n")
for before in (b"", b"x", b"xy"):
    say(b"base64 " + base64.b64encode(before + raw + b" and more") + b"\\n")
say(urllib.parse.quote(secret).encode() + b" " + urllib.parse.quote_plus(secret).encode() + b"\\n")
say(json.dumps({"TOKEN": secret}).encode() + b"\\n")
for border in range(len(raw) + 1):
    say(b"split " + raw[:border])
    time.sleep(0.02)
    say(raw[border:] + b"\\n")
say(raw[:9] + b"\\x1b[2K" + raw[9:] + b"\\rdrawn over\\n")
try:
    raise RuntimeError(f"cannot log in with {secret}")
except RuntimeError:
    traceback.print_exc()
"""
SERVER = (
    PRINT
    + """
import http.server

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/":
            self.send_response(200)
            self.end_headers()
        elif self.path == "/garbage":
            self.wfile.write(raw + b"\\r\\n\\r\\n")
        else:
            self.send_response(500)
            self.end_headers()
            self.wfile.write(b"." * 190 + raw * 3)
            raise RuntimeError(f"no access with {secret}")
    def log_message(self, *args):
        pass

http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
)
FILES = {
    "build.sh": "python3 -u print.py\n",
    "print.py": PRINT,
    "server.py": SERVER,
    "Procfile": "web: exec python3 -u server.py\n",
}
BROKEN = {
    "build.sh": 'printf \'[[processes]]\\ntype = "%s"\\ncommand = ["x"]\\n\' "$TOKEN" '
    '> "$CNB_LAYERS_DIR/launch.toml"; ls -la /platform/env; sleep 1\n',
    "Procfile": "web: x\n",
}


def forms():
    """What must be found nowhere, made without the code under test."""
    raw = CANARY.encode()
    yield from (raw, quote(CANARY).encode(), quote(CANARY, safe="").lower().encode())
    yield from (quote_plus(CANARY).encode(), json.dumps(CANARY)[1:-1].encode())
    yield json.dumps(CANARY, ensure_ascii=False)[1:-1].encode()
    for before in range(3):
        # The middle of its Base64, whatever stands around it.
        yield base64.b64encode(b"x" * before + raw)[4:-4]


FORMS = tuple(forms())


def leaks(data):
    return [form for form in FORMS if form in data]


def assert_clean(data, where):
    assert leaks(data) == [], f"{where}: {data[max(0, data.find(leaks(data)[0]) - 200) :][:600]}"


def files_with_it(folder):
    found = []
    for root, _folders, names in os.walk(folder):
        for name in names:
            path = Path(root, name)
            if path.is_symlink() or not path.is_file():
                continue
            data = path.read_bytes()
            if data[:2] == b"\x1f\x8b":
                data = gzip.decompress(data)
            if leaks(data):
                found.append(path)
    return found


def dump():
    """All of the database."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            for row in cursor.fetchall():
                for value in row:
                    is_bytes = isinstance(value, bytes | memoryview)
                    yield table, bytes(value) if is_bytes else str(value).encode()


def command_lines():
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes()
        except OSError:
            continue


class World:
    """A tool, its engines and the state directory that the portal uses."""

    def __init__(self, tool, user, git, buildpacks):
        self.tool, self.user, self.git = tool, user, git
        state = django_settings.STATE
        self.builds = LocalEngine(
            LocalSettings(
                state=state,
                buildpacks=make_buildpacks(buildpacks),
                trusted_prefixes=(git.url,),
            )
        )
        self.replicas = LocalWebserviceEngine(ReplicaSettings(state=state))

    def build(self, name, files, look=lambda build: None):
        url, _commit = self.git.repository(name, files)
        build = start_build(self.tool, by=self.user, source=Source(url), at=timezone.now())[0]
        end = time.monotonic() + 120
        while build_reconcile.reconcile(build, engine=self.builds, now=timezone.now()) is not None:
            look(build)
            assert time.monotonic() < end, build.status
            time.sleep(0.05)
        return build

    def look_until(self, check, seconds=90):
        end = time.monotonic() + seconds
        while True:
            webservice = Webservice.objects.select_related("tool").get(tool=self.tool)
            reconcile(webservice, engine=self.replicas, now=timezone.now())
            if found := check(webservice):
                return found
            assert time.monotonic() < end, "waited too long"
            time.sleep(0.2)

    def log(self, release):
        replica = release.processes.select_related("release__image__tool").first()
        return self.replicas.logs(replica.order([]), since=0, limit=10**6)[0]


@pytest.fixture
def world(transactional_db, hat, alice, bob, git_server, settings, tmp_path):
    settings.GIT_TRUSTED_PREFIXES = [git_server.url]
    settings.WEBSERVICE_START_LIMIT = 8
    settings.WEBSERVICE_DRAIN_SECONDS = 0
    Membership.objects.create(tool=hat, user=bob, role=Membership.Role.VIEWER)
    for_all = {"for_build": True, "for_run": True}
    set_variable(hat, name="TOKEN", value=CANARY, by=alice, at=timezone.now(), **for_all)
    made = World(hat, alice, git_server, tmp_path / "buildpacks")
    yield made
    if webservice := Webservice.objects.filter(tool=hat).first():
        stop(webservice, by=alice, at=timezone.now())
        made.look_until(lambda seen: seen.status == "stopped", seconds=30)


def test_a_planted_secret_is_found_nowhere(
    world, hat, alice, bob, ada, client_of, api_of, caplog, git_server
):
    seen = plant_in_addresses(world, api_of(alice))
    build = world.build("leak", FILES, look=lambda build: while_it_builds(world, build))
    assert build.status == Status.SUCCEEDED, log_of(client_of(alice), build)
    broken = world.build("leak-broken", BROKEN)
    assert broken.status == Status.FAILED

    deploy(build.image, by=alice, at=timezone.now())
    release = world.look_until(lambda webservice: webservice.live)
    world.look_until(lambda _webservice: b"RuntimeError" in world.log(release))
    configure(hat, by=alice, at=timezone.now(), health_check_path="/broken")
    world.look_until(lambda webservice: webservice.failed and webservice.live)
    configure(hat, by=alice, at=timezone.now(), health_check_path="/garbage")
    world.look_until(lambda webservice: Release.objects.get(number=3).status == "failed")
    # While it runs, too: the secret is in memory and in the encrypted column only.
    assert files_with_it(django_settings.STATE) == []
    for line in command_lines():
        assert_clean(line, "a command line")

    log = log_of(client_of(alice), build)
    assert log.count(b"split [redacted]") == len(CANARY.encode()) + 1
    assert log.count(b"[redacted]") > len(CANARY.encode()) + 6
    assert b"cannot log in with [redacted]" in log
    failed = Release.objects.get(number=2)
    assert failed.status == ReleaseStatus.FAILED
    assert "HTTP 500 for /broken: " in failed.reason
    events = asyncio.run(follow(build.pk))
    seen += [log, world.log(release), failed.log_tail.encode(), failed.reason.encode(), events]
    for name, person in (("alice", alice), ("bob", bob), ("ada", ada)):
        seen += walk(client_of(person), name)
    for data in seen:
        assert_clean(data, "an answer")
    for table, data in dump():
        assert_clean(data, table)
    assert_clean(caplog.text.encode(), "the operator's log")
    assert files_with_it(django_settings.STATE) == []


def plant_in_addresses(world, rest):
    """As address of a repository, with and without being known as a secret."""
    quoted = quote(CANARY, safe="")
    plain = world.git.url
    sources = [
        Source(f"https://user:{quoted}@git.example.org/hat.git"),
        Source(f"https://git.example.org/hat.git?token={quoted}"),
        Source(f"{plain}hat.git?token={quoted}"),
        Source(f"https://git.example.org/{quoted}/hat.git"),
        Source("https://git.example.org/hat.git", subdirectory=CANARY),
    ]
    answers = []
    for source in sources:
        with pytest.raises(BuildRefused):
            start_build(world.tool, by=world.user, source=source, at=timezone.now())
        answer = rest.post(
            "/api/v1/tools/hat/builds/",
            {"source_url": source.url, "subdirectory": source.subdirectory},
        )
        assert answer.status_code == 422
        answers.append(answer.content)
    with pytest.raises(ToolRefused, match="TOKEN"):
        edit_tool(
            world.tool, by=world.user, at=timezone.now(), version=1, repository=sources[3].url
        )
    world.tool.refresh_from_db()
    assert not Build.objects.exists()
    answers.append(rest.get(f"/nothing/?token={quoted}").content)
    return answers


def while_it_builds(world, build):
    """The one place where its files may hold it: closed to others."""
    folder = django_settings.STATE / "builds" / build.name
    if folder.is_dir():
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert not leaks((folder / "order.json").read_bytes())


def log_of(client, build):
    return b"".join(client.get(f"{build.get_absolute_url()}log/"))


async def follow(pk):
    return "".join([event async for event in hub.follow(pk, offset=0)]).encode()


def walk(client, name):
    """What each route answers."""
    answers = []
    for route in ROUTES:
        if route.endswith("events/"):
            continue
        for number in ("1", "2") if "<int:number>" in route else ("1",):
            answer = client.get(address(route.replace("<int:number>", number)))
            assert answer.status_code < 500, (name, route)
            answers.append(b"".join(answer) if answer.streaming else answer.content)
    return answers


def test_a_secret_that_is_changed_during_a_build_is_still_taken_out(world, hat, alice, client_of):
    def change(build):
        if build.status == Status.RUNNING and build.log_size:
            set_variable(
                hat, name="TOKEN", value="another one", by=alice, at=timezone.now(), for_build=True
            )

    build = world.build("leak-changed", FILES, look=change)
    log = log_of(client_of(alice), build)
    assert_clean(log, "the log")
    assert log.count(b"split [redacted]") == len(CANARY.encode()) + 1
    assert Build.objects.get().sealed_variables is None
    assert not (django_settings.STATE / "builds" / build.name).exists()
