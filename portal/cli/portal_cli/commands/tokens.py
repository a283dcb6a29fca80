"""Personal tokens."""

import click

from portal_cli.client import Portal, address, pass_portal
from portal_cli.output import note, output_option, print_rows

COLUMNS = ["id", "name", "prefix", "scopes", "created_at", "last_used_at", "expires_at"]


@click.group()
def tokens() -> None:
    """List, make and revoke your tokens."""


@tokens.command("list")
@output_option
@pass_portal
def list_tokens(portal: Portal, output: str) -> None:
    """List your tokens; the tokens themselves are never shown again."""
    print_rows(portal.pages("tokens/", limit=1000), COLUMNS, output, none="You have no tokens.")


@tokens.command()
@click.argument("token_id", type=int)
@pass_portal
def revoke(portal: Portal, token_id: int) -> None:
    """Revoke the token with this id; it works no longer."""
    portal.call("DELETE", address("tokens", token_id))
    note("Revoked.")


COMMANDS = (tokens,)
