"""What two releases differ in: image, commit, configuration, and which variables changed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.template.defaultfilters import filesizeformat
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from portal.tools.models import Tool
from portal.tools.operations import Variable, variables_for
from portal.webservices.models import Release
from portal.webservices.states import ReleaseStatus

SALT = "portal.webservices.comparison"
LENGTH = 16
VARIABLES = "variables."


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it was. Empty means that it was not there, or is not any more."""

    field: str
    label: str
    before: str
    after: str


def fingerprints(variables: Iterable[Variable]) -> dict[str, str]:
    """Tells whether a value changed, and nothing of the value to who lacks the portal's key."""
    return {each.name: _fingerprint(each) for each in variables}


def _fingerprint(variable: Variable) -> str:
    text = f"{variable.name}={variable.value}".encode("utf-8", "surrogatepass")
    return salted_hmac(SALT, text, algorithm="sha256").hexdigest()[:LENGTH]


def differences(before: Release | None, after: Release) -> list[Difference]:
    """All that changed from one release to another; everything, when there is none before."""
    old, new = _facts(before) if before else {}, _facts(after)
    changed = [
        Difference(field, label, old[field][1] if field in old else "", text)
        for field, (label, text) in new.items()
        if field not in old or old[field][1] != text
    ]
    return changed + variable_differences(before.variables if before else {}, after.variables)


def _facts(release: Release) -> dict[str, tuple[str, str]]:
    build = release.image.build
    return {
        "image": (_("Image"), release.image.digest),
        "build": (_("Build"), str(build.number)),
        "commit": (_("Commit"), build.commit),
        "process_type": (_("Process"), release.process_type),
        **shown_configuration(release.configuration),
    }


def shown_configuration(configuration: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """{what: (label, value)} in words."""
    memory, processors = configuration["memory_bytes"], configuration["cpu_millis"] / 1000
    return {
        "replicas": (_("Replicas"), str(configuration["replicas"])),
        "max_replicas": (_("Most replicas"), str(configuration["max_replicas"] or _("the same"))),
        "health_check_path": (_("Health check path"), configuration["health_check_path"]),
        "memory_bytes": (_("Memory of a replica"), filesizeformat(memory)),
        "cpu_millis": (_("Processors of a replica"), f"{processors:g}"),
    }


def variable_differences(before: Mapping[str, str], after: Mapping[str, str]) -> list[Difference]:
    """Names only, and whether they came, went or got another value."""
    label = _("Variable")
    words = {name: (_("set"), _("set")) for name in before.keys() & after.keys()}
    words |= {name: (_("set"), _("set to another value")) for name in words}
    words |= {name: ("", _("set")) for name in after.keys() - before.keys()}
    words |= {name: (_("set"), "") for name in before.keys() - after.keys()}
    return [
        Difference(f"{VARIABLES}{name}", f"{label} {name}", *words[name])
        for name in sorted(words)
        if before.get(name) != after.get(name)
    ]


def pending(live: Release | None, now: Mapping[str, str]) -> list[str]:
    """The variables that changed since a release was made; it gets them when it is restarted."""
    changed = variable_differences(live.variables, now) if live else []
    return [each.field.removeprefix(VARIABLES) for each in changed]


def pending_of(tool: Tool) -> list[str]:
    """The variables that the tool's live release does not run with yet; empty if none is live."""
    live = Release.objects.filter(webservice__tool=tool, status=ReleaseStatus.LIVE).first()
    return pending(live, fingerprints(variables_for(tool, phase="run"))) if live else []
