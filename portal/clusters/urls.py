from django.urls import path

from portal.clusters import views

urlpatterns = [
    path("clusters/", views.cluster_list, name="clusters"),
    path("clusters/add/", views.cluster_add, name="cluster_add"),
    path("clusters/<slug:name>/", views.cluster_detail, name="cluster"),
    path("clusters/<slug:name>/edit/", views.cluster_edit, name="cluster_edit"),
    path("clusters/<slug:name>/remove/", views.cluster_remove, name="cluster_remove"),
    path("clusters/<slug:name>/rotate/", views.cluster_rotate, name="cluster_rotate"),
]
