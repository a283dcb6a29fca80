"""Addresses of the pages about webservices."""

from django.urls import path

from portal.webservices import views

urlpatterns = [
    path("tools/<slug:name>/webservice/", views.webservice_detail, name="webservice"),
    path("tools/<slug:name>/webservice/status/", views.webservice_status, name="webservice_status"),
    path("tools/<slug:name>/webservice/deploy/", views.webservice_deploy, name="webservice_deploy"),
    path(
        "tools/<slug:name>/webservice/restart/", views.webservice_restart, name="webservice_restart"
    ),
    path("tools/<slug:name>/webservice/start/", views.webservice_restart, name="webservice_start"),
    path("tools/<slug:name>/webservice/stop/", views.webservice_stop, name="webservice_stop"),
    path(
        "tools/<slug:name>/webservice/configure/",
        views.webservice_configure,
        name="webservice_configure",
    ),
    path("tools/<slug:name>/webservice/events/", views.webservice_events, name="webservice_events"),
    path("tools/<slug:name>/webservice/log/", views.webservice_log, name="webservice_log"),
]
