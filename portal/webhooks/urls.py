"""Addresses of the pages about webhooks, and where forges post to."""

from django.urls import path

from portal.webhooks import endpoint, subscriptions_views, views

HOOK = "tools/<slug:name>/webhooks/<int:pk>/"
SUBSCRIPTION = "tools/<slug:name>/subscriptions/<int:pk>/"
urlpatterns = [
    path("hooks/<slug:name>/<str:ident>/", endpoint.hook_receive, name="hook_receive"),
    path("tools/<slug:name>/webhooks/", views.webhooks, name="webhooks"),
    path("tools/<slug:name>/webhooks/new/", views.hook_new, name="hook_new"),
    path(HOOK, views.hook_detail, name="hook"),
    path(f"{HOOK}secret/", views.hook_secret, name="hook_secret"),
    path(f"{HOOK}delete/", views.hook_delete, name="hook_delete"),
    path(f"{HOOK}deliveries/<int:number>/", views.arrival_detail, name="arrival"),
    path(f"{HOOK}deliveries/<int:number>/redeliver/", views.arrival_again, name="arrival_again"),
    path(
        "tools/<slug:name>/subscriptions/new/",
        subscriptions_views.subscription_new,
        name="subscription_new",
    ),
    path(SUBSCRIPTION, subscriptions_views.subscription_detail, name="subscription"),
    path(
        f"{SUBSCRIPTION}secret/",
        subscriptions_views.subscription_secret,
        name="subscription_secret",
    ),
    path(f"{SUBSCRIPTION}test/", subscriptions_views.subscription_test, name="subscription_test"),
    path(
        f"{SUBSCRIPTION}delete/",
        subscriptions_views.subscription_delete,
        name="subscription_delete",
    ),
    path(
        f"{SUBSCRIPTION}deliveries/<int:number>/",
        subscriptions_views.delivery_detail,
        name="delivery",
    ),
    path(
        f"{SUBSCRIPTION}deliveries/<int:number>/redeliver/",
        subscriptions_views.delivery_again,
        name="delivery_again",
    ),
    path("accounts/mail/", subscriptions_views.mail_choices, name="mail_choices"),
]
