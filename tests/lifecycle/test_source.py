"""Where source code may come from."""

import pytest

from builds.lifecycle.source import (
    SourceRefused,
    SourceRules,
    check_ref,
    check_source_url,
    check_subdirectory,
    pinned,
    resolve_ref,
    size_of,
)

RULES = SourceRules()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "-upload-pack=x",
        "--upload-pack=touch /tmp/x",
        "http://github.com/a/b",
        "ssh://git@github.com/a/b",
        "git@github.com:a/b.git",
        "file:///etc",
        "/etc",
        "ext::sh -c id",
        "https://user:secret@github.com/a/b",
        "https://token@github.com/a/b",
        "https://github.com:22/a/b",
        "https://github.com/a b",
        "https://github.com/a\nb",
        "https://github.com/a\\b",
        "https://localhost/a",
        "https://portal.localhost/a",
        "https://127.0.0.1/a",
        "https://127.1/a",
        "https://2130706433/a",
        "https://0x7f000001/a",
        "https://[::1]/a",
        "https://[::ffff:127.0.0.1]/a",
        "https://10.0.0.1/a",
        "https://169.254.169.254/latest",
        "https://192.168.1.1/a",
        "https://server/a",
        "https://db.internal/a",
        "https://github.com/a?x=1",
        "https://github.com/a#x",
        "https://[broken/a",
        "https://github.com/" + "a" * 600,
    ],
)
def test_an_address_that_is_not_a_public_repository_is_refused_in_words(url):
    with pytest.raises(SourceRefused) as caught:
        check_source_url(url, rules=RULES)
    assert str(caught.value).endswith((".", "project.git"))


def test_a_public_https_address_is_fine():
    url = "https://gitlab.wikimedia.org/toolforge-repos/wikibugs.git"
    assert check_source_url(url, rules=RULES) == url


def test_an_installation_can_name_the_hosts():
    rules = SourceRules(allowed_hosts=("gitlab.wikimedia.org",))
    assert check_source_url("https://gitlab.wikimedia.org/a", rules=rules)
    with pytest.raises(SourceRefused, match=r"gitlab\.wikimedia\.org"):
        check_source_url("https://github.com/a", rules=rules)


def test_what_the_operator_trusts_need_not_be_public():
    rules = SourceRules(trusted_prefixes=("http://127.0.0.1:8000/examples/",))
    assert check_source_url("http://127.0.0.1:8000/examples/a.git", rules=rules)
    assert pinned("http://127.0.0.1:8000/examples/a.git", rules=rules) == {}
    with pytest.raises(SourceRefused):
        check_source_url("http://127.0.0.1:8000/examples/../admin", rules=rules)


def test_a_host_that_cannot_be_found_is_refused():
    with pytest.raises(SourceRefused, match="cannot be found"):
        pinned("https://no-such-host.invalid/a", rules=RULES)


@pytest.mark.parametrize("ref", ["", "main", "feature/a-b", "v1.0", "a" * 40, "ünïcode"])
def test_a_ref_that_git_allows_is_fine(ref):
    assert check_ref(ref) == ref


@pytest.mark.parametrize(
    "ref", ["-x", "--upload-pack=x", "a..b", "a b", "a~1", "a^", "a:b", "/a", "a/", "a.lock", "@"]
)
def test_a_ref_that_git_forbids_is_refused(ref):
    with pytest.raises(SourceRefused):
        check_ref(ref)


@pytest.mark.parametrize(("path", "tidy"), [("", ""), ("a/b", "a/b"), ("a//b/", "a/b"), (".", "")])
def test_a_directory_is_made_tidy(path, tidy):
    assert check_subdirectory(path) == tidy


@pytest.mark.parametrize("path", ["/etc", "../x", "a/../../x", "-x", "a/.git", "a\\b", "a\0b"])
def test_a_directory_outside_of_the_repository_is_refused(path):
    with pytest.raises(SourceRefused):
        check_subdirectory(path)


A, B = "a" * 40, "b" * 40


@pytest.mark.parametrize(
    ("listing", "ref", "commit"),
    [
        (f"{A}\tHEAD\n", "", A),
        (f"{A}\trefs/heads/main\n", "main", A),
        (f"{A}\trefs/tags/v1\n{B}\trefs/tags/v1^{{}}\n", "v1", B),
        (f"{A}\trefs/tags/x\n{B}\trefs/heads/x\n", "x", B),
        (f"{A}\trefs/heads/other/main\n", "main", None),
        ("", "", None),
        ("garbage\n", "main", None),
    ],
)
def test_a_ref_becomes_a_commit(listing, ref, commit):
    assert resolve_ref(listing, ref) == commit


def test_a_size_counts_without_following_links(tmp_path):
    (tmp_path / "file").write_bytes(b"x" * 10_000)
    (tmp_path / "loop").symlink_to(tmp_path)
    size = size_of(tmp_path)
    assert size.files == 2
    assert size.bytes >= 10_000
