"""Variables. Their values come from a file or from standard input, never from the command line."""

import sys
from collections.abc import Iterable
from typing import TextIO

import click

from portal_cli.client import Portal, address, pass_portal
from portal_cli.output import output_option, print_rows

COLUMNS = ["name", "shown_value", "is_secret", "for_build", "for_run"]


def read_variables(lines: Iterable[str]) -> dict[str, str]:
    """The variables in lines `NAME=value`; empty lines and those that begin with # are none."""
    found = {}
    for number, line in enumerate(lines, start=1):
        text = line.rstrip("\r\n")
        if not text.strip() or text.lstrip().startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals:
            raise click.UsageError(f"Line {number} is not NAME=value.")
        found[name.strip()] = value
    return found


@click.group()
def env() -> None:
    """List, set and unset the variables of a tool."""


@env.command("list")
@click.argument("tool")
@output_option
@pass_portal
def list_variables(portal: Portal, tool: str, output: str) -> None:
    """List a tool's variables; the values of secrets are never shown."""
    rows = portal.pages(address("tools", tool, "variables"), limit=1000)
    print_rows(rows, COLUMNS, output, none="There are no variables.")


@env.command("set")
@click.argument("tool")
@click.argument("name")
@click.option(
    "--from-file",
    type=click.File(),
    help="Where the value is; standard input if none. One newline at its end is left out.",
)
@click.option("--plain", is_flag=True, help="No secret: it may be shown, and appear in logs.")
@click.option("--build/--no-build", default=False, help="Builds get it.", show_default=True)
@click.option("--run/--no-run", default=True, help="The webservice gets it.", show_default=True)
@output_option
@pass_portal
def set_variable(
    portal: Portal,
    tool: str,
    name: str,
    from_file: TextIO | None,
    plain: bool,
    build: bool,
    run: bool,
    output: str,
) -> None:
    """Set the variable NAME of TOOL to a value from standard input or a file.

    It takes effect with the next build, or the next release.
    """
    if "=" in name:
        raise click.UsageError(
            "Give the value on standard input: others can read the words of a command."
        )
    new = {
        "name": name,
        "value": _value(from_file),
        "is_secret": not plain,
        "for_build": build,
        "for_run": run,
    }
    made = portal.post(address("tools", tool, "variables"), new)
    print_rows([made], COLUMNS, output, none="")


def _value(file: TextIO | None) -> str:
    if file is not None:
        text = file.read()
    elif sys.stdin.isatty():
        return click.prompt("Value", hide_input=True, err=True)
    else:
        text = sys.stdin.read()
    return text.removesuffix("\n").removesuffix("\r")


@env.command("unset")
@click.argument("tool")
@click.argument("name")
@pass_portal
def unset(portal: Portal, tool: str, name: str) -> None:
    """Delete the variable NAME of TOOL."""
    portal.call("DELETE", address("tools", tool, "variables", name))
    click.echo(f"{name} is gone.")


COMMANDS = (env,)
