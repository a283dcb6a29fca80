from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "portal.accounts"

    def ready(self) -> None:
        # Imported for its checks, which register themselves.
        from portal.accounts import checks  # noqa: F401, PLC0415
