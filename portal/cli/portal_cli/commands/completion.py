"""Completion for shells."""

import click
from click.shell_completion import get_completion_class

from portal_cli.errors import Exit


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes SHELL complete the words of this program.

    For bash, put `eval "$(portal completion bash)"` into ~/.bashrc.
    """
    found = get_completion_class(shell)
    if found is None:
        context.exit(Exit.REFUSED)
    root = context.find_root()
    click.echo(found(root.command, {}, "portal", "_PORTAL_COMPLETE").source())
