from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    name = "portal.accounts"

    def ready(self) -> None:
        # Imported for its checks, which register themselves.
        from portal.accounts import checks  # noqa: F401, PLC0415

        post_migrate.connect(_register_client, sender=self)


def _register_client(**_kwargs: object) -> None:
    """After each migration, so that a new portal has it and a new scope reaches an old one."""
    from portal.accounts.device import register_client  # noqa: PLC0415

    register_client()
