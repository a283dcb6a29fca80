"""The program `portal`: its commands, and what its end means."""

import os
import sys

import click

from portal_cli import __version__
from portal_cli.client import Portal
from portal_cli.commands import builds, env, signing_in, stories, tokens, tools, webservices
from portal_cli.commands.completion import completion
from portal_cli.credentials import chosen_server
from portal_cli.errors import Exit

SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class Program(click.Group):
    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # Whoever read has seen enough, which click calls a failure; nothing may be flushed
            # at the end either.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(Exit.OK)


@click.group(cls=Program, context_settings=SETTINGS)
@click.option(
    "--server",
    envvar="PORTAL_URL",
    metavar="URL",
    help="The portal's address; by default the one signed in to last.",
)
@click.version_option(__version__, prog_name="portal")
@click.pass_context
def cli(context: click.Context, server: str | None) -> None:
    """Build, deploy and follow tools on a community hosting portal."""
    if context.obj is None and context.invoked_subcommand != "completion":
        context.obj = Portal(chosen_server(server))


for command in (
    *signing_in.COMMANDS,
    *tools.COMMANDS,
    *builds.COMMANDS,
    *webservices.COMMANDS,
    *env.COMMANDS,
    *tokens.COMMANDS,
    *stories.COMMANDS,
    completion,
):
    cli.add_command(command)


def main() -> None:
    """Run a command and end with the exit code that its outcome has."""
    try:
        cli.main(prog_name="portal", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted. What was started on the portal goes on.", err=True)
        sys.exit(Exit.INTERRUPTED)


if __name__ == "__main__":
    main()
