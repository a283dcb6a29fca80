"""Where forges post to."""

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from portal.accounts.permissions import requires
from portal.webhooks.intake import PostRefused, receive
from portal.webhooks.models import Arrival, Hook
from portal.webhooks.senders import Message


@csrf_exempt
@requires("public")
@require_POST
def hook_receive(request: HttpRequest, name: str, ident: str) -> JsonResponse:
    """Take a post of a forge; its signature, not a session, says who it is from."""
    hook = get_object_or_404(Hook.objects.select_related("tool"), tool__name=name, ident=ident)
    try:
        message = Message(_headers(request), _body(request))
        arrival, is_new = receive(hook, message, at=timezone.now())
    except PostRefused as refusal:
        return _problem(refusal)
    started = is_new and arrival.decision == Arrival.Decision.STARTED
    answer = {
        "delivery": arrival.pk,
        "decision": arrival.decision,
        "reason": arrival.reason,
        "build": str(arrival.build) if arrival.build else None,
        "repeated": not is_new,
    }
    return JsonResponse(answer, status=202 if started else 200)


def _headers(request: HttpRequest) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


def _body(request: HttpRequest) -> bytes:
    limit: int = settings.HOOK_BODY_BYTES
    body = request.read(limit + 1)
    if len(body) > limit:
        raise PostRefused(413, _("The body may have %(limit)d bytes at most.") % {"limit": limit})
    return body


def _problem(refusal: PostRefused) -> JsonResponse:
    data = {"type": "about:blank", "status": refusal.status, "detail": str(refusal)}
    response = JsonResponse(data, status=refusal.status, content_type="application/problem+json")
    if refusal.status == 429:
        response.headers["Retry-After"] = "60"
    return response
