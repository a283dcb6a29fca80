from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    name = "portal.webhooks"

    def ready(self) -> None:
        # Imported for its receivers, which register themselves.
        from portal.webhooks import announcing  # noqa: F401, PLC0415
