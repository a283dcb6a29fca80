"""Waiting for what takes long: builds and releases."""

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from portal_cli.client import Portal, address
from portal_cli.errors import NotFound, Refused
from portal_cli.following import Reader, build_log, follow
from portal_cli.output import note

ENDED = ("succeeded", "failed", "cancelled", "timed-out")
PAUSE = 0.5
# Releases are numbered upwards and listed newest first, so one that was just made is near the top.
LOOKED_AT = 20


class Progress:
    """Says each step of a build once, with how long it took, and why the build waits."""

    def __init__(self) -> None:
        self.said: set[str] = set()

    def say(self, text: str) -> None:
        if text not in self.said:
            self.said.add(text)
            note(text)

    def show(self, build: Mapping[str, Any]) -> None:
        if queue := build.get("queue"):
            self.say(f"Number {queue['position']} in the queue: {queue['because']}.")
        for step in build["steps"]:
            if step["finished_at"]:
                mark = "done" if step["succeeded"] else "failed"
                self.say(f"{step['name']}: {mark} after {_seconds(step):.1f} s")


def _seconds(step: Mapping[str, Any]) -> float:
    began, ended = step["started_at"], step["finished_at"]
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(began)).total_seconds()


def read_build(portal: Portal, tool: str, number: int) -> dict[str, Any]:
    return portal.get(address("tools", tool, "builds", number))


def wait_for_build(portal: Portal, tool: str, number: int) -> dict[str, Any]:
    """The build once it has ended, its steps told meanwhile."""
    progress = Progress()
    while True:
        build = read_build(portal, tool, number)
        progress.show(build)
        if build["status"] in ENDED:
            return build
        time.sleep(PAUSE)


def follow_build(portal: Portal, tool: str, number: int) -> dict[str, Any]:
    """The build once it has ended, its log printed meanwhile."""
    reader = Reader()
    follow(lambda: build_log(portal, tool, number, reader), lambda: reader.finished)
    return read_build(portal, tool, number)


def refuse_unless_built(build: Mapping[str, Any]) -> None:
    if build["status"] != "succeeded":
        words = f"Build {build['number']} of {build['tool']} {build['status']}. {build['reason']}"
        raise Refused(words.strip())


def wait_for_release(portal: Portal, tool: str, number: int) -> dict[str, Any]:
    """The release once it is live; raises Refused with the reason when it never will be."""
    path = address("tools", tool, "webservice", "releases")
    note(f"Release {number} starts; it takes over when it is healthy.")
    while True:
        release = _found(portal, path, number)
        if release["status"] == "live":
            return release
        if release["status"] != "starting":
            raise Refused(_why(release))
        time.sleep(PAUSE)


def _found(portal: Portal, path: str, number: int) -> dict[str, Any]:
    for release in portal.pages(path, limit=LOOKED_AT):
        if release["number"] == number:
            return release
    raise NotFound(f"There is no release {number}.")


def _why(release: Mapping[str, Any]) -> str:
    words = f"Release {release['number']} {release['status']}. {release['reason']}".strip()
    if release["reason_code"] == "replaced":
        words = f"Release {release['number']} was replaced by a later one before it was live."
    return f"{words}\n{release['log_tail']}".strip()


def wait_until(portal: Portal, tool: str, reached: Callable[[Mapping[str, Any]], bool]) -> Any:  # noqa: ANN401
    """The webservice once `reached` says so of it."""
    while True:
        webservice = portal.get(address("tools", tool, "webservice"))
        if reached(webservice):
            return webservice
        time.sleep(PAUSE)
