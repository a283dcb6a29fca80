"""Addresses of the pages about builds."""

from django.urls import path

from builds import views

urlpatterns = [
    path("tools/<slug:name>/builds/", views.build_list, name="build_list"),
    path("tools/<slug:name>/builds/start/", views.build_start, name="build_start"),
    path("tools/<slug:name>/builds/<int:number>/", views.build_detail, name="build"),
    path("tools/<slug:name>/builds/<int:number>/status/", views.build_status, name="build_status"),
    path("tools/<slug:name>/builds/<int:number>/events/", views.build_events, name="build_events"),
    path("tools/<slug:name>/builds/<int:number>/log/", views.build_log, name="build_log"),
    path("tools/<slug:name>/builds/<int:number>/cancel/", views.build_cancel, name="build_cancel"),
]
