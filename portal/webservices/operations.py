"""What people and programs may ask of webservices; HTML and REST call these."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from builds.lifecycle.source import SourceRefused, check_ref
from builds.models import Image
from portal.accounts.models import User
from portal.refusals import Refused
from portal.tools.models import Tool
from portal.tools.operations import record_event
from portal.webservices.comparison import shown_configuration
from portal.webservices.engines.probe import Answer
from portal.webservices.models import Release, Replica, Webservice
from portal.webservices.releases import (
    ImageGone,
    NotHere,
    OverQuota,
    elsewhere,
    image_here,
    make_release,
    moving,
    webservice_of,
)
from portal.webservices.states import Cause
from portal.webservices.tasks import check_replicas, wake
from portal.webservices.usage import excess

NOTE_LENGTH = 200


class DeployRefused(Refused):
    """Something about a webservice is not done."""


def deploy(
    image: Image,
    *,
    by: User,
    at: datetime,
    process_type: str = "",
    note: str = "",
    cause: Cause = Cause.DEPLOYED,
    configuration: Mapping[str, Any] | None = None,
    rolled_back_to: int | None = None,
) -> Release:
    """Start a new release of an image; it takes the requests over when it is healthy."""
    _refuse_inactive(image.tool)
    _refuse_moving(image.tool)
    if image.removed_at:
        raise DeployRefused(_image_gone(image))
    process_type = process_type or image.default_process
    if process_type not in image.processes:
        raise DeployRefused(_no_such_process(image, process_type))
    note = note or _("deployed build %(number)d") % {"number": image.build.number}
    try:
        release = make_release(
            image,
            process_type=process_type,
            by=by,
            note=note[:NOTE_LENGTH],
            at=at,
            cause=cause,
            configuration=configuration,
            rolled_back_to=rolled_back_to,
        )
    except ImageGone as gone:
        raise DeployRefused(_image_gone(image)) from gone
    except (NotHere, OverQuota) as why:
        raise DeployRefused(str(why)) from why
    wake(release.webservice, now=at)
    return release


def _refuse_inactive(tool: Tool) -> None:
    if tool.status != Tool.Status.ACTIVE:
        raise DeployRefused(_("This tool is not active, so nothing of it can be run."))


def _refuse_moving(tool: Tool) -> None:
    move = tool.relocations.under_way().first()
    if move:
        raise DeployRefused(moving(move))


def _image_here(image: Image) -> Image:
    here = image_here(image)
    if here is None:
        raise DeployRefused(elsewhere(image))
    return here


def _image_gone(image: Image) -> str:
    return _(
        "The image of build %(number)d was deleted to make room. Build the commit again to "
        "deploy it."
    ) % {"number": image.build.number}


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
    cause, note = (
        (Cause.RESTARTED, _("restarted")) if webservice.is_wanted else (Cause.STARTED, _("started"))
    )
    image = _image_here(last.image)
    return deploy(image, process_type=last.process_type, by=by, at=at, note=note, cause=cause)


def rollback(
    webservice: Webservice, *, to: Release, by: User, at: datetime, why: str = ""
) -> Release:
    """A new release of what an earlier one ran, as it ran it; it pins the image.

    It pauses automatic deploys, which would undo it. Variables are as they are now: their earlier
    values are not kept.
    """
    current = webservice.current().newest
    if current and current.pk == to.pk and webservice.is_wanted:
        raise DeployRefused(
            _("Release %(number)d is what runs now. Choose an earlier one.") % {"number": to.number}
        )
    if to.live_at is None:
        raise DeployRefused(
            _("Release %(number)d never served a request. Choose one that did.")
            % {"number": to.number}
        )
    note = _("rolled back to release %(number)d") % {"number": to.number}
    return deploy(
        _image_here(to.image),
        process_type=to.process_type,
        by=by,
        at=at,
        note=f"{note}: {why}" if why else note,
        cause=Cause.ROLLED_BACK,
        configuration=to.configuration,
        rolled_back_to=to.number,
    )


def check(webservice: Webservice) -> list[tuple[Replica, Answer]]:
    """The health of each replica, asked for now; changes nothing."""
    answers = check_replicas(webservice)
    if answers is None:
        raise DeployRefused(
            _("The cluster asks for the health of this webservice itself; see its last answers.")
        )
    if not answers:
        raise DeployRefused(_("Nothing runs, so there is nothing to ask."))
    return answers


def follow_branch(tool: Tool, branch: str, *, by: User, at: datetime) -> Webservice:
    """Deploy builds of this branch or tag when they succeed, from now on; "" for none."""
    webservice = webservice_of(tool, at=at)
    try:
        branch = check_ref(branch.strip())
    except SourceRefused as refused:
        raise DeployRefused(str(refused)) from refused
    before = webservice.deploy_branch
    if branch == before:
        return webservice
    with transaction.atomic():
        Webservice.objects.filter(pk=webservice.pk).update(deploy_branch=branch, deploys_since=at)
        record_event(
            tool,
            by=by,
            action="webservice.follows",
            summary=branch or "-",
            before={"deploy_branch": before},
            after={"deploy_branch": branch},
            at=at,
        )
    webservice.refresh_from_db()
    return webservice


def resume_deploys(webservice: Webservice, *, by: User, at: datetime) -> None:
    """Let builds that end from now on be deployed again; those of the pause are not."""
    paused = Webservice.objects.filter(pk=webservice.pk).exclude(paused_by=None)
    with transaction.atomic():
        if not paused.update(paused_by=None, deploys_since=at):
            raise DeployRefused(_("Automatic deploys are not paused."))
        record_event(webservice.tool, by=by, action="webservice.resumed", summary="", at=at)


def pin(release: Release, *, is_pinned: bool, by: User, at: datetime) -> Release:
    """Keep the release's image until it is let go, or let it go."""
    if is_pinned and release.image.removed_at:
        raise DeployRefused(_image_gone(release.image))
    action = "release.pinned" if is_pinned else "release.unpinned"
    with transaction.atomic():
        if (
            Release.objects.filter(pk=release.pk)
            .exclude(is_pinned=is_pinned)
            .update(is_pinned=is_pinned)
        ):
            tool = release.webservice.tool
            record_event(tool, by=by, action=action, summary=str(release), at=at)
    release.is_pinned = is_pinned
    return release


def stop(webservice: Webservice, *, by: User, at: datetime) -> None:
    """End all replicas; the webservice answers 503 until it is started again."""
    with transaction.atomic():
        Webservice.objects.filter(pk=webservice.pk).update(is_wanted=False)
        record_event(webservice.tool, by=by, action="webservice.stopped", summary="", at=at)
    wake(webservice, now=at)


def configure(tool: Tool, *, by: User, at: datetime, **changes: Any) -> Webservice:  # noqa: ANN401
    """Change how the webservice runs: what is named in `changes` and is not None.

    While it runs that is a release of the same image, so without a gap; a change of nothing but
    the number of replicas keeps the processes that run.
    """
    webservice = webservice_of(tool, at=at)
    before = webservice.configuration
    for name, value in changes.items():
        if value is not None:
            setattr(webservice, name, value)
    _check_configuration(webservice)
    if (after := webservice.configuration) == before:
        return webservice
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
        _run_as_configured(webservice, before, by=by, at=at)
    webservice.refresh_from_db()
    wake(webservice, now=at)
    return webservice


def _check_configuration(webservice: Webservice) -> None:
    try:
        webservice.clean_fields(exclude=["tool"])
    except ValidationError as error:
        field, sentences = next(iter(error.message_dict.items()))
        label = getattr(webservice._meta.get_field(field), "verbose_name", field)
        raise DeployRefused(f"{str(label).capitalize()}: {' '.join(sentences)}") from error
    if webservice.is_autoscaled:
        _check_autoscaling(webservice)
    if too_much := excess(webservice.tool, webservice.configuration):
        raise DeployRefused(too_much)


def _check_autoscaling(webservice: Webservice) -> None:
    if webservice.tool.cluster is None:
        why = _("Most replicas: the portal's own machine runs a fixed number of them; give 0.")
        raise DeployRefused(why)
    if webservice.max_replicas <= webservice.replicas:
        why = _("Most replicas: more than the %(number)d that always run, or 0 for just these.")
        raise DeployRefused(why % {"number": webservice.replicas})


def _run_as_configured(
    webservice: Webservice, before: Mapping[str, Any], *, by: User, at: datetime
) -> None:
    """Make a release of what runs, or is starting; nothing while the webservice is stopped."""
    current = webservice.current().newest
    if current is None or not webservice.is_wanted:
        return
    old, new = shown_configuration(before), shown_configuration(webservice.configuration)
    changed = [
        f"{label} {old[name][1]} → {text}"
        for name, (label, text) in new.items()
        if text != old[name][1]
    ]
    deploy(
        current.image,
        process_type=current.process_type,
        by=by,
        at=at,
        note=_("configured: %(changes)s") % {"changes": ", ".join(changed)},
        cause=Cause.CONFIGURED,
    )
