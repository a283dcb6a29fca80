"""Where source code may come from, and how it is fetched."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import SplitResult, urlsplit

from portal.addresses import NotPublic, is_private_literal, public_addresses

URL_LENGTH = 500
REF_LENGTH = 255
COMMIT = re.compile(r"[0-9a-f]{40}")
# What git itself forbids in the name of a branch or tag.
_BAD_IN_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(?:/|$)|^[./-]|[./]$")
_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?", re.IGNORECASE | re.ASCII)


class SourceRefused(Exception):
    """A sentence for the maintainer about what is wrong with a URL, a ref or a directory."""


@dataclass(frozen=True)
class SourceRules:
    """What an installation allows. No hosts means any public one.

    URLs below a trusted prefix were chosen by the operator: neither their scheme nor their address
    is checked.
    """

    allowed_hosts: tuple[str, ...] = ()
    trusted_prefixes: tuple[str, ...] = ()

    def trusts(self, url: str) -> bool:
        return ".." not in url and any(url.startswith(each) for each in self.trusted_prefixes)


def check_source_url(url: str, *, rules: SourceRules) -> str:
    """The URL, if its form is right; nothing is looked up. Raises SourceRefused."""
    if not url or len(url) > URL_LENGTH:
        raise SourceRefused(f"Give the repository's address, with {URL_LENGTH} characters at most.")
    if url.startswith("-") or not url.isprintable() or re.search(r"[\s\\]", url):
        raise SourceRefused(
            "The address must not begin with a hyphen nor hold spaces or backslashes."
        )
    if not rules.trusts(url):
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise SourceRefused(
                "This is not an address. Example: https://host/project.git"
            ) from error
        _check_parts(parts)
        _check_host(parts.hostname or "", port, rules)
    return url


def _check_parts(parts: SplitResult) -> None:
    if parts.scheme != "https":
        raise SourceRefused("Use an https address; other ways to fetch are not allowed.")
    if "@" in parts.netloc:
        raise SourceRefused("Leave out user name and password: the repository must be public.")
    if parts.query or parts.fragment:
        raise SourceRefused("Leave out what follows ? or # in the address.")


def _check_host(name: str, port: int | None, rules: SourceRules) -> None:
    host = name.rstrip(".")
    if port not in (None, 443) or not _HOST.fullmatch(host) or is_private_literal(host):
        raise SourceRefused("The address must name a public host, with https on its usual port.")
    if rules.allowed_hosts and host.lower() not in rules.allowed_hosts:
        allowed = ", ".join(rules.allowed_hosts)
        raise SourceRefused(f"Repositories may come from these hosts only: {allowed}.")


def public_address(host: str) -> str:
    """An address of the host, after all of them were found to be public. Raises SourceRefused."""
    try:
        return public_addresses(host, 443)[0]
    except NotPublic as error:
        raise SourceRefused(
            f"The host {host} cannot be found, or it is not public. Check the address."
        ) from error


def check_ref(ref: str) -> str:
    """A branch, tag or commit, or "" for the default branch. Raises SourceRefused."""
    if ref and (len(ref) > REF_LENGTH or _BAD_IN_REF.search(ref) or ref == "@"):
        raise SourceRefused(
            "This cannot be the name of a branch, tag or commit: it must not begin with a hyphen "
            "or a dot, nor hold spaces, .., ~, ^, :, ?, *, [ or backslashes."
        )
    return ref


def check_subdirectory(path: str) -> str:
    """A directory below the repository's top, or "" for the top itself. Raises SourceRefused."""
    parts = PurePosixPath(path).parts
    if len(path) > REF_LENGTH or not path.isprintable() or path.startswith(("/", "-")):
        raise SourceRefused("Give the directory relative to the top, such as `web/app`.")
    if ".." in parts or ".git" in parts or "\\" in path:
        raise SourceRefused("The directory must not contain .., .git or backslashes.")
    return str(PurePosixPath(*parts)) if parts else ""


def git_environment(home: str) -> dict[str, str]:
    """Variables that keep git from asking, following and running things."""
    return {
        "HOME": home,
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ALLOW_PROTOCOL": "https:http",
        "GIT_HTTP_LOW_SPEED_LIMIT": "100",
        "GIT_HTTP_LOW_SPEED_TIME": "30",
        "GIT_ADVICE": "0",
    }


def git(*arguments: str, settings: Mapping[str, str] | None = None) -> list[str]:
    """A git command line with settings that a repository cannot undo."""
    fixed = {
        "core.hooksPath": "/dev/null",
        "protocol.file.allow": "never",
        "http.followRedirects": "false",
        "submodule.recurse": "false",
        "advice.detachedHead": "false",
        "filter.lfs.required": "false",
        "safe.directory": "*",
        **(settings or {}),
    }
    words = [word for key, value in fixed.items() for word in ("-c", f"{key}={value}")]
    return ["git", *words, *arguments]


def pinned(url: str, *, rules: SourceRules) -> dict[str, str]:
    """Git settings that make it connect to the address that was checked and to no other.

    Raises SourceRefused. A trusted URL needs none.
    """
    if rules.trusts(url):
        return {}
    host = urlsplit(url).hostname or ""
    address = public_address(host)
    if ":" in address:
        address = f"[{address}]"
    return {"http.curloptResolve": f"{host}:443:{address}"}


def resolve_ref(listing: str, ref: str) -> str | None:
    """The commit that `git ls-remote` shows for a ref; None if it shows none.

    A tag that carries a message is followed to its commit; a branch wins over a tag.
    """
    found = {}
    for line in listing.splitlines():
        commit, _tab, name = line.partition("\t")
        if COMMIT.fullmatch(commit):
            found[name] = commit
    if not ref:
        return found.get("HEAD")
    wanted = (f"refs/heads/{ref}", f"refs/tags/{ref}^{{}}", f"refs/tags/{ref}", ref)
    known = next((found[name] for name in wanted if name in found), None)
    return known or (ref if COMMIT.fullmatch(ref) else None)


@dataclass(frozen=True)
class Size:
    files: int
    bytes: int


def size_of(folder: Path) -> Size:
    """How much is below a directory, links not followed; what vanishes meanwhile is not counted."""
    files = total = 0
    folders = [folder]
    while folders:
        try:
            entries = list(folders.pop().iterdir())
        except OSError:
            continue
        for entry in entries:
            try:
                status = entry.lstat()
            except OSError:
                continue
            files += 1
            total += status.st_blocks * 512
            if entry.is_dir() and not entry.is_symlink():
                folders.append(entry)
    return Size(files, total)
