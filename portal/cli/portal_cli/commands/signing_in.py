"""Signing in and out."""

import sys

import click

from portal_cli import credentials, device
from portal_cli.client import Portal, pass_portal
from portal_cli.credentials import Credentials
from portal_cli.errors import NotSignedIn
from portal_cli.output import note, output_option, print_one


@click.command()
@click.argument("server", required=False)
@click.option("--token", "by_token", is_flag=True, help="Read a token from standard input.")
@pass_portal
def login(portal: Portal, server: str | None, by_token: bool) -> None:
    """Sign in to SERVER with a code in any browser, or with a token from standard input."""
    if server:
        portal = Portal(credentials.chosen_server(server))
    portal.credentials = _read_token() if by_token else device.sign_in(portal.http, show=_show)
    person = portal.get("me/")
    credentials.save(portal.server, portal.credentials)
    click.echo(f"Signed in to {portal.server} as {person['username']}.")


def _read_token() -> Credentials:
    if sys.stdin.isatty():
        token = click.prompt("Token", hide_input=True, err=True)
    else:
        token = sys.stdin.readline()
    if not token.strip():
        raise click.UsageError("There is no token on standard input.")
    return Credentials(token.strip())


def _show(address: str, code: str) -> None:
    note(f"Open {address}\nand enter the code {code} if you are asked for it.")


@click.command()
@pass_portal
def logout(portal: Portal) -> None:
    """Forget this portal's credentials on this machine."""
    if credentials.forget(portal.server) is None:
        raise NotSignedIn(f"You are not signed in to {portal.server}.")
    click.echo(f"Signed out of {portal.server}. Revoke the token there if others may have it.")


@click.command()
@output_option
@pass_portal
def whoami(portal: Portal, output: str) -> None:
    """Say who is signed in, where, and what the token may do."""
    person = portal.get("me/")
    token = person.get("token") or {}
    shown = {**person, **{name: token.get(name) for name in ("scopes", "expires_at")}}
    shown["server"] = portal.server
    names = ["username", "server", "roles", "scopes", "expires_at"]
    print_one(person if output == "json" else shown, names, output)


COMMANDS = (login, logout, whoami)
