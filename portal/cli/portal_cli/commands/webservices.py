"""Webservices: deploy, roll back, start, stop, scale."""

from typing import Any

import click

from portal_cli.client import Portal, address, pass_portal
from portal_cli.commands.tools import limit_option
from portal_cli.errors import NotFound, Refused
from portal_cli.output import note, output_option, print_one, print_rows
from portal_cli.waiting import wait_for_release, wait_until

RELEASES = ["number", "status", "build", "note", "actor", "created_at", "live_at", "reason"]
DETAILS = ["tool", "url", "status", "reason", "replicas", "running", "live", "health_check_path"]
no_wait_option = click.option("--no-wait", is_flag=True, help="Do not wait until it is live.")


def _path(tool: str, *more: str) -> str:
    return address("tools", tool, "webservice", *more)


def _finish(
    portal: Portal, tool: str, release: dict[str, Any], *, no_wait: bool, output: str
) -> None:
    """Wait for a release that was just made, unless nobody wants to, and show it."""
    if not no_wait:
        release = wait_for_release(portal, tool, release["number"])
        note(f"It runs at {portal.get(_path(tool))['url']}")
    print_one(release, RELEASES, output)


@click.command()
@click.argument("tool")
@click.option("--build", "number", type=int, help="The newest that succeeded, if none.")
@click.option("--process-type", default="", help="Which process of the image; its default if none.")
@no_wait_option
@output_option
@pass_portal
def deploy(
    portal: Portal, tool: str, number: int | None, process_type: str, no_wait: bool, output: str
) -> None:
    """Run what a build of TOOL made; it takes over when it is healthy."""
    wanted = {"build": number or _newest_built(portal, tool), "process_type": process_type}
    release = portal.post(_path(tool, "deploy"), wanted)
    _finish(portal, tool, release, no_wait=no_wait, output=output)


def _newest_built(portal: Portal, tool: str) -> int:
    for row in portal.pages(address("tools", tool, "builds"), limit=1, status="succeeded"):
        return int(row["number"])
    raise NotFound(f"No build of {tool} has succeeded. Run `portal build start {tool} --follow`.")


@click.command()
@click.argument("tool")
@click.option("--release", "number", type=int, help="The one that was live before, if none.")
@no_wait_option
@output_option
@pass_portal
def rollback(portal: Portal, tool: str, number: int | None, no_wait: bool, output: str) -> None:
    """Run an earlier release of TOOL again."""
    wanted = {"release": number or _live_before(portal, tool)}
    release = portal.post(_path(tool, "rollback"), wanted)
    _finish(portal, tool, release, no_wait=no_wait, output=output)


def _live_before(portal: Portal, tool: str) -> int:
    """The newest release that was live once and is not now."""
    for release in portal.pages(_path(tool, "releases"), limit=200):
        if release["live_at"] and release["status"] != "live":
            return int(release["number"])
    raise Refused("There is no earlier release that was live.")


@click.command()
@click.argument("tool")
@limit_option
@output_option
@pass_portal
def releases(portal: Portal, tool: str, limit: int, output: str) -> None:
    """List the releases of TOOL, newest first."""
    rows = portal.pages(_path(tool, "releases"), limit=limit)
    print_rows(rows, RELEASES, output, none="Nothing was deployed yet.")


@click.group()
def webservice() -> None:
    """Look at a webservice, start, stop, restart and scale it."""


def _print(webservice: dict[str, Any], output: str) -> None:
    shown = webservice
    if output == "table":
        live = webservice["live"] or {}
        healthy = [each["phase"] for each in webservice["running"]]
        shown = {**webservice, "running": healthy, "live": live.get("number")}
    print_one(shown, DETAILS, output)


@webservice.command()
@click.argument("tool")
@output_option
@pass_portal
def status(portal: Portal, tool: str, output: str) -> None:
    """Show how the webservice stands."""
    _print(portal.get(_path(tool)), output)


def _starting(verb: str, words: str) -> click.Command:
    @webservice.command(verb, help=words)
    @click.argument("tool")
    @no_wait_option
    @output_option
    @pass_portal
    def begin(portal: Portal, tool: str, no_wait: bool, output: str) -> None:
        release = portal.post(_path(tool, verb))
        _finish(portal, tool, release, no_wait=no_wait, output=output)

    return begin


_starting("start", "Run the image that ran last.")
_starting("restart", "Run the same image anew, without a gap.")


@webservice.command()
@click.argument("tool")
@no_wait_option
@output_option
@pass_portal
def stop(portal: Portal, tool: str, no_wait: bool, output: str) -> None:
    """End all replicas."""
    webservice = portal.post(_path(tool, "stop"))
    if not no_wait:
        webservice = wait_until(portal, tool, lambda seen: seen["status"] == "stopped")
    _print(webservice, output)


@webservice.command()
@click.argument("tool")
@click.argument("replicas", type=click.IntRange(1))
@output_option
@pass_portal
def scale(portal: Portal, tool: str, replicas: int, output: str) -> None:
    """Run this many replicas."""
    _print(portal.post(_path(tool, "scale"), {"replicas": replicas}), output)


COMMANDS = (deploy, rollback, releases, webservice)
