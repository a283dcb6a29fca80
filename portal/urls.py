"""All addresses of the site."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from portal import examples, views

handler404 = "portal.views.not_found"
handler500 = "portal.views.server_error"
urlpatterns = [
    path("", views.dashboard, name="dashboard"),
    path("status/", views.status, name="status"),
    path("healthz", views.healthz, name="healthz"),
    path("", include("portal.accounts.urls")),
    path("", include("portal.tools.urls")),
    path("", include("portal.clusters.urls")),
    path("", include("builds.urls")),
    path("", include("portal.webservices.urls")),
    path("", include("portal.webhooks.urls")),
    path("", include("stories.urls")),
    path("tools/<slug:name>/", views.tool_detail, name="tool"),
    path("api/v1/", include("portal.accounts.api")),
    path("api/v1/", include("portal.tools.api")),
    path("api/v1/", include("portal.clusters.api")),
    path("api/v1/", include("builds.api")),
    path("api/v1/", include("portal.webservices.api")),
    path("api/v1/", include("portal.webservices.history_api")),
    path("api/v1/", include("portal.webhooks.api")),
    path("api/v1/", include("portal.webhooks.subscriptions_api")),
    path("api/v1/", include("portal.webservices.quotas_api")),
    path("api/v1/", include("portal.webservices.moving_api")),
    path("api/v1/", include("stories.api")),
    path("api/v1/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="api_docs"),
    path("builds/", include("builds.toolforge.api")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/", admin.site.urls),
]
if settings.DEBUG:
    urlpatterns += [
        path("examples/<slug:name>.git/<path:path>", examples.serve, name="example"),
    ]
