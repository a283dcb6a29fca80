"""The examples as Git repositories that the portal serves."""

import subprocess

import pytest
from django.http import Http404
from django.test import RequestFactory

from portal import examples


@pytest.fixture(scope="module", autouse=True)
def _repositories():
    examples.make_repositories()


def ask(path, name="flask-hello", **options):
    request = RequestFactory().get(f"/{path}", **options)
    return examples.serve(request, name, path.partition("?")[0])


def test_git_is_answered():
    answer = ask("info/refs?service=git-upload-pack")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/x-git-upload-pack-advertisement"
    assert b"refs/heads/main" in answer.content


def test_an_example_that_did_not_change_gets_no_new_commit():
    repository = examples.REPOSITORIES / "flask-hello.git"
    argv = ["git", "--git-dir", str(repository), "rev-list", "--count", "main"]
    before = subprocess.run(argv, capture_output=True).stdout
    examples.make_repositories()
    assert subprocess.run(argv, capture_output=True).stdout == before


@pytest.mark.parametrize(("name", "path"), [("none", "HEAD"), ("flask-hello", "../../secret-key")])
def test_nothing_but_the_examples_is_served(name, path):
    with pytest.raises(Http404):
        ask(path, name=name)


def test_nobody_can_push():
    assert ask("info/refs?service=git-receive-pack").status_code == 403
