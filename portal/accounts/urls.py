"""Addresses of the account pages; signing in and out is django-allauth's."""

from django.urls import include, path

from portal.accounts import views

urlpatterns = [
    path("accounts/tokens/", views.tokens, name="tokens"),
    path("accounts/tokens/<int:pk>/rotate/", views.token_rotate, name="token_rotate"),
    path("accounts/tokens/<int:pk>/revoke/", views.token_revoke, name="token_revoke"),
    path("accounts/tokens/command-lines/", views.command_lines_end, name="command_lines_end"),
    path("accounts/sessions/", views.sessions, name="sessions"),
    path("accounts/sessions/<int:pk>/end/", views.session_end, name="session_end"),
    path("accounts/sessions/end/", views.sessions_end, name="sessions_end"),
    path("accounts/development/", views.development_sign_in, name="development_sign_in"),
    path("accounts/", include("allauth.urls")),
    # In the place of allauth's own page, to which it sends command lines.
    path("identity/o/device", views.device, name="device"),
    path("", include("allauth.idp.urls")),
]
