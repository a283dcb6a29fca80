"""Generated calls to every operation of both OpenAPI documents, as each role.

Nothing may fail, and every answer has to be as the documents say. Half of the calls are valid,
half are not; half of the names and numbers are of things that are there.
"""

from functools import cache

import pytest
import schemathesis
from django.conf import settings
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.test import Client
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, given, seed
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from builds import logs
from builds.models import Image
from builds.operations import Source, start_build
from builds.states import Status
from builds.toolforge.api import document as toolforge_document
from portal.accounts.models import ApiToken
from portal.tools.models import Membership
from portal.tools.operations import register_tool, set_variable
from portal.webservices.releases import make_release
from stories.operations import create_record

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

EXAMPLES = 3
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
ROLES = [
    (None, "nobody"),
    ("alice", "token"),
    ("alice", "session"),
    ("bob", "token"),
    ("wanda", "session"),
    ("ada", "token"),
]
THERE = {
    "name": "hat",
    "number": 1,
    "build_id": "hat-buildpacks-pipelinerun-1",
    "variable": "TOKEN",
    "ident": "FT-1",
}


@cache
def operations():
    ours = SchemaGenerator().get_schema(public=True)
    app = get_wsgi_application()
    found = []
    for document, prefix in ((ours, ""), (toolforge_document(), "/builds")):
        # The server's address would be a host name.
        local = {**document, "servers": [{"url": prefix or "/"}]}
        schema = schemathesis.openapi.from_dict(local)
        schema.app = app
        found += [each.ok() for each in schema.get_all_operations()]
    return found


@pytest.fixture
def application():
    """The application, which keeps the test's transaction open, as Django's own client does."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture
def people(hat, alice, bob, wanda, ada):
    """A tool of alice's that bob may see, with something of everything."""
    now = timezone.now()
    Membership.objects.create(tool=hat, user=bob, role=Membership.Role.VIEWER)
    build = start_build(hat, by=alice, source=Source("https://git.example.org/a"), at=now)[0]
    build.move_to(Status.RUNNING, at=now, started_at=now)
    logs.append(build, b"one\ntwo\n", secrets=[], at=now)
    build.move_to(Status.SUCCEEDED, at=now, finished_at=now)
    image = Image.objects.create(
        tool=hat,
        build=build,
        digest="sha256:" + "d" * 64,
        reference="oci:hat-1",
        size=1,
        processes={"web": ["serve"]},
        default_process="web",
        created_at=now,
    )
    make_release(image, process_type="web", by=alice, note="x", at=now)
    set_variable(hat, name="TOKEN", value="hunter2-hunter2", by=alice, at=now)
    register_tool("scarf", by=ada, at=now, title="Scarf")
    create_record("FT", title="Feature", fields={}, by=None, at=now)
    return {"alice": alice, "bob": bob, "wanda": wanda, "ada": ada}


def headers_of(user, means):
    if user is None:
        return {}
    if means == "token":
        value = ApiToken.issue(user, name="x", at=timezone.now())[1]
        return {"Authorization": f"Bearer {value}"}
    client = Client()
    client.force_login(user)
    csrf = "c" * 32
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    cookies = f"{settings.SESSION_COOKIE_NAME}={session}; {settings.CSRF_COOKIE_NAME}={csrf}"
    return {"Cookie": cookies, "X-CSRFToken": csrf}


def cases(operation):
    """Calls of an operation, valid and invalid, and whether to make them about what is there."""
    modes = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
    return st.one_of([operation.as_strategy(generation_mode=mode) for mode in modes])


def failures_of(operation, headers):
    failures = []

    @seed(1)
    @hypothesis_settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases(operation), is_there=st.integers(0, 3))
    def call(case, is_there):
        if is_there:
            known = {name: THERE[name] for name in case.path_parameters or {} if name in THERE}
            case.path_parameters |= known
        response = case.call(headers=headers)
        try:
            case.validate_response(response, checks=CHECKS)
        except BaseExceptionGroup as group:
            failures.append("\n".join(str(each) for each in group.exceptions))

    call()
    return failures


@pytest.mark.parametrize(("name", "means"), ROLES)
def test_every_operation_answers_as_documented(application, people, name, means):
    headers = headers_of(people.get(name), means)
    failed = {
        operation.label: found
        for operation in operations()
        if (found := failures_of(operation, headers))
    }
    report = "\n".join(f"{label}\n  {found[0]}" for label, found in failed.items())
    assert not failed, report
