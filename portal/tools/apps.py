from django.apps import AppConfig


class ToolsConfig(AppConfig):
    name = "portal.tools"

    def ready(self) -> None:
        # Imported for its receivers, which register themselves.
        from portal.tools import hearing  # noqa: F401, PLC0415
