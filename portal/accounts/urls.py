"""Addresses of the account pages; signing in and out is django-allauth's."""

from django.urls import include, path

from portal.accounts import views

urlpatterns = [
    path("accounts/tokens/", views.tokens, name="tokens"),
    path("accounts/tokens/<int:pk>/revoke/", views.token_revoke, name="token_revoke"),
    path("accounts/development/", views.development_sign_in, name="development_sign_in"),
    path("accounts/", include("allauth.urls")),
]
