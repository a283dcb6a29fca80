"""Addresses of signing in by OAuth 1.0a; allauth's urls include them."""

from django.urls import path

from portal.accounts.wikimedia import views

urlpatterns = [
    path("wikimedia/login/", views.login, name="wikimedia_login"),
    path("wikimedia/login/callback/", views.callback, name="wikimedia_callback"),
]
