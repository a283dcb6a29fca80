"""Rows for new releases: what a deploy, a restart, a rollback and a build have in common."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet

from builds.models import Build, Image
from builds.states import Status as BuildStatus
from portal.accounts.models import User
from portal.tools.models import Tool
from portal.tools.operations import record_event, variables_for
from portal.webservices.comparison import fingerprints
from portal.webservices.models import Release, Webservice
from portal.webservices.states import Cause, Reason, ReleaseStatus, Status
from portal.webservices.usage import excess


class ImageGone(Exception):
    """The image was deleted to make room."""


class OverQuota(Exception):
    """In words: it would need more than the tool may use."""


def webservice_of(tool: Tool, *, at: datetime) -> Webservice:
    """The tool's webservice; its row is made when it is first asked for."""
    webservice, _is_new = Webservice.objects.get_or_create(
        tool=tool, defaults={"status": Status.STOPPED, "created_at": at}
    )
    return webservice


def make_release(
    image: Image,
    *,
    process_type: str,
    by: User | None,
    note: str,
    at: datetime,
    cause: Cause = Cause.DEPLOYED,
    configuration: Mapping[str, Any] | None = None,
    rolled_back_to: int | None = None,
) -> Release:
    """The tool's next release; one that was still starting is given up for it.

    It runs as the webservice is configured, or as `configuration` says, which then is what the
    webservice is configured to. Raises ImageGone or OverQuota.
    """
    webservice = webservice_of(image.tool, at=at)
    with transaction.atomic():
        # Updating the counter first makes concurrent deploys of one tool wait for each other, and
        # for a clean-up that is choosing images to delete.
        Webservice.objects.filter(pk=webservice.pk).update(
            last_release_number=F("last_release_number") + 1,
            is_wanted=True,
            next_look_at=at,
            **(configuration or {}),
        )
        if not Image.objects.filter(pk=image.pk, removed_at=None).exists():
            raise ImageGone
        webservice.refresh_from_db()
        if too_much := excess(image.tool, webservice.configuration):
            raise OverQuota(too_much)
        for earlier in webservice.releases.filter(status=ReleaseStatus.STARTING):
            earlier.move_to(ReleaseStatus.RETIRED, at=at, reason_code=Reason.REPLACED, ended_at=at)
        release = webservice.releases.create(
            number=webservice.last_release_number,
            status=ReleaseStatus.STARTING,
            image=image,
            process_type=process_type,
            variables=fingerprints(variables_for(image.tool, phase="run")),
            cause=cause,
            rolled_back_to=rolled_back_to,
            is_pinned=rolled_back_to is not None,
            note=note,
            actor=by,
            created_at=at,
            **webservice.configuration,
        )
        _record(release, by=by, at=at)
    return release


def _record(release: Release, *, by: User | None, at: datetime) -> None:
    after = {
        "image": release.image.digest,
        "process_type": release.process_type,
        **release.configuration,
        "variables": sorted(release.variables),
    }
    record_event(
        release.image.tool,
        by=by,
        action="webservice.released",
        summary=f"{release}: {release.note}",
        after=after,
        at=at,
    )


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
