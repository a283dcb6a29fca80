"""Give somebody a role on the platform: how the first administrator comes to be."""

from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from portal.accounts.events import tell
from portal.accounts.models import User

ROLES = {"admin": "is_admin", "workgroup": "is_workgroup"}


class Command(BaseCommand):
    help = "Make a user an administrator or a member of the workgroup, or take that back."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("role", choices=ROLES)
        parser.add_argument("--take-back", action="store_true")

    def handle(self, *, username: str, role: str, take_back: bool, **_options: object) -> None:
        field = ROLES[role]
        named = User.objects.filter(username=username)
        if not named.update(**{field: not take_back}):
            raise CommandError(f"There is no user {username}; they have to sign in once.")
        after = {field: not take_back}
        tell(by=None, action="account.appointed", summary=username, at=timezone.now(), after=after)
        self.stdout.write(f"{username}: {role} {'taken back' if take_back else 'given'}")
