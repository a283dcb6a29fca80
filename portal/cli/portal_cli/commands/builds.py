"""Builds and logs."""

import uuid
from typing import Any, TextIO

import click

from portal_cli.client import Portal, address, pass_portal
from portal_cli.commands.env import read_variables
from portal_cli.commands.tools import limit_option
from portal_cli.errors import NotFound
from portal_cli.following import Output, Reader, build_log, follow
from portal_cli.output import note, output_option, print_one, print_rows
from portal_cli.waiting import follow_build, read_build, refuse_unless_built, wait_for_build

COLUMNS = ["number", "status", "ref", "commit", "actor", "created_at", "finished_at"]
DETAILS = [
    "tool", "number", "status", "reason_code", "reason", "source_url", "ref", "commit",
    "subdirectory", "trigger", "actor", "created_at", "started_at", "finished_at", "digest",
]  # fmt: skip


def print_build(build: dict[str, Any], output: str) -> None:
    image = build.get("image") or {}
    shown = build if output == "json" else {**build, "digest": image.get("digest")}
    print_one(shown, DETAILS, output)


@click.group()
def build() -> None:
    """Start, show and cancel builds."""


@build.command()
@click.argument("tool")
@click.option("--source-url", help="A Git address; the tool's repository by default.")
@click.option("--ref", help="A branch, tag or commit; the default branch if none.")
@click.option("--subdirectory", help="The directory to build; the top if none.")
@click.option("--deploy", is_flag=True, help="Deploy the image when the build succeeds.")
@click.option(
    "--env-file",
    type=click.File(),
    help="Lines NAME=value: variables for this build alone, kept secret.",
)
@click.option("--wait", is_flag=True, help="Wait for the end; exit code 1 unless it succeeds.")
@click.option("--follow", "with_log", is_flag=True, help="Print the log meanwhile; implies --wait.")
@output_option
@pass_portal
def start(
    portal: Portal,
    tool: str,
    source_url: str | None,
    ref: str | None,
    subdirectory: str | None,
    deploy: bool,
    env_file: TextIO | None,
    wait: bool,
    with_log: bool,
    output: str,
) -> None:
    """Build TOOL from its repository, or join the build that is under way for the same source."""
    asked = {"source_url": source_url, "ref": ref, "subdirectory": subdirectory}
    order: dict[str, Any] = {name: value for name, value in asked.items() if value}
    order["deploy"] = deploy
    if env_file:
        order["variables"] = read_variables(env_file)
    # With a key the call can be repeated when the answer was lost: it gives the same build.
    key = str(uuid.uuid4())
    made = portal.post(address("tools", tool, "builds"), order, Idempotency_Key=key)
    number = made["number"]
    note(f"Build {number} of {tool}")
    if with_log:
        made = follow_build(portal, tool, number)
    elif wait:
        made = wait_for_build(portal, tool, number)
    if not with_log or output == "json":
        print_build(made, output)
    if wait or with_log:
        refuse_unless_built(made)


@build.command()
@click.argument("tool")
@click.argument("number", type=int)
@output_option
@pass_portal
def show(portal: Portal, tool: str, number: int, output: str) -> None:
    """Show a build."""
    print_build(read_build(portal, tool, number), output)


@build.command()
@click.argument("tool")
@click.argument("number", type=int)
@click.option("--wait", is_flag=True, help="Wait until its processes are gone.")
@output_option
@pass_portal
def cancel(portal: Portal, tool: str, number: int, wait: bool, output: str) -> None:
    """Ask for the end of a build."""
    asked = portal.post(address("tools", tool, "builds", number, "cancel"))
    print_build(wait_for_build(portal, tool, number) if wait else asked, output)


@click.command()
@click.argument("tool")
@click.option("--status", help="Only those that stand so, such as failed.")
@limit_option
@output_option
@pass_portal
def builds(portal: Portal, tool: str, status: str | None, limit: int, output: str) -> None:
    """List a tool's builds, newest first."""
    rows = portal.pages(address("tools", tool, "builds"), limit=limit, status=status)
    short = ({**row, "commit": row["commit"][:10]} if output == "table" else row for row in rows)
    print_rows(short, COLUMNS, output, none="There are no builds.")


@click.command()
@click.argument("tool")
@click.option(
    "--build", "number", metavar="NUMBER|latest", help="A build's log, not the webservice's output."
)
@click.option("-f", "--follow", "keep_on", is_flag=True, help="Print what comes until it ends.")
@pass_portal
def logs(portal: Portal, tool: str, number: str | None, keep_on: bool) -> None:
    """Print the output of TOOL's webservice, or the log of a build."""
    if number is None:
        _webservice_logs(portal, tool, keep_on=keep_on)
        return
    reader = Reader()
    wanted = _newest(portal, tool) if number == "latest" else _number(number)
    follow(
        lambda: build_log(portal, tool, wanted, reader),
        lambda: reader.finished or not keep_on,
    )
    for line in reader.last():
        click.echo(line)


def _webservice_logs(portal: Portal, tool: str, *, keep_on: bool) -> None:
    output = Output(portal, tool)
    if keep_on:
        follow(output.follow_on, lambda: False)
    else:
        for line in [*output.look(), *output.rest()]:
            click.echo(line)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise click.BadParameter("Say a number, or latest.", param_hint="--build")
    return int(text)


def _newest(portal: Portal, tool: str) -> int:
    for row in portal.pages(address("tools", tool, "builds"), limit=1):
        return int(row["number"])
    raise NotFound("There are no builds.")


COMMANDS = (build, builds, logs)
