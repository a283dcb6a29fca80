"""Addresses of the pages about webhooks, and where forges post to."""

from django.urls import path

from portal.webhooks import endpoint, views

HOOK = "tools/<slug:name>/webhooks/<int:pk>/"
urlpatterns = [
    path("hooks/<slug:name>/<str:ident>/", endpoint.hook_receive, name="hook_receive"),
    path("tools/<slug:name>/webhooks/", views.webhooks, name="webhooks"),
    path("tools/<slug:name>/webhooks/new/", views.hook_new, name="hook_new"),
    path(HOOK, views.hook_detail, name="hook"),
    path(f"{HOOK}secret/", views.hook_secret, name="hook_secret"),
    path(f"{HOOK}delete/", views.hook_delete, name="hook_delete"),
    path(f"{HOOK}deliveries/<int:number>/", views.arrival_detail, name="arrival"),
    path(f"{HOOK}deliveries/<int:number>/redeliver/", views.arrival_again, name="arrival_again"),
]
