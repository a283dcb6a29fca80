"""Variables: what goes in comes out, where they may go, how they lie encrypted."""

import subprocess
import sys

import pytest
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from builds.lifecycle import enforcement
from builds.lifecycle.sandbox import Sandbox, uid_of
from portal.encryption import decrypt, encrypt, is_current
from portal.management.commands.rotate_keys import _renew, encrypted_columns
from portal.tools.models import EnvVar
from portal.tools.names import VARIABLE_LENGTH, VARIABLES_LENGTH
from portal.tools.operations import (
    ToolRefused,
    delete_variable,
    register_tool,
    set_variable,
    variables_for,
)
from portal.webservices.comparison import pending_of
from portal.webservices.operations import deploy
from tests.conftest import NOW
from tests.webservices.conftest import *  # noqa: F403

PATH = {"PATH": f"{sys.base_prefix}/bin:/usr/bin:/bin"}
UGLY = {
    "QUOTES": "a'b\"c`d",
    "DOLLARS": "$HOME $(id) ${x:-y} \\$ %PATH%",
    "LINES": "one\ntwo\r\nthree\n\n",
    "KEY": "-----BEGIN KEY-----\nAAAA+/=\n-----END KEY-----\n",
    "SPACES": "  \t x \t  ",
    "UNICODE": "ü\u202e\u200bא🦩e\u0301\ufeff",
    "CONTROL": "".join(map(chr, range(1, 32))) + "\x7f",
    "JSON": '{"a": ["b", null]}',
    "EQUALS": "=a=b=",
    "EMPTY": "",
    "fd": "3",
    "entry": "x",
    "LONG": "ß\n'" * (VARIABLE_LENGTH // 4),
}
no_sandbox = pytest.mark.skipif(
    enforcement.probe().mode != "namespaces",
    reason=f"no sandbox here: {enforcement.probe().means[0]}",
)
values = st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
often = hypothesis_settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def put(client, name, value, **flags):
    answer = client.post(
        "/api/v1/tools/hat/variables/", {"name": name, "value": value, **flags}, format="json"
    )
    assert answer.status_code == 201, answer.content


def seen_inside(tool, phase):
    """What a program in the sandbox gets, byte for byte."""
    env = {**PATH, **{each.name: each.value for each in variables_for(tool, phase=phase)}}
    process = Sandbox(cwd="/", uid=uid_of(7), binds=()).start(
        ["env", "-0"], env, output=subprocess.PIPE
    )
    output, _none = process.communicate(timeout=60)
    assert process.returncode == 0, output[-500:]
    return dict(entry.split(b"=", 1) for entry in output.split(b"\0") if b"=" in entry)


@pytest.mark.parametrize("phase", ["build", "run"])
@no_sandbox
def test_what_goes_in_over_rest_is_what_programs_get(phase, hat, alice, api_of):
    client = api_of(alice)
    for name, value in UGLY.items():
        put(client, name, value, **{f"for_{phase}": True})
    inside = seen_inside(hat, phase)
    assert {name: inside[name.encode()] for name in UGLY} == {
        name: value.encode() for name, value in UGLY.items()
    }


@often
@given(value=values)
def test_a_value_over_rest_comes_out_as_it_went_in(value, hat, alice, api_of):
    put(api_of(alice), "VALUE", value, for_build=True)
    for phase in ("build", "run"):
        assert [each.value for each in variables_for(hat, phase=phase)] == [value]


@no_sandbox
def test_a_program_starts_with_all_that_is_allowed(hat, alice):
    number = 0
    with pytest.raises(ToolRefused, match="512 KB") as caught:
        for number in range(100):
            set_variable(hat, name=f"V{number}", value="x" * VARIABLE_LENGTH, by=alice, at=NOW)
    assert caught.value.field == "value"
    assert number >= VARIABLES_LENGTH // VARIABLE_LENGTH - 1
    assert len(seen_inside(hat, "run")) >= number


def test_replacing_a_value_needs_no_more_room_than_its_own(hat, alice, monkeypatch):
    monkeypatch.setattr("portal.tools.operations.variables.VARIABLES_LENGTH", 120)
    set_variable(hat, name="ONE", value="x" * 100, by=alice, at=NOW)
    set_variable(hat, name="ONE", value="y" * 105, by=alice, at=NOW)
    set_variable(
        hat, name="OTHER", value="x" * 100, for_build=True, for_run=False, by=alice, at=NOW
    )
    with pytest.raises(ToolRefused):
        set_variable(hat, name="OTHER", value="x" * 100, by=alice, at=NOW)
    assert EnvVar.objects.get(name="OTHER").for_run is False


def test_the_number_of_variables_has_an_end(hat, alice, monkeypatch):
    monkeypatch.setattr("portal.tools.operations.variables.VARIABLES_AT_MOST", 1)
    set_variable(hat, name="ONE", value="x", by=alice, at=NOW)
    set_variable(hat, name="ONE", value="y", by=alice, at=NOW)
    with pytest.raises(ToolRefused, match="Delete one"):
        set_variable(hat, name="TWO", value="x", by=alice, at=NOW)


@pytest.mark.parametrize(
    "name",
    [
        "BASH_ENV", "BASH_FUNC", "PS4", "UID", "RANDOM", "SECONDS", "_", "__from", "PWD", "ld_x",
        "GIT_SSH_COMMAND", "GLIBC_TUNABLES", "../X", "A=B", "A\n", "Ä", "A.b", "CNB_EXEC_ENV",
    ],
)  # fmt: skip
def test_a_name_that_breaks_out_or_gets_lost_is_refused(name, hat, alice, api_of):
    with pytest.raises(ToolRefused) as caught:
        set_variable(hat, name=name, value="x", by=alice, at=NOW)
    assert caught.value.field == "name"


def test_half_a_character_is_no_text(hat, alice):
    with pytest.raises(ToolRefused, match="text"):
        set_variable(hat, name="V", value="\ud800", by=alice, at=NOW)


def test_lines_typed_in_a_browser_end_as_they_were_typed(hat, alice, client_of):
    data = {"name": "KEY", "value": "one\r\ntwo\r\n", "for_run": "on"}
    client_of(alice).post("/tools/hat/variables/", data)
    assert variables_for(hat, phase="run")[0].value == "one\ntwo\n"


def test_a_secret_is_taken_and_never_given(hat, alice, api_of, client_of):
    put(api_of(alice), "KEY", "hunter2-hunter2", is_secret=True)
    for answer in (
        api_of(alice).get("/api/v1/tools/hat/variables/"),
        client_of(alice).get("/tools/hat/variables/"),
        client_of(alice).get("/tools/hat/history/"),
        api_of(alice).get("/api/v1/audit/export/"),
    ):
        assert b"hunter2" not in answer.content


def test_a_variable_is_deleted_only_through_its_own_tool(hat, alice, bob, client_of, api_of):
    variable = set_variable(hat, name="TOKEN", value="x", by=alice, at=NOW)
    register_tool("scarf", by=bob, at=NOW, title="Scarf")
    for tool in ("hat", "scarf"):
        path = f"/tools/{tool}/variables/{variable.pk}/delete/"
        assert client_of(bob).post(path).status_code == 404
        assert api_of(bob).delete(f"/api/v1/tools/{tool}/variables/TOKEN/").status_code == 404
    assert EnvVar.objects.exists()


def test_what_the_live_release_does_not_have_is_said_everywhere(
    hat, alice, image, look, api_of, client_of
):
    kept = set_variable(hat, name="KEPT", value="x", by=alice, at=NOW)
    deploy(image, by=alice, at=NOW)
    assert look(4).live
    assert pending_of(hat) == []
    set_variable(hat, name="BUILD", value="x", for_build=True, for_run=False, by=alice, at=NOW)
    assert pending_of(hat) == []
    set_variable(hat, name="NEW", value="x", by=alice, at=NOW)
    delete_variable(kept, by=alice, at=NOW)
    assert pending_of(hat) == ["KEPT", "NEW"]
    rest = api_of(alice).get("/api/v1/tools/hat/webservice/").json()
    assert rest["pending_variables"] == ["KEPT", "NEW"]
    for page in ("variables", "webservice"):
        assert "KEPT, NEW" in client_of(alice).get(f"/tools/hat/{page}/").content.decode()


@pytest.fixture
def sealed(hat, alice):
    """Something of every kind that is encrypted, under the first key so far."""
    set_variable(hat, name="KEY", value="hunter2-ü", by=alice, at=NOW)
    set_variable(hat, name="OTHER", value="x", by=alice, at=NOW)
    account = SocialAccount.objects.create(user=alice, provider="wikimedia", uid="1")
    SocialToken.objects.create(account=account, token=encrypt("grant").decode(), token_secret="")


def test_keys_are_rotated_and_the_old_one_may_go(sealed, settings):
    old = settings.ENCRYPTION_KEYS
    settings.ENCRYPTION_KEYS = ["new", *old]
    with pytest.raises(CommandError, match="earlier key"):
        call_command("rotate_keys", "--check")
    call_command("rotate_keys")
    call_command("rotate_keys", "--check")
    settings.ENCRYPTION_KEYS = ["new"]
    assert EnvVar.objects.get(name="KEY").value == "hunter2-ü"
    assert decrypt(SocialToken.objects.get().token.encode()) == "grant"


def test_rotating_again_writes_nothing_and_an_interrupted_one_goes_on(sealed, settings):
    settings.ENCRYPTION_KEYS = ["new", *settings.ENCRYPTION_KEYS]
    first = EnvVar.objects.get(name="KEY")
    assert _renew(first, "encrypted", is_check=False) == "renewed"
    stored = bytes(EnvVar.objects.get(name="KEY").encrypted)
    call_command("rotate_keys")
    call_command("rotate_keys")
    assert bytes(EnvVar.objects.get(name="KEY").encrypted) == stored
    assert is_current(bytes(EnvVar.objects.get(name="OTHER").encrypted))


def test_a_value_that_changes_meanwhile_is_not_lost(sealed, hat, alice, settings):
    settings.ENCRYPTION_KEYS = ["new", *settings.ENCRYPTION_KEYS]
    read = EnvVar.objects.get(name="KEY")
    set_variable(hat, name="KEY", value="changed", by=alice, at=NOW)
    assert _renew(read, "encrypted", is_check=False) == "changed meanwhile"
    assert EnvVar.objects.get(name="KEY").value == "changed"


def test_what_no_key_opens_is_told_and_left(sealed, settings):
    settings.ENCRYPTION_KEYS = ["new", "other"]
    before = bytes(EnvVar.objects.first().encrypted)
    with pytest.raises(CommandError, match="No key fits"):
        call_command("rotate_keys")
    assert bytes(EnvVar.objects.first().encrypted) == before


def test_everything_that_is_encrypted_is_found(db):
    found = {f"{model._meta.label}.{column}" for model, column in encrypted_columns()}
    assert found >= {"tools.EnvVar.encrypted", "socialaccount.SocialToken.token"}
