"""Print a new API token, for scripts that run beside the portal."""

from argparse import ArgumentParser

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from portal.accounts.events import tell
from portal.accounts.models import ApiToken, User


class Command(BaseCommand):
    help = "Print a new API token for a user. With the development identity, make the user too."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--name", default="command line", help="what the token is for")

        parser.add_argument(
            "--scope",
            action="append",
            choices=ApiToken.Scope.values,
            help="what it may do; may be repeated; everything if none is named",
        )

    def handle(
        self, *, username: str, name: str, scope: list[str] | None, **_options: object
    ) -> None:
        user = User.objects.filter(username=username).first()
        if user is None:
            if not settings.DEVELOPMENT_IDENTITY:
                raise CommandError(f"There is no user {username}; they have to sign in once.")
            user = User.objects.create_user(username)
        now = timezone.now()
        token, value = ApiToken.issue(user, name=name, at=now, scopes=scope)
        told = {"user": username, "scopes": token.scopes}
        tell(by=None, action="token.created", summary=str(token), at=now, after=told)
        self.stdout.write(value)
