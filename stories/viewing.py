"""Saved views: pages on which people keep filters of lists, for themselves or for everybody."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from portal.accounts.permissions import MemberRequest, requires
from stories import filtering, operations
from stories.kinds import Kind
from stories.listing import kind_at, shown
from stories.models import SavedView
from stories.operations import Refused
from stories.roles import may


@requires("member")
@require_GET
def saved_views(request: MemberRequest) -> HttpResponse:
    """Their own and the shared ones; those that they keep with what changes them."""
    return render(request, "stories/saved_views.html", _listed(request))


def _listed(request: MemberRequest) -> dict[str, Any]:
    kept = set(SavedView.objects.kept_by(request.user).values_list("pk", flat=True))
    own: list[tuple[SavedView, str]] = []
    shared: list[tuple[SavedView, str]] = []
    for view in SavedView.objects.shown_to(request.user):
        place = own if view.owner_id == request.user.pk else shared
        place.append((view, filtering.words(view.kind_of, view.filters)))
    return {
        "own": own,
        "shared": shared,
        "kept": kept,
        "can_share": may(request.user, "contributor"),
    }


@requires("member")
@require_POST
def view_add(request: MemberRequest, slug: str) -> HttpResponse:
    """Keep the filter of a list; what was typed stays in the form when it is refused."""
    kind, sent = kind_at(slug), request.POST
    asked = dict(QueryDict(sent.get("query", "")).lists())
    try:
        view = operations.save_view(
            kind.prefix,
            name=sent.get("name", ""),
            filters=asked,
            by=request.user,
            at=timezone.now(),
            is_shared="is_shared" in sent,
        )
    except Refused as refusal:
        return _refused(request, kind, asked, refusal)
    messages.success(request, _("The view “%s” is kept.") % view.name)
    return redirect(view)


def _refused(
    request: HttpRequest, kind: Kind, asked: dict[str, list[str]], refusal: Refused
) -> HttpResponse:
    context = shown(request, kind, asked)
    context["refused"] = [each.sentence for each in refusal.missing]
    context["typed"] = request.POST
    return render(request, "stories/record_list.html", context, status=422)


@requires("member")
@require_POST
def view_change(request: MemberRequest, pk: int) -> HttpResponse:
    view = get_object_or_404(SavedView.objects.kept_by(request.user), pk=pk)
    try:
        operations.change_view(
            view,
            by=request.user,
            at=timezone.now(),
            name=request.POST.get("name", ""),
            is_shared="is_shared" in request.POST,
        )
    except Refused as refusal:
        context = _listed(request) | {"refused": refusal.missing, "typed": request.POST, "at": pk}
        return render(request, "stories/saved_views.html", context, status=422)
    messages.success(request, _("Saved."))
    return redirect("saved_views")


@requires("member")
@require_POST
def view_delete(request: MemberRequest, pk: int) -> HttpResponse:
    view = get_object_or_404(SavedView.objects.kept_by(request.user), pk=pk)
    operations.delete_view(view, by=request.user, at=timezone.now())
    messages.success(request, _("The view “%s” is deleted.") % view.name)
    return redirect("saved_views")
