"""Pages about clusters: how they are for everyone, how they are reached for administrators."""

from collections.abc import Callable
from typing import Any

import yaml
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal.accounts.permissions import MemberRequest, requires
from portal.cluster.base import Right
from portal.cluster.rights import giving
from portal.clusters import operations
from portal.clusters.forms import ClusterForm, NewClusterForm, RotateForm
from portal.clusters.models import Cluster
from portal.clusters.operations import ClusterRefusedChange

# Places in the registry that something is wrong with.
SHOWN = 50


def _try(form: ClusterForm, operation: Callable[[], object]) -> bool:
    """Do it; a refusal becomes an error of the form's field."""
    try:
        operation()
    except ClusterRefusedChange as refused:
        form.add_error(refused.field if refused.field in form.fields else None, str(refused))
        return False
    return True


@requires("public")
@require_GET
def cluster_list(request: HttpRequest) -> HttpResponse:
    context = {
        "clusters": Cluster.objects.select_related("registry_state"),
        "portal_version": settings.VERSION,
    }
    return render(request, "clusters/cluster_list.html", context)


@requires("public")
@require_GET
def cluster_detail(request: HttpRequest, name: str) -> HttpResponse:
    cluster = get_object_or_404(Cluster.objects.with_places(), name=name)
    context: dict[str, Any] = {"cluster": cluster, "portal_version": settings.VERSION}
    if getattr(request.user, "is_admin", False):
        missing = [Right(**each) for each in cluster.missing_rights]
        context |= {
            "missing": missing,
            "manifest": yaml.safe_dump(giving(missing), sort_keys=False) if missing else "",
            "findings": cluster.findings(),
            "rotate_form": RotateForm(),
            "troubled": cluster.registry_places.exclude(trouble="").select_related("tool")[:SHOWN],
        }
    return render(request, "clusters/cluster_detail.html", context)


@requires("admin")
@require_http_methods(["GET", "POST"])
def cluster_add(request: MemberRequest) -> HttpResponse:
    form = NewClusterForm(request.POST or None)
    if request.method == "POST" and form.is_valid():

        def add() -> None:
            operations.add_cluster(by=request.user, at=timezone.now(), **form.cleaned_data)

        if _try(form, add):
            messages.success(request, _("The cluster is known now, and is looked at."))
            return redirect("cluster", form.cleaned_data["name"])
    return render(request, "clusters/cluster_form.html", {"form": form})


@requires("admin")
@require_http_methods(["GET", "POST"])
def cluster_edit(request: MemberRequest, name: str) -> HttpResponse:
    cluster = get_object_or_404(Cluster, name=name)
    form = ClusterForm(request.POST or None, instance=cluster)
    if request.method == "POST" and form.is_valid():

        def edit() -> None:
            operations.edit_cluster(
                cluster, by=request.user, at=timezone.now(), **form.cleaned_data
            )

        if _try(form, edit):
            messages.success(request, _("Saved. The cluster is looked at again."))
            return redirect("cluster", name)
    return render(request, "clusters/cluster_form.html", {"form": form, "cluster": cluster})


@requires("admin")
@require_POST
def cluster_remove(request: MemberRequest, name: str) -> HttpResponse:
    cluster = get_object_or_404(Cluster, name=name)
    try:
        operations.remove_cluster(cluster, by=request.user, at=timezone.now())
    except ClusterRefusedChange as refused:
        messages.error(request, str(refused))
        return redirect("cluster", name)
    messages.success(request, _("The cluster is forgotten. Nothing in it was touched."))
    return redirect("clusters")


@requires("admin")
@require_POST
def cluster_rotate(request: MemberRequest, name: str) -> HttpResponse:
    """Have the credentials of all tools changed, or of the one that the form names."""
    cluster = get_object_or_404(Cluster, name=name)
    tool = request.POST.get("tool", "").strip()
    try:
        count = operations.rotate_credentials(
            cluster, tool=tool, by=request.user, at=timezone.now()
        )
    except ClusterRefusedChange as refused:
        messages.error(request, str(refused))
        return redirect("cluster", name)
    sentence = ngettext(
        "The credentials of %(count)d tool are changed now; the old ones go when nothing needs "
        "them any more.",
        "The credentials of %(count)d tools are changed now; the old ones go when nothing needs "
        "them any more.",
        count,
    )
    messages.success(request, sentence % {"count": count})
    return redirect("cluster", name)
