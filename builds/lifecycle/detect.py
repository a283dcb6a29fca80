"""The detect phase: the first group whose buildpacks say that they can build the source."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from builds.lifecycle.buildpack import Buildpack, Group, Member, Target
from builds.lifecycle.environment import for_buildpack
from builds.lifecycle.errors import DETECT_ERROR, NOTHING_DETECTED, LifecycleError
from builds.lifecycle.execution import Executor
from builds.lifecycle.layout import Layout, escaped
from builds.lifecycle.plan import Candidate, InvalidPlan, Offer, Plan, read_offers, resolve
from builds.lifecycle.toml import UnreadableToml, read_toml

PASS, FAIL, ERROR = 0, 100, -1
OUTPUT_LIMIT = 64 * 1024


@dataclass(frozen=True)
class Settings:
    """What is the same for all buildpacks of a build."""

    target: Target
    base: Mapping[str, str]
    user: Mapping[str, str] = field(default_factory=dict)
    operator: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What one bin/detect said."""

    status: int
    offers: tuple[Offer, ...] = (Offer(),)
    output: str = ""


@dataclass(frozen=True)
class Detected:
    buildpacks: tuple[Buildpack, ...]
    plan: Plan


class Detector:
    """Tries groups in order; runs each buildpack's bin/detect once."""

    def __init__(self, layout: Layout, settings: Settings, *, execute: Executor) -> None:
        self._layout = layout
        self._settings = settings
        self._execute = execute
        self._outcomes: dict[str, Outcome] = {}

    def detect(self, order: Sequence[Group]) -> Detected:
        """Raises LifecycleError with what each buildpack said when no group fits."""
        had_error = False
        for group in order:
            outcomes = [(each, self._outcome(each.buildpack)) for each in _first_of_each(group)]
            if not _is_complete(outcomes):
                had_error |= any(o.status not in (PASS, FAIL) for _m, o in outcomes)
            elif detected := self._resolved([each for each in outcomes if each[1].status == PASS]):
                return detected
        raise LifecycleError(DETECT_ERROR if had_error else NOTHING_DETECTED, self._explanation())

    def _resolved(self, passed: Sequence[tuple[Member, Outcome]]) -> Detected | None:
        plan = resolve([Candidate(str(m.buildpack), o.offers, m.is_optional) for m, o in passed])
        if plan is None:
            return None
        chosen = tuple(m.buildpack for m, _o in passed if str(m.buildpack) in plan.keys)
        return Detected(chosen, plan)

    def _outcome(self, buildpack: Buildpack) -> Outcome:
        key = str(buildpack)
        if key not in self._outcomes:
            self._outcomes[key] = self._run(buildpack)
        return self._outcomes[key]

    def _run(self, buildpack: Buildpack) -> Outcome:
        if not buildpack.fits(self._settings.target):
            return Outcome(ERROR, output="it does not support this platform")
        plan = self._layout.plans / f"detect-{escaped(buildpack.id)}.toml"
        plan.write_bytes(b"")
        plan.chmod(0o666)
        seen = self._layout.seen(plan)
        inside = self._layout.inside
        env = for_buildpack(
            buildpack,
            inside,
            base=self._settings.base,
            user=self._settings.user,
            operator=self._settings.operator,
            target=self._settings.target,
        )
        env["CNB_BUILD_PLAN_PATH"] = seen
        output = io.BytesIO()
        argv = [f"{buildpack.seen(inside)}/bin/detect", inside.platform, seen]
        try:
            status = self._execute(
                argv, cwd=inside.workspace, env=env, network=False, output=output
            )
            offers = read_offers(read_toml(plan)) if status == PASS else (Offer(),)
        except (LifecycleError, UnreadableToml, InvalidPlan) as error:
            return Outcome(ERROR, output=str(error))
        text = output.getvalue()[:OUTPUT_LIMIT].decode("utf-8", "replace").strip()
        return Outcome(status, offers, text)

    def _explanation(self) -> str:
        """What a maintainer can do about it, from what the buildpacks said."""
        said = [
            f"{key}: {outcome.output or f'bin/detect ended with {outcome.status}'}"
            for key, outcome in self._outcomes.items()
            if outcome.status not in (PASS, FAIL) or outcome.output
        ]
        text = "No buildpack can build this source."
        return "\n".join([text, *said])


def _is_complete(outcomes: Sequence[tuple[Member, Outcome]]) -> bool:
    """Whether all that have to pass do, and at least one does."""
    missing = any(o.status != PASS and not m.is_optional for m, o in outcomes)
    return not missing and any(o.status == PASS for _m, o in outcomes)


def _first_of_each(group: Group) -> list[Member]:
    """A buildpack that stands twice in a group counts once, whatever its version."""
    members: dict[str, Member] = {}
    for member in group:
        members.setdefault(member.buildpack.id, member)
    return list(members.values())
