"""Addresses of the pages about webservices."""

from django.urls import path

from portal.webservices import history, moving_pages, quotas, views

RELEASE = "tools/<slug:name>/webservice/releases/<int:number>/"

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
    path("tools/<slug:name>/webservice/check/", views.webservice_check, name="webservice_check"),
    path("tools/<slug:name>/cache/clear/", history.cache_clear, name="cache_clear"),
    path("tools/<slug:name>/webservice/events/", views.webservice_events, name="webservice_events"),
    path("tools/<slug:name>/webservice/log/", views.webservice_log, name="webservice_log"),
    path(RELEASE, history.release_detail, name="release"),
    path(f"{RELEASE}rollback/", history.release_rollback, name="release_rollback"),
    path(f"{RELEASE}pin/", history.release_pin, name="release_pin"),
    path(
        "tools/<slug:name>/webservice/follow/", history.webservice_follow, name="webservice_follow"
    ),
    path(
        "tools/<slug:name>/webservice/resume/", history.webservice_resume, name="webservice_resume"
    ),
    path("tools/<slug:name>/moves/", moving_pages.move_list, name="moves"),
    path("tools/<slug:name>/moves/status/", moving_pages.move_status, name="move_status"),
    path("tools/<slug:name>/moves/start/", moving_pages.move_start, name="move_start"),
    path("tools/<slug:name>/moves/<int:pk>/cancel/", moving_pages.move_cancel, name="move_cancel"),
    path("tools/<slug:name>/images/", history.image_list, name="image_list"),
    path("tools/<slug:name>/quotas/", quotas.tool_quotas, name="tool_quotas"),
    path("quota-requests/", quotas.quota_requests, name="quota_requests"),
    path("quota-requests/<int:pk>/decide/", quotas.quota_decide, name="quota_decide"),
]
