"""Addresses of signing in by OAuth 2; allauth's urls include them."""

from django.urls import path

from portal.accounts.mediawiki import views

urlpatterns = [
    path("mediawiki/login/", views.login, name="mediawiki_login"),
    path("mediawiki/login/callback/", views.callback, name="mediawiki_callback"),
]
