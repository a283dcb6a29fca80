"""The project as an app: its management commands."""

from django.apps import AppConfig

# Importing it here makes it the application that tasks belong to, in every process.
from portal.celery import app as celery

__all__ = ["PortalConfig", "celery"]


class PortalConfig(AppConfig):
    name = "portal"
