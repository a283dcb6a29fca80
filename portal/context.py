"""What every page shows besides the identity."""

from django.conf import settings
from django.http import HttpRequest

from builds.lifecycle.sandbox import Mode
from builds.tasks import engine as build_engine


def trust(request: HttpRequest) -> dict[str, bool]:
    """Whether programs run without anything that shuts them in, because the operator says so."""
    is_unconfined = settings.TRUST_ALL_USERS and build_engine().enforcement().mode == Mode.TRUST
    return {"trusts_all_users": is_unconfined}
