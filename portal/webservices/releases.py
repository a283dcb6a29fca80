"""Rows for new releases: what a deploy, a restart and an automatic deploy have in common."""

from datetime import datetime

from django.db import transaction
from django.db.models import F, QuerySet

from builds.models import Build, Image
from builds.states import Status as BuildStatus
from portal.accounts.models import User
from portal.tools.models import Tool
from portal.tools.operations import record_event
from portal.webservices.models import Release, Webservice
from portal.webservices.states import Reason, ReleaseStatus, Status


def webservice_of(tool: Tool, *, at: datetime) -> Webservice:
    """The tool's webservice; its row is made when it is first asked for."""
    webservice, _is_new = Webservice.objects.get_or_create(
        tool=tool, defaults={"status": Status.STOPPED, "created_at": at}
    )
    return webservice


def make_release(
    image: Image, *, process_type: str, by: User | None, note: str, at: datetime
) -> Release:
    """The tool's next release; one that was still starting is given up for it."""
    webservice = webservice_of(image.tool, at=at)
    with transaction.atomic():
        # Updating the counter first makes concurrent deploys of one tool wait for each other.
        Webservice.objects.filter(pk=webservice.pk).update(
            last_release_number=F("last_release_number") + 1, is_wanted=True, next_look_at=at
        )
        webservice.refresh_from_db()
        for earlier in webservice.releases.filter(status=ReleaseStatus.STARTING):
            earlier.move_to(ReleaseStatus.RETIRED, at=at, reason_code=Reason.REPLACED, ended_at=at)
        release = webservice.releases.create(
            number=webservice.last_release_number,
            status=ReleaseStatus.STARTING,
            image=image,
            process_type=process_type,
            note=note,
            actor=by,
            created_at=at,
        )
        record_event(
            image.tool, by=by, action="webservice.released", summary=f"{release}: {note}", at=at
        )
    return release


def builds_to_deploy(
    *, finished_after: datetime, finished_before: datetime
) -> QuerySet[Build, Build]:
    """Builds that were to be deployed and have no release yet."""
    return Build.objects.filter(
        deploy_when_built=True,
        status=BuildStatus.SUCCEEDED,
        finished_at__range=(finished_after, finished_before),
        image__releases=None,
        image__removed_at=None,
    ).exclude(image__default_process="")
