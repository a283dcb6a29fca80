"""What people and programs may ask of webservices; HTML and REST call these."""

from datetime import datetime

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from builds.models import Image
from portal.accounts.models import User
from portal.tools.models import Tool
from portal.tools.operations import record_event
from portal.webservices.models import Release, Webservice
from portal.webservices.releases import make_release, webservice_of
from portal.webservices.tasks import wake


class DeployRefused(Exception):
    """A sentence for the person who asked."""


def deploy(
    image: Image, *, by: User, at: datetime, process_type: str = "", note: str = ""
) -> Release:
    """Start a new release of an image; it takes the requests over when it is healthy."""
    if image.tool.status != Tool.Status.ACTIVE:
        raise DeployRefused(_("This tool is not active, so nothing of it can be run."))
    if image.removed_at:
        raise DeployRefused(
            _("This image was deleted to make room. Build the commit again to deploy it.")
        )
    process_type = process_type or image.default_process
    if process_type not in image.processes:
        raise DeployRefused(_no_such_process(image, process_type))
    note = note or _("deployed build %(number)d") % {"number": image.build.number}
    release = make_release(image, process_type=process_type, by=by, note=note, at=at)
    wake(release.webservice, now=at)
    return release


def _no_such_process(image: Image, process_type: str) -> str:
    if not image.processes:
        return _("This image has no process to run. Add a Procfile with a line `web: <command>`.")
    known = ", ".join(sorted(image.processes))
    if not process_type:
        return _("This image has no default process. Name one of: %(known)s.") % {"known": known}
    return _("This image has no process “%(type)s”. It has: %(known)s.") % {
        "type": process_type,
        "known": known,
    }


def restart(webservice: Webservice, *, by: User, at: datetime) -> Release:
    """Run the same image anew, without a gap, with the variables as they are now."""
    last = webservice.live or webservice.releases.select_related("image__tool").first()
    if last is None:
        raise DeployRefused(_("Nothing was deployed yet. Build the tool, then deploy the build."))
    note = _("restarted") if webservice.is_wanted else _("started")
    return deploy(last.image, process_type=last.process_type, by=by, at=at, note=note)


def stop(webservice: Webservice, *, by: User, at: datetime) -> None:
    """End all replicas; the webservice answers 503 until it is started again."""
    with transaction.atomic():
        Webservice.objects.filter(pk=webservice.pk).update(is_wanted=False)
        record_event(webservice.tool, by=by, action="webservice.stopped", summary="", at=at)
    wake(webservice, now=at)


def configure(
    tool: Tool,
    *,
    by: User,
    at: datetime,
    replicas: int | None = None,
    health_check_path: str | None = None,
) -> Webservice:
    """Change how many replicas run, at once, or the health check, from the next start on."""
    webservice = webservice_of(tool, at=at)
    before = {"replicas": webservice.replicas, "health_check_path": webservice.health_check_path}
    webservice.replicas = webservice.replicas if replicas is None else replicas
    webservice.health_check_path = health_check_path or webservice.health_check_path
    most = settings.REPLICAS_AT_MOST
    if not 1 <= webservice.replicas <= most:
        raise DeployRefused(_("Choose from 1 to %(most)d replicas.") % {"most": most})
    try:
        webservice.clean_fields(exclude=["tool"])
    except ValidationError as error:
        why = " ".join(error.messages)
        raise DeployRefused(_("Health check: %(why)s") % {"why": why}) from error
    after = {"replicas": webservice.replicas, "health_check_path": webservice.health_check_path}
    with transaction.atomic():
        Webservice.objects.filter(pk=webservice.pk).update(**after)
        record_event(
            tool,
            by=by,
            action="webservice.configured",
            summary="",
            before=before,
            after=after,
            at=at,
        )
    webservice.refresh_from_db()
    wake(webservice, now=at)
    return webservice
