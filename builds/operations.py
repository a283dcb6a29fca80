"""What people and programs may ask of builds; HTML and REST call these."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlsplit

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.utils.translation import gettext as _

from builds.lifecycle.source import (
    SourceRefused,
    SourceRules,
    check_ref,
    check_source_url,
    check_subdirectory,
)
from builds.models import Build, Image
from builds.states import FINAL, Reason, Status
from builds.tasks import wake
from builds.usage import excess
from portal.accounts.models import User
from portal.refusals import Refused
from portal.tools.models import Tool
from portal.tools.operations import (
    ToolRefused,
    check_variable,
    record_event,
    secret_in,
    shows_secret,
)

KEY_LENGTH = 100


class BuildRefused(Refused):
    """Something about a build is not done."""


class IdempotencyConflict(BuildRefused):
    """The key was used before, for something else."""


@dataclass(frozen=True)
class Source:
    """What is to be built: a repository, a branch, tag or commit of it, and a directory in it.

    With a `commit` it is that one, wherever the ref leads by the time of the build.
    """

    url: str
    ref: str = ""
    subdirectory: str = ""
    commit: str = ""


def source_rules() -> SourceRules:
    return SourceRules(
        allowed_hosts=tuple(settings.GIT_HOSTS),
        trusted_prefixes=tuple(settings.GIT_TRUSTED_PREFIXES),
    )


def check_source(source: Source) -> Source:
    """The source, tidied; raises BuildRefused with the field that is wrong."""
    checks: dict[str, Callable[[], str]] = {
        "source_url": lambda: check_source_url(source.url.strip(), rules=source_rules()),
        "ref": lambda: check_ref(source.ref.strip()),
        "subdirectory": lambda: check_subdirectory(source.subdirectory.strip()),
    }
    checked = {}
    for field, check in checks.items():
        try:
            checked[field] = check()
        except SourceRefused as refusal:
            raise BuildRefused(str(refusal), field=field) from refusal
    return replace(
        source,
        url=checked["source_url"],
        ref=checked["ref"],
        subdirectory=checked["subdirectory"],
    )


def _refuse_secrets(tool: Tool, source: Source) -> None:
    """The source is shown to others and handed on to git, which tells it the other side."""
    for field, text in (
        ("source_url", source.url),
        ("ref", source.ref),
        ("subdirectory", source.subdirectory),
    ):
        if name := secret_in(tool, text):
            raise BuildRefused(shows_secret(name), field=field)
    parts = urlsplit(source.url)
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise BuildRefused(
            _("Leave out user name, password and what follows ? or # in the address."),
            field="source_url",
        )


def start_build(
    tool: Tool,
    *,
    by: User | None,
    source: Source,
    at: datetime,
    deploy: bool = False,
    trigger: str = Build.Trigger.PERSON,
    key: str = "",
    variables: Mapping[str, str] | None = None,
) -> tuple[Build, bool]:
    """A new build, or the one that is under way for the same source or was started with `key`.

    `by` None is the platform itself; `variables` are for this build alone. The second value tells
    whether it is new. Raises BuildRefused.
    """
    if tool.status != Tool.Status.ACTIVE:
        raise BuildRefused(_("This tool is not active, so it cannot be built."))
    source = check_source(source)
    _refuse_secrets(tool, source)
    variables = _checked(variables or {})
    try:
        with transaction.atomic():
            build = _same_order(tool, source, key, variables) or _place_order(
                tool,
                by=by,
                source=source,
                at=at,
                deploy=deploy,
                trigger=trigger,
                key=key,
                variables=variables,
            )
    except IntegrityError:
        # Another request placed the same order a moment ago, and the database let only one in.
        existing = _same_order(tool, source, key, variables)
        if existing is None:
            raise
        build = existing
    if deploy and not build.deploy_when_built:
        Build.objects.filter(pk=build.pk).update(deploy_when_built=True)
        build.deploy_when_built = True
    return build, build.created_at == at


def _checked(variables: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in variables.items():
        try:
            check_variable(name, value)
        except ToolRefused as refused:
            raise BuildRefused(f"{name}: {refused}", field="variables") from refused
    return variables


def _same_order(tool: Tool, source: Source, key: str, variables: Mapping[str, str]) -> Build | None:
    if key:
        build = tool.builds.filter(idempotency_key=key).first()
        if build and not _is_same(build, source, variables):
            raise IdempotencyConflict(
                _("This Idempotency-Key was used for another build. Use a new one for each order.")
            )
        if build:
            return build
    build = (
        tool.builds.under_way()
        .filter(
            source_url=source.url,
            ref=source.ref,
            subdirectory=source.subdirectory,
            wanted_commit=source.commit,
            stop_as="",
        )
        .first()
    )
    if build and not _is_same(build, source, variables):
        raise BuildRefused(
            _(
                "A build of this source with other variables is under way. Wait until it ends, or "
                "cancel it."
            )
        )
    return build


def _is_same(build: Build, source: Source, variables: Mapping[str, str]) -> bool:
    return _source_of(build) == source and build.own_variables == variables


def _source_of(build: Build) -> Source:
    return Source(build.source_url, build.ref, build.subdirectory, build.wanted_commit)


def _place_order(
    tool: Tool,
    *,
    by: User | None,
    source: Source,
    at: datetime,
    deploy: bool,
    trigger: str,
    key: str,
    variables: Mapping[str, str],
) -> Build:
    if too_much := excess(tool, now=at):
        raise BuildRefused(too_much)
    # Updating the counter first makes concurrent orders of one tool wait for each other.
    Tool.objects.filter(pk=tool.pk).update(last_build_number=F("last_build_number") + 1)
    tool.refresh_from_db(fields=["last_build_number", "cluster"])
    build = Build(
        tool=tool,
        number=tool.last_build_number,
        status=Status.QUEUED,
        source_url=source.url,
        ref=source.ref,
        subdirectory=source.subdirectory,
        wanted_commit=source.commit,
        actor=by,
        trigger=trigger,
        deploy_when_built=deploy,
        idempotency_key=key[:KEY_LENGTH] or None,
        created_at=at,
        next_look_at=at,
    )
    build.own_variables = variables
    build.save(force_insert=True)
    record_event(tool, by=by, action="build.started", summary=build.name, at=at)
    wake([build.pk], now=at)
    return build


def cancel_build(build: Build, *, by: User, at: datetime) -> None:
    """Ask for the end of a build; it is cancelled once its processes are gone.

    Asking again changes nothing. Raises BuildRefused when the build has ended.
    """
    asked = build.ask_to_stop(
        Status.CANCELLED,
        reason_code=Reason.CANCELLED,
        reason=_("Cancelled by %(user)s.") % {"user": by},
        at=at,
        by=by,
    )
    if asked:
        record_event(build.tool, by=by, action="build.cancel-asked", summary=build.name, at=at)
        wake([build.pk], now=at)
        return
    build.refresh_from_db(fields=["status"])
    if build.status in FINAL:
        raise BuildRefused(_("This build has ended already; there is nothing to cancel."))


def hide_build(build: Build, *, by: User, at: datetime) -> None:
    """Have Toolforge's API leave it out, end it if it is under way, and give up its image.

    The build stays in the tool's history.
    """
    with transaction.atomic():
        Build.objects.filter(pk=build.pk).update(is_hidden=True)
        record_event(build.tool, by=by, action="build.hidden", summary=build.name, at=at)
        give_up_images(build.tool, Image.objects.filter(build=build), by=by, at=at)
    if not build.is_final and not build.stop_as:
        cancel_build(build, by=by, at=at)


def give_up_images(tool: Tool, images: QuerySet[Image], *, by: User, at: datetime) -> int:
    """Have these images deleted as soon as no release needs them; how many that are."""
    with transaction.atomic():
        given_up = images.filter(tool=tool, removed_at=None, is_unwanted=False)
        names = [str(image) for image in given_up.select_related("build__tool")]
        given_up.update(is_unwanted=True)
        if names:
            summary = ", ".join(names)
            record_event(tool, by=by, action="images.given-up", summary=summary, at=at)
    return len(names)
