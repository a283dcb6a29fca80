"""Engines that do what a test tells them to: everything above them stays real."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from builds.engines.base import BuiltImage, EngineError, Observation, Output, Pace, Phase, Step
from portal.webservices.engines.base import Phase as ReplicaPhase
from portal.webservices.engines.base import Probe, ReplicaObservation

AT = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
DIGEST = "sha256:" + "d" * 64
IMAGE = BuiltImage(
    digest=DIGEST,
    reference="oci:hat-1",
    size=1000,
    processes={"web": ("serve",)},
    default_process="web",
    buildpacks=("portal/static@0.1.0",),
)


@dataclass
class ScriptedBuilds:
    """A BuildEngine whose builds stand where the test puts them."""

    builds: dict = field(default_factory=dict)
    output: dict = field(default_factory=dict)
    submitted: list = field(default_factory=list)
    removes_slowly: bool = False
    # Raised by `submit` while it is set.
    refusal: EngineError | None = None
    pace: ClassVar = Pace(timedelta(milliseconds=50), timedelta(milliseconds=250))
    output_limit: int | None = None

    def submit(self, order):
        if self.refusal:
            raise self.refusal
        self.submitted.append(order)
        self.builds.setdefault(order.name, Observation(Phase.RUNNING))

    def observe(self, order):
        return self.builds.get(order.name, Observation(Phase.MISSING))

    def logs(self, order, *, since, limit):
        return Output(self.output.get(order.name, b"")[since : since + limit])

    def remove(self, order):
        if not self.removes_slowly:
            self.builds.pop(order.name, None)
        return order.name not in self.builds

    def succeed(self, name):
        step = Step("clone", AT, AT, True)
        self.builds[name] = Observation(
            Phase.SUCCEEDED, steps=(step,), commit="c" * 40, image=IMAGE
        )


@dataclass
class ScriptedReplicas:
    """A WebserviceEngine whose replicas get healthy when the test says so."""

    replicas: dict = field(default_factory=dict)
    routes: dict = field(default_factory=dict)
    orders: dict = field(default_factory=dict)
    becomes: ReplicaPhase = ReplicaPhase.HEALTHY
    fails_to_stop: bool = False

    def submit(self, order):
        self.orders[order.name] = order
        self.replicas.setdefault(order.name, ReplicaObservation(ReplicaPhase.STARTING, AT))

    def observe(self, order):
        seen = self.replicas.get(order.name)
        if seen and seen.phase is ReplicaPhase.STARTING and not seen.restarts:
            ok = self.becomes is ReplicaPhase.HEALTHY
            probe = Probe(AT, ok, "HTTP 200" if ok else "nothing listens on port 1")
            self.replicas[order.name] = ReplicaObservation(self.becomes, AT, probe=probe)
        return seen or ReplicaObservation(ReplicaPhase.MISSING)

    def logs(self, order, *, since, limit):
        data = f"output of {order.name}\n".encode() * (order.name in self.replicas)
        start = max(0, len(data) + since) if since < 0 else since
        return data[start : start + limit], start

    def remove(self, order):
        if not self.fails_to_stop:
            self.replicas.pop(order.name, None)

    def route(self, routes):
        self.routes = dict(routes)
