"""What the commands do, over the real API."""

import json
import os
from datetime import timedelta

import pytest
from django.utils import timezone

from builds import logs
from builds.models import Build, Image
from builds.operations import Source, start_build
from builds.states import Status
from portal.accounts.models import ApiToken
from portal.tools.models import EnvVar
from portal.webservices.models import Release, Webservice
from portal.webservices.releases import make_release
from portal_cli import credentials
from portal_cli.errors import Exit
from tests.cli.conftest import SERVER
from tests.conftest import NOW

URL = "https://git.example.org/hat.git"


@pytest.fixture
def done(hat, alice):
    build = start_build(hat, by=alice, source=Source(URL), at=NOW)[0]
    build.move_to(Status.RUNNING, at=NOW, started_at=NOW)
    logs.append(build, b"one\n\x1b[31mtwo\x1b[0m\n", secrets=[], at=NOW)
    build.move_to(Status.SUCCEEDED, at=NOW, finished_at=NOW, commit="c" * 40)
    Image.objects.create(
        tool=hat,
        build=build,
        digest="sha256:" + "d" * 64,
        reference="oci:hat-1",
        size=2048,
        processes={"web": ["serve"]},
        default_process="web",
        created_at=NOW,
    )
    return build


def test_a_token_is_stored_where_its_owner_alone_reads_it(alices, home):
    path = credentials.path()
    assert path.is_relative_to(home)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    done = alices("whoami")
    assert "alice" in done.output
    assert credentials.load(SERVER).token not in done.output


def test_a_wrong_token_is_refused_and_not_stored(run, db):
    done = run("login", "--token", stdin="cht_wrong\n")
    assert done.exit_code == Exit.NOT_SIGNED_IN
    assert "unknown, expired or revoked" in done.stderr
    assert not credentials.path().exists()


def test_nobody_is_told_how_to_sign_in(run, db):
    done = run("whoami")
    assert done.exit_code == Exit.NOT_SIGNED_IN
    assert "portal login" in done.stderr


def test_signing_out_forgets_the_token(alices):
    assert alices("logout").exit_code == 0
    assert credentials.load(SERVER) is None
    assert alices("logout").exit_code == Exit.NOT_SIGNED_IN


def test_a_token_makes_another_that_is_replaced_and_revoked(alices, monkeypatch, hat):
    words = ["tokens", "create", "ci", "--scope", "read", "--tool", "hat", "--days", "7"]
    made = alices(*words)
    assert made.exit_code == 0, made.output
    token = ApiToken.objects.get(name="ci")
    assert (token.scopes, token.tool_name) == (["read"], "hat")
    assert token.expires_at - timezone.now() < timedelta(days=7)
    [value] = made.stdout.split()
    rotated = alices("tokens", "rotate", str(token.pk), "--overlap", "60", "-o", "json")
    successor = json.loads(rotated.stdout)
    assert alices("tokens", "revoke", str(successor["id"])).exit_code == 0
    monkeypatch.setenv("PORTAL_TOKEN", value)
    assert "alice" in alices("whoami").output
    monkeypatch.setenv("PORTAL_TOKEN", successor["token"])
    assert alices("whoami").exit_code == Exit.NOT_SIGNED_IN


def test_a_token_cannot_make_one_that_may_do_more(alices, monkeypatch, alice):
    _token, value = ApiToken.issue(alice, name="small", at=NOW, scopes=["write"])
    monkeypatch.setenv("PORTAL_TOKEN", value)
    refused = alices("tokens", "create", "big", "--scope", "deploy")
    assert refused.exit_code != 0
    assert not ApiToken.objects.filter(name="big").exists()


def test_the_environments_token_goes_first(alices, monkeypatch):
    monkeypatch.setenv("PORTAL_TOKEN", "cht_other")
    assert alices("whoami").exit_code == Exit.NOT_SIGNED_IN


def test_tools_are_listed_as_a_table_and_as_json(alices, hat):
    table = alices("tools", "list")
    assert table.stdout.splitlines()[0].split() == ["name", "title", "status", "repository"]
    assert table.stdout.splitlines()[1].split()[0] == "hat"
    assert json.loads(alices("tools", "list", "-o", "json").stdout)[0]["name"] == "hat"


def test_an_empty_list_leaves_the_answer_empty(alices):
    done = alices("tools", "list")
    assert (done.stdout, done.exit_code) == ("", 0)
    assert "no tools yet" in done.stderr
    assert json.loads(alices("tools", "list", "-o", "json").stdout) == []


def test_a_tool_is_registered_and_a_refusal_is_in_the_servers_words(alices):
    assert "Hat" in alices("tools", "register", "hat", "--title", "Hat").stdout
    taken = alices("tools", "register", "hat", "--title", "Again")
    assert taken.exit_code == Exit.REFUSED
    assert "name: This name is taken. Choose another." in taken.stderr


@pytest.mark.parametrize("name", ["nothing", "../me", "a/b", "hat?x", "%2e%2e", "é"])
def test_what_is_not_there_is_not_found_whatever_its_name(alices, hat, name):
    assert alices("tools", "show", name).exit_code == Exit.NOT_FOUND


def test_a_long_list_is_walked_page_by_page(alices, hat):
    Build.objects.bulk_create(
        Build(tool=hat, number=n, status="failed", source_url=URL, created_at=NOW)
        for n in range(1, 121)
    )
    rows = json.loads(alices("builds", "hat", "--limit", "110", "-o", "json").stdout)
    assert [row["number"] for row in rows] == list(range(120, 10, -1))


def test_a_build_is_started_shown_and_cancelled(alices, hat):
    started = alices("build", "start", "hat", "--ref", "main", "-o", "json")
    assert json.loads(started.stdout)["ref"] == "main"
    assert "Build 1 of hat" in started.stderr
    assert "queued" in alices("build", "show", "hat", "1").stdout
    assert alices("build", "cancel", "hat", "1").exit_code == 0
    assert Build.objects.get().stop_as == "cancelled"


def test_a_build_takes_variables_from_a_file(alices, hat, tmp_path):
    file = tmp_path / "variables"
    file.write_text("# mine\n\nKEY=a=b \n")
    assert alices("build", "start", "hat", "--env-file", str(file)).exit_code == 0
    assert Build.objects.get().own_variables == {"KEY": "a=b "}
    file.write_text("KEY\n")
    assert alices("build", "start", "hat", "--env-file", str(file)).exit_code == Exit.USAGE


def test_following_a_build_prints_its_log_and_ends_as_it_ended(alices, done, hat, alice):
    followed = alices("logs", "hat", "--build", "latest", "-f")
    assert followed.stdout == "one\ntwo\n"
    second = start_build(hat, by=alice, source=Source(URL), at=NOW)[0]
    second.move_to(Status.FAILED, at=NOW, finished_at=NOW, reason="Nothing to build.")
    waited = alices("build", "cancel", "hat", "2")
    assert waited.exit_code == Exit.REFUSED
    assert "ended already" in waited.stderr


def test_a_number_that_is_none_is_a_wrong_command(alices, hat):
    assert alices("logs", "hat", "--build", "three").exit_code == Exit.USAGE


def test_deploying_takes_the_newest_build_that_succeeded(alices, done):
    deployed = alices("deploy", "hat", "--no-wait", "-o", "json")
    assert json.loads(deployed.stdout)["build"] == 1
    assert Release.objects.get().image.build == done


def test_without_a_build_deploying_says_what_to_do(alices, hat):
    deployed = alices("deploy", "hat")
    assert deployed.exit_code == Exit.NOT_FOUND
    assert "portal build start hat" in deployed.stderr


def test_a_release_that_failed_says_why_and_shows_the_end_of_its_output(alices, done, alice):
    release = make_release(done.image, process_type="web", by=alice, note="x", at=NOW)
    release.move_to("failed", at=NOW, reason="It never listened.", log_tail="Traceback")
    Webservice.objects.update(last_release_number=1)
    rows = alices("releases", "hat")
    assert "It never listened." in rows.stdout
    assert alices("rollback", "hat").exit_code == Exit.REFUSED


def test_a_webservice_is_shown_scaled_and_stopped(alices, done):
    assert "hat.localhost" in alices("webservice", "status", "hat").stdout
    assert alices("webservice", "scale", "hat", "2").exit_code == 0
    assert Webservice.objects.get().replicas == 2
    refused = alices("webservice", "scale", "hat", "99")
    assert refused.exit_code == Exit.REFUSED
    assert "hat may use 4" in refused.stderr
    assert alices("webservice", "stop", "hat").exit_code == 0


def test_a_variable_comes_from_standard_input_or_a_file(alices, hat, tmp_path):
    assert alices("env", "set", "hat", "KEY", stdin="line 1\nline 2\n").exit_code == 0
    assert EnvVar.objects.get().value == "line 1\nline 2"
    file = tmp_path / "value"
    file.write_text("from a file")
    options = ["--from-file", str(file), "--plain", "--build", "--no-run"]
    alices("env", "set", "hat", "KEY", *options)
    variable = EnvVar.objects.get()
    assert (variable.value, variable.is_secret) == ("from a file", False)
    assert (variable.for_build, variable.for_run) == (True, False)
    assert "from a file" in alices("env", "list", "hat").stdout
    assert alices("env", "unset", "hat", "KEY").exit_code == 0
    assert not EnvVar.objects.exists()


def test_a_value_on_the_command_line_is_refused(alices, hat):
    refused = alices("env", "set", "hat", "KEY=hunter2", stdin="x")
    assert refused.exit_code == Exit.USAGE
    assert not EnvVar.objects.exists()


def test_a_secret_is_never_printed(alices, hat):
    alices("env", "set", "hat", "KEY", stdin="hunter2-hunter2")
    for words in (["env", "list", "hat"], ["env", "list", "hat", "-o", "json"]):
        assert "hunter2" not in alices(*words).output


def test_what_others_wrote_cannot_move_the_cursor(alices, hat):
    Build.objects.create(
        tool=hat, number=1, status="failed", source_url=URL, ref="\x1b[2Jx\x07", created_at=NOW
    )
    table = alices("builds", "hat").stdout
    assert "\x1b" not in table
    assert "\x07" not in table


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_its_words(run, shell):
    assert "_PORTAL_COMPLETE" in run("completion", shell).stdout


def test_a_server_without_encryption_gets_no_token():
    with pytest.raises(Exception, match="use https"):
        credentials.chosen_server("http://portal.example.org")


@pytest.mark.parametrize(
    "server", ["portal.example.org", "ftp://x", "https://", "https://a:b@x.org"]
)
def test_what_is_no_address_is_refused(server):
    with pytest.raises(Exception, match="address"):
        credentials.chosen_server(server)


def test_the_server_signed_in_to_last_is_the_default():
    credentials.save("https://one.example.org", credentials.Credentials("x"))
    credentials.save("https://two.example.org", credentials.Credentials("y"))
    assert credentials.chosen_server(None) == "https://two.example.org"
    credentials.forget("https://two.example.org")
    assert credentials.chosen_server(None) == "https://one.example.org"
    assert os.listdir(credentials.path().parent) == ["credentials.json"]
