"""Personal tokens."""

from datetime import UTC, datetime, timedelta
from typing import Any

import click

from portal_cli.client import Portal, address, pass_portal
from portal_cli.output import note, output_option, print_json, print_rows

COLUMNS = ["id", "name", "prefix", "scopes", "created_at", "last_used_at", "expires_at"]
SCOPES = click.Choice(["read", "deploy", "write", "stories:read", "stories:write"])


@click.group()
def tokens() -> None:
    """List, make and revoke your tokens."""


@tokens.command("list")
@output_option
@pass_portal
def list_tokens(portal: Portal, output: str) -> None:
    """List your tokens; the tokens themselves are never shown again."""
    print_rows(portal.pages("tokens/", limit=1000), COLUMNS, output, none="You have no tokens.")


def _show(issued: dict[str, Any], output: str) -> None:
    """The token alone on standard output, so that it can be piped to where it is kept."""
    if output == "json":
        print_json(issued)
    else:
        note(f"Token {issued['id']}, which is shown only here:")
        click.echo(issued["token"])


@tokens.command()
@click.argument("name")
@click.option(
    "--scope", "scopes", type=SCOPES, multiple=True, required=True, help="May be repeated."
)
@click.option("--tool", default="", help="Works for this tool alone; for all of yours if none.")
@click.option("--days", type=click.IntRange(1), help="Ends after so many days; never if none.")
@output_option
@pass_portal
def create(
    portal: Portal, name: str, scopes: tuple[str, ...], tool: str, days: int | None, output: str
) -> None:
    """Make a token with this name. It can do no more than the one that you are signed in with."""
    end = datetime.now(UTC) + timedelta(days=days) if days else None
    wanted = {"name": name, "scopes": scopes, "tool": tool}
    wanted |= {"expires_at": end.isoformat()} if end else {}
    _show(portal.call("POST", "tokens/", json=wanted).json(), output)


@tokens.command()
@click.argument("token_id", type=int)
@click.option(
    "--overlap", type=click.IntRange(0), default=0, help="Seconds that the old one goes on working."
)
@output_option
@pass_portal
def rotate(portal: Portal, token_id: int, overlap: int, output: str) -> None:
    """Replace the token with this id by a new one that may do the same."""
    place = address("tokens", token_id, "rotate")
    _show(portal.call("POST", place, json={"overlap": overlap}).json(), output)


@tokens.command()
@click.argument("token_id", type=int)
@pass_portal
def revoke(portal: Portal, token_id: int) -> None:
    """Revoke the token with this id; it works no longer."""
    portal.call("DELETE", address("tokens", token_id))
    note("Revoked.")


COMMANDS = (tokens,)
