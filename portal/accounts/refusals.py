"""The page that a failed sign-in ends on."""

from http import HTTPStatus

from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from requests import RequestException

from portal.accounts.wiki.identity import PersonBarred, WikiError, WikiUnavailable


def sign_in_refused(request: HttpRequest, error: Exception | None) -> HttpResponse:
    """Say why, with a status that says whose turn it is."""
    cause = error.__cause__ if error and isinstance(error.__cause__, WikiError) else error
    if isinstance(cause, RequestException):
        # allauth speaks OAuth 2 with the wiki itself.
        cause = WikiUnavailable(_("The wiki does not answer. Try again in a minute."))
    if isinstance(cause, OAuth2Error):
        cause = WikiUnavailable(_("The wiki did not confirm it. Try again in a minute."))
    if isinstance(cause, WikiError):
        sentence = str(cause)
    else:
        sentence = _("It was not begun in this browser, or it took too long. Begin again.")
    context = {"sentence": sentence, "is_barred": isinstance(cause, PersonBarred)}
    page = "socialaccount/authentication_error.html"
    return render(request, page, context, status=_status(cause))


def _status(cause: Exception | None) -> HTTPStatus:
    if isinstance(cause, PersonBarred):
        return HTTPStatus.FORBIDDEN
    if isinstance(cause, WikiUnavailable):
        return HTTPStatus.SERVICE_UNAVAILABLE
    return HTTPStatus.UNAUTHORIZED
