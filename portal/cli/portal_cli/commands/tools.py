"""Tools: find, show, register."""

import click

from portal_cli.client import Portal, address, pass_portal
from portal_cli.output import output_option, print_one, print_rows

COLUMNS = ["name", "title", "status", "repository"]
DETAILS = [
    "name",
    "title",
    "status",
    "description",
    "license",
    "repository",
    "keywords",
    "created_at",
]
limit_option = click.option(
    "--limit", type=click.IntRange(1), default=50, show_default=True, help="How many at most."
)


@click.group()
def tools() -> None:
    """Find, show and register tools."""


@tools.command("list")
@click.option("--all", "of_everyone", is_flag=True, help="Everybody's tools, not only your own.")
@click.option("-q", "--query", help="Words in the name, the title or the description.")
@limit_option
@output_option
@pass_portal
def list_tools(
    portal: Portal, of_everyone: bool, query: str | None, limit: int, output: str
) -> None:
    """List your tools."""
    mine = None if of_everyone else "true"
    rows = portal.pages("tools/", limit=limit, mine=mine, q=query)
    none = "No tool matches." if query or of_everyone else "You have no tools yet."
    print_rows(rows, COLUMNS, output, none=none)


@tools.command()
@click.argument("tool")
@output_option
@pass_portal
def show(portal: Portal, tool: str, output: str) -> None:
    """Show a tool."""
    print_one(portal.get(address("tools", tool)), DETAILS, output)


@tools.command()
@click.argument("tool")
@click.option("--title", required=True, help="A few words about it.")
@click.option("--repository", default="", help="The https address of its Git repository.")
@click.option("--description", default="", help="What it does, for whom.")
@click.option("--license", "licence", default="", help="An SPDX identifier, such as MIT.")
@output_option
@pass_portal
def register(
    portal: Portal,
    tool: str,
    title: str,
    repository: str,
    description: str,
    licence: str,
    output: str,
) -> None:
    """Register TOOL; you are its first maintainer."""
    new = {
        "name": tool,
        "title": title,
        "repository": repository,
        "description": description,
        "license": licence,
    }
    print_one(portal.post("tools/", new), DETAILS, output)


COMMANDS = (tools,)
