"""The clone step: one commit of a repository, fetched in the sandbox."""

import io
import os
import shutil
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from builds.lifecycle.execute import Stopped
from builds.lifecycle.execution import Executor
from builds.lifecycle.source import (
    COMMIT,
    SourceRefused,
    SourceRules,
    check_source_url,
    git,
    git_environment,
    pinned,
    resolve_ref,
)
from builds.states import Reason


class Fetcher:
    """Fetches into `folder`, which the sandbox sees as `seen`."""

    def __init__(
        self,
        folder: Path,
        *,
        seen: str,
        home: str,
        execute: Executor,
        rules: SourceRules,
        operator: Mapping[str, str],
        say: Callable[[str], None],
    ) -> None:
        self._folder = folder
        self._seen = seen
        self._execute = execute
        self._rules = rules
        self._env = {**git_environment(home), **operator}
        self._say = say

    def fetch(self, url: str, *, ref: str, commit: str) -> str:
        """Check out `commit`, or what `ref` names now; returns the commit. Raises Stopped."""
        try:
            settings = pinned(check_source_url(url, rules=self._rules), rules=self._rules)
        except SourceRefused as refusal:
            raise Stopped(Reason.SOURCE_REFUSED, str(refusal)) from refusal
        commit = commit or self._resolve(url, ref, settings)
        self._say(f"Fetching {url} at {commit}")
        self._git("init", "--quiet", self._seen)
        fetched = self._git(
            "fetch", "--quiet", "--depth=1", "--no-tags", "--", url, commit, settings=settings
        )
        if fetched is None:
            raise Stopped(
                Reason.SOURCE_NOT_FOUND,
                f"The commit {commit} could not be fetched; git's words are in the log. "
                "If it was removed, build a branch instead.",
            )
        if self._git("checkout", "--quiet", "--force", "--detach", "FETCH_HEAD") is None:
            raise Stopped(
                Reason.SOURCE_NOT_FOUND,
                "The commit could not be checked out; git's words are in the log.",
            )
        if (self._folder / ".gitmodules").is_file():
            self._say("The repository has submodules. They are not fetched.")
        return commit

    def _resolve(self, url: str, ref: str, settings: Mapping[str, str]) -> str:
        if COMMIT.fullmatch(ref):
            return ref
        wanted = [ref, f"{ref}^{{}}"] if ref else ["HEAD"]
        listing = self._git("ls-remote", "--quiet", "--", url, *wanted, settings=settings)
        if listing is None:
            raise Stopped(
                Reason.SOURCE_NOT_FOUND,
                "The repository could not be read; git's words are in the log. Check that the "
                "address is right and that anyone may clone it.",
            )
        commit = resolve_ref(listing, ref)
        if commit is None and ref:
            raise Stopped(
                Reason.REF_NOT_FOUND, f"The repository has no branch or tag named {ref!r}."
            )
        if commit is None:
            raise Stopped(Reason.REF_NOT_FOUND, "The repository is empty: push a commit first.")
        return commit

    def _git(self, *words: str, settings: Mapping[str, str] | None = None) -> str | None:
        """What git printed, or None if it failed; then its words are in the log."""
        output = io.BytesIO()
        argv = git(*words, settings=settings)
        status = self._execute(argv, cwd=self._seen, env=self._env, network=True, output=output)
        text = output.getvalue().decode("utf-8", "replace")
        if status:
            self._say(text.strip() or f"git ended with {status}")
            return None
        return text


def take_subdirectory(source: Path, subdirectory: str, workspace: Path) -> None:
    """Make a directory of the fetched tree the workspace; the rest is deleted. Raises Stopped."""
    chosen = source
    for part in Path(subdirectory).parts:
        chosen = chosen / part
        if not _is_real_folder(chosen):
            raise Stopped(
                Reason.SOURCE_NOT_FOUND, f"The repository has no directory {subdirectory!r}."
            )
    shutil.rmtree(source / ".git", ignore_errors=True)
    workspace.rmdir()
    chosen.rename(workspace)
    if chosen != source:
        shutil.rmtree(source)


def _is_real_folder(path: Path) -> bool:
    """A directory that is not a link to one."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False
