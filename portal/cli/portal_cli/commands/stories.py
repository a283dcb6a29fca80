"""Records of the workgroup: stories, features, decisions and what else it keeps."""

import click

from portal_cli.client import Portal, address, pass_portal
from portal_cli.commands.tools import limit_option
from portal_cli.output import output_option, print_one, print_rows

COLUMNS = ["ident", "status", "title", "owner", "updated_at"]


@click.group()
def stories() -> None:
    """List and show stories and other records."""


@stories.command("list")
@click.option("--kind", default="US", show_default=True, help="Such as US, FT, DR, or all.")
@click.option("--status", help="Only those that stand so.")
@click.option("-q", "--query", help="Words to look for.")
@limit_option
@output_option
@pass_portal
def list_records(
    portal: Portal, kind: str, status: str | None, query: str | None, limit: int, output: str
) -> None:
    """List records, stories by default."""
    wanted = None if kind == "all" else kind.upper()
    rows = portal.pages("records/", limit=limit, kind=wanted, status=status, q=query)
    print_rows(rows, COLUMNS, output, none="No record matches.")


@stories.command()
@click.argument("ident")
@output_option
@pass_portal
def show(portal: Portal, ident: str, output: str) -> None:
    """Show the record IDENT, such as US-1, as Markdown."""
    path = address("records", ident.upper())
    if output == "json":
        print_one(portal.get(path), [], output)
    else:
        click.echo(portal.call("GET", f"{path}export/").text)


COMMANDS = (stories,)
