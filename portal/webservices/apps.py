from django.apps import AppConfig


class WebservicesConfig(AppConfig):
    name = "portal.webservices"
