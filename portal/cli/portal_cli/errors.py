"""What can go wrong, each with its exit code; docs/command-line.md lists them."""

from enum import IntEnum

import click


class Exit(IntEnum):
    OK = 0
    REFUSED = 1  # the portal refused, or what was waited for failed
    USAGE = 2
    NOT_SIGNED_IN = 3
    NOT_FOUND = 4
    UNAVAILABLE = 5  # the server or the network
    INTERRUPTED = 130


class Refused(click.ClickException):
    exit_code = Exit.REFUSED


class NotSignedIn(click.ClickException):
    exit_code = Exit.NOT_SIGNED_IN


class NotFound(click.ClickException):
    exit_code = Exit.NOT_FOUND


class Unavailable(click.ClickException):
    exit_code = Exit.UNAVAILABLE
