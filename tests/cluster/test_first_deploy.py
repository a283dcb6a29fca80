"""From a Git URL to a page behind the ingress, on a real cluster, as the portal's own account."""

import threading
import time
from datetime import timedelta

import httpx
import pytest
from django.utils import timezone

from builds import logs
from builds.following import Following
from builds.models import Build, Image
from builds.operations import Source, cancel_build, start_build
from builds.reconcile import reconcile as reconcile_build
from builds.states import Reason
from builds.states import Status as BuildStatus
from builds.tasks import engine_of
from portal.clusters.checking import check
from portal.clusters.connections import connect
from portal.clusters.models import RegistryPlace, RegistryState, Relocation
from portal.clusters.operations import add_cluster
from portal.clusters.places import mark_places
from portal.clusters.registries import look as look_at_registry
from portal.clusters.states import RelocationStatus
from portal.tools.models import Tool
from portal.tools.operations import register_tool, set_variable
from portal.webservices import operations, rollout
from portal.webservices.models import Webservice
from portal.webservices.moving import cancel_move, start_move
from portal.webservices.registries import keep_place
from portal.webservices.states import Status
from tests.cluster import ingress, metrics
from tests.cluster.cable import Cable
from tests.cluster.node import trust
from tests.cluster.operator import DOMAIN, fields_of, images_of, let_in
from tests.cluster.simulated import start_simulation
from tests.git_server import GitServer
from tests.webservices.places import Worker

pytestmark = [pytest.mark.cluster, pytest.mark.django_db]
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"


@pytest.fixture(scope="module")
def account(lab):
    return let_in(lab)


@pytest.fixture
def cluster(lab, account, ada, settings):
    # The machine of a test is busy.
    settings.WEBSERVICE_START_LIMIT = 240
    return add_cluster(
        name="tools",
        by=ada,
        at=timezone.now(),
        is_default=True,
        kubeconfig=str(account),
        **fields_of(lab),
    )


@pytest.fixture(scope="module")
def forge(lab, tmp_path_factory):
    with GitServer(tmp_path_factory.mktemp("forge"), lab.host) as server:
        yield server


@pytest.fixture
def source(forge, settings):
    settings.GIT_TRUSTED_PREFIXES = [forge.url]

    def commit(name, **files):
        files = {path.replace("_", "."): text for path, text in files.items()}
        url, _commit = forge.repository(name, files)
        return Source(url)

    return commit


@pytest.fixture
def tool(lab, cluster, alice):
    made = []

    def register(name):
        tool = register_tool(name, by=alice, at=timezone.now(), title=name.title())
        made.append(name)
        return tool

    yield register
    gone = ("--ignore-not-found", "--wait=false")
    for name in made:
        lab.kubectl("delete", "namespace", f"tool-{name}", f"build-{name}", *gone)


def follow(build, *, until, seconds=500):
    """Look at a build as the worker does, until something holds of it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        build = Build.objects.select_related("tool__cluster").get(pk=build.pk)
        pause = reconcile_build(build, engine=engine_of(build), now=timezone.now())
        build.refresh_from_db()
        if until(build):
            return build
        time.sleep(min(1.0, (pause or timedelta(0)).total_seconds()))
    raise AssertionError(f"{build} {build.status} {build.reason}\n{output(build)}")


def is_over(build):
    return build.is_final


def output(build):
    return logs.read(build, offset=0, limit=100_000).decode()


def serve(tool, *, until, seconds=400):
    """Look at a webservice as the worker does, until something holds of it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        webservice = Webservice.objects.select_related("tool__cluster").get(tool=tool)
        pause = rollout.reconcile(webservice, cluster=webservice.tool.cluster, now=timezone.now())
        webservice.refresh_from_db()
        if until(webservice):
            return webservice
        time.sleep(min(1.0, (pause or timedelta(0)).total_seconds()))
    releases = [(str(each), each.status, each.reason) for each in webservice.releases.all()]
    raise AssertionError(f"{webservice.status} {webservice.reason} {releases}")


def is_live(number):
    return lambda webservice: webservice.live and webservice.live.number == number


def build_and_deploy(tool, source, alice):
    build, _is_new = start_build(tool, by=alice, source=source, at=timezone.now())
    build = follow(build, until=is_over)
    assert build.status == BuildStatus.SUCCEEDED, f"{build.reason}\n{output(build)}"
    release = operations.deploy(build.image, by=alice, at=timezone.now())
    return build, release


def page(lab, name):
    """What a browser gets, once the ingress controller has taken note."""
    for _number in range(60):
        answer = lab.visit(f"{name}.{DOMAIN}")
        if answer.is_success:
            return answer.text
        time.sleep(0.5)
    raise AssertionError(f"{answer.status_code} {answer.text}")


class Visitor(threading.Thread):
    """Asks for a page again and again, and remembers what went wrong."""

    def __init__(self, lab, name):
        super().__init__()
        self.lab, self.name = lab, name
        self.pages, self.failures, self.stopping = [], [], threading.Event()

    def run(self):
        while not self.stopping.wait(0.05):
            try:
                answer = self.lab.visit(f"{self.name}.{DOMAIN}")
            except httpx.HTTPError as error:
                self.failures.append(repr(error))
                continue
            if answer.is_success:
                self.pages.append(answer.text)
            else:
                self.failures.append(f"{answer.status_code} {answer.text[:100]}")

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_exception):
        self.stopping.set()
        self.join()


def test_the_portal_may_do_what_it_needs_and_nothing_else(lab, cluster):
    check(cluster, connect(cluster), now=timezone.now())
    assert cluster.is_reachable, cluster.trouble
    assert cluster.missing_rights == []
    installed = {
        each["name"]: each["version"] for each in cluster.components if each["is_installed"]
    }
    assert installed["Tekton Pipelines"]
    assert any(name.startswith(f"Ingress {ingress.CLASS}") for name in installed)
    account = ("auth", "can-i", "--list", "--as=system:serviceaccount:portal:portal")
    allowed = {line.split()[0] for line in lab.kubectl(*account).splitlines()[1:] if line.strip()}
    assert "deployments.apps" in allowed
    assert not {"*.*", "nodes", "clusterroles.rbac.authorization.k8s.io"} & allowed


def test_a_first_deploy_a_new_release_under_load_and_a_rollback(lab, tool, source, alice):
    hat = tool("hat")
    set_variable(hat, name="COLOUR", value="red", by=alice, at=timezone.now(), for_build=True)
    first, _release = build_and_deploy(hat, source("hat", index_html="<h1>First</h1>"), alice)
    assert len(first.commit) == 40
    assert first.image.reference.startswith(f"{lab.registry}/tool-hat/hat@sha256:")
    assert [step["name"] for step in first.steps][:5] == [
        "clone", "analyze", "detect", "restore", "build",
    ]  # fmt: skip
    webservice = serve(hat, until=is_live(1))
    assert webservice.status == Status.RUNNING
    assert "First" in page(lab, "hat")
    operations.configure(hat, by=alice, at=timezone.now(), replicas=2)
    serve(hat, until=is_live(2))

    with Visitor(lab, "hat") as visitor:
        build_and_deploy(hat, source("hat", index_html="<h1>Second</h1>"), alice)
        serve(hat, until=is_live(3))
        time.sleep(8)
    assert visitor.failures == []
    assert "First" in visitor.pages[0]
    assert "Second" in visitor.pages[-1]

    operations.deploy(first.image, by=alice, at=timezone.now())
    serve(hat, until=is_live(4))
    time.sleep(8)
    assert "First" in page(lab, "hat")

    mark_places(now=timezone.now())
    Tool.objects.filter(pk=hat.pk).update(status=Tool.Status.ARCHIVED)
    serve(hat, until=lambda seen: seen.status == Status.STOPPED)
    assert pulled(first.image) == 200
    leave_registry(hat)
    assert pulled(first.image) == 404


def pulled(image):
    """What the registry answers to who wants the image."""
    repository, _, digest = image.reference.partition("/")[2].partition("@")
    host = image.reference.partition("/")[0]
    headers = {"Accept": "application/vnd.oci.image.manifest.v1+json, " + DOCKER}
    address = f"http://{host}/v2/{repository}/manifests/{digest}"
    return httpx.head(address, headers=headers, trust_env=False).status_code


def leave_registry(tool):
    """As the worker does when the grace of an archived tool is over."""
    mark_places(now=timezone.now())
    later = timezone.now() + timedelta(days=30)
    RegistryPlace.objects.filter(tool=tool).update(next_look_at=later)
    place = RegistryPlace.objects.select_related("cluster", "tool").get(tool=tool)
    keep_place(place, now=later)
    assert not RegistryPlace.objects.filter(tool=tool).exists(), place.trouble


def test_a_release_that_crashes_leaves_the_old_one_serving(lab, tool, source, alice):
    cap = tool("cap")
    build_and_deploy(cap, source("cap", index_html="<h1>Good</h1>"), alice)
    serve(cap, until=is_live(1))
    assert "Good" in page(lab, "cap")
    bad = source("cap", index_html="<h1>Bad</h1>", Procfile="web: python3 -c 'print(1/0)'\n")
    build_and_deploy(cap, bad, alice)
    webservice = serve(cap, until=lambda seen: seen.failed)
    assert webservice.failed.reason_code == "crashed"
    assert "ZeroDivisionError" in webservice.failed.log_tail
    serve(cap, until=lambda seen: seen.status == Status.RUNNING)
    assert "Good" in page(lab, "cap")


BURN = """
import os, threading
from http.server import HTTPServer, SimpleHTTPRequestHandler
server = HTTPServer((os.environ["HOST"], int(os.environ["PORT"])), SimpleHTTPRequestHandler)
threading.Thread(target=server.serve_forever).start()
while True:
    pass
"""


def test_busy_replicas_get_company(lab, tool, source, alice):
    kiln = tool("kiln")
    operations.configure(kiln, by=alice, at=timezone.now(), cpu_millis=200, max_replicas=3)
    code = source("kiln", index_html="Hot", burn_py=BURN, Procfile="web: python3 burn.py\n")
    build_and_deploy(kiln, code, alice)
    # Before anybody measures, the cluster says so.
    webservice = serve(kiln, until=lambda seen: is_live(1)(seen) and seen.scaling)
    assert "metrics" in webservice.scaling
    metrics.install(lab)
    webservice = serve(kiln, until=lambda seen: seen.live.processes.count() == 3)
    webservice = serve(kiln, until=lambda seen: not seen.scaling)
    assert webservice.status == Status.RUNNING
    operations.configure(kiln, by=alice, at=timezone.now(), max_replicas=0)
    serve(kiln, until=lambda seen: is_live(2)(seen) and running(lab, "kiln") == 1)
    assert lab.get("hpa", "-n", "tool-kiln")["items"] == []
    operations.stop(webservice, by=alice, at=timezone.now())
    serve(kiln, until=lambda seen: seen.status == Status.STOPPED)


def running(lab, name):
    return len(lab.get("pods", "-n", f"tool-{name}")["items"])


def test_a_cancel_ends_the_pods(lab, tool, source, alice):
    bonnet = tool("bonnet")
    build, _is_new = start_build(
        bonnet, by=alice, source=source("bonnet", index_html="x"), at=timezone.now()
    )
    build = follow(build, until=lambda seen: seen.steps)
    cancel_build(build, by=alice, at=timezone.now())
    build = follow(build, until=is_over, seconds=60)
    assert build.status == BuildStatus.CANCELLED
    pods = lab.get("pods", "-n", "build-bonnet")["items"]
    assert not [pod for pod in pods if pod["status"]["phase"] in ("Running", "Pending")]


def test_a_build_that_needs_too_much_memory_says_so(lab, tool, source, alice, settings):
    settings.BUILD_MEMORY_BYTES = 48 * 1024**2
    beret = tool("beret")
    build, _is_new = start_build(
        beret,
        by=alice,
        source=source("beret", app_py="print(1)", requirements_txt="flask\n"),
        at=timezone.now(),
    )
    build = follow(build, until=is_over)
    assert build.reason_code == Reason.OUT_OF_MEMORY, f"{build.reason}\n{output(build)}"
    assert "needed more memory" in build.reason


@pytest.mark.django_db(transaction=True)
def test_a_build_that_is_followed_has_the_same_log(tool, cluster, source, alice):
    trilby = tool("trilby")
    procfile = "web: python3 -m http.server\n"
    files = source("trilby", app_py="print(1)", requirements_txt="", Procfile=procfile)
    build, _is_new = start_build(trilby, by=alice, source=files, at=timezone.now())
    following = Following(cluster.pk)
    was_followed = []

    def is_over(build):
        following.tend(is_working=True)
        was_followed.append(build.is_followed)
        return build.is_final

    build = follow(build, until=is_over)
    following.tend(is_working=False)
    assert build.status == BuildStatus.SUCCEEDED, f"{build.reason}\n{output(build)}"
    assert any(was_followed)
    lines = output(build).splitlines()
    printed = [line for line in lines if line.startswith(("Fetching ", "===> ", "Saving "))]
    assert len(printed) == len(set(printed)) > 1, lines


def test_what_is_not_there_is_told_in_words(tool, source, alice):
    fez = tool("fez")
    nothing = Source(source("fez", index_html="x").url.replace("fez", "nothing"))
    build, _is_new = start_build(fez, by=alice, source=nothing, at=timezone.now())
    build = follow(build, until=is_over)
    assert build.reason_code == Reason.SOURCE_NOT_FOUND, output(build)


AWAY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\nConnection: close\r\n\r\naway"


@pytest.fixture
def wire(lab, cluster):
    """The way to the registry, for builds, the node and the portal."""
    host, _colon, port = lab.registry.partition(":")
    wire = Cable(host, int(port), at=lab.host)
    cluster.registry = f"{lab.host}:{wire.port}"
    cluster.save(update_fields=["registry"])
    trust(lab.folder / "registries", cluster.registry)
    yield wire
    wire.close()


def test_a_registry_that_answers_503_stops_what_is_new_and_nothing_else(
    lab, wire, cluster, tool, source, alice
):
    tam = tool("tam")
    build_and_deploy(tam, source("tam", index_html="<h1>First</h1>"), alice)
    serve(tam, until=is_live(1))
    assert "First" in page(lab, "tam")
    second = source("tam", index_html="<h1>Second</h1>")
    # It goes away while the image is written.
    wire.answer(AWAY, cue=b"PATCH /v2/tool-tam/tam/blobs/uploads/")
    build, _is_new = start_build(tam, by=alice, source=second, at=timezone.now())
    build = follow(build, until=is_over)
    assert build.reason_code == Reason.EXPORT_FAILED, output(build)
    assert "start the build again" in build.reason
    assert "503" in output(build)
    state = RegistryState.objects.get(cluster=cluster)
    look_at_registry(state, now=timezone.now())
    assert "503" in state.trouble
    wire.heal()
    look_at_registry(state, now=timezone.now())
    assert state.trouble == ""
    # It goes away before the node has pulled.
    build, _is_new = start_build(tam, by=alice, source=second, at=timezone.now())
    build = follow(build, until=is_over)
    assert build.status == BuildStatus.SUCCEEDED, f"{build.reason}\n{output(build)}"
    wire.answer(AWAY)
    operations.deploy(build.image, by=alice, at=timezone.now())
    waits = "processes__probe_answer__contains"
    serve(tam, until=lambda seen: seen.releases.filter(**{waits: "ImagePull"}).exists())
    assert "First" in page(lab, "tam")
    wire.heal()
    serve(tam, until=is_live(2))
    time.sleep(8)
    assert "Second" in page(lab, "tam")


def test_a_full_project_of_a_harbor_is_told_as_such(lab, wire, tool, source, alice):
    said = (
        b"adding 2.1 MiB of storage resource, which when updated to current usage of 8.3 MiB "
        b"will exceed the configured upper limit of 10.0 MiB."
    )
    body = b'{"errors":[{"code":"DENIED","message":"%s"}]}' % said
    head = b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\n"
    full = head + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    wire.answer(full, cue=b"PATCH /v2/tool-toque/toque/blobs/uploads/")
    code = source("toque", index_html="<h1>Large</h1>")
    build, _is_new = start_build(tool("toque"), by=alice, source=code, at=timezone.now())
    build = follow(build, until=is_over)
    assert build.reason_code == Reason.REGISTRY_FULL, output(build)
    assert "page Quotas" in build.reason


@pytest.fixture(scope="module")
def simulation():
    """Another cluster with an API server of its own; of its pods it is only said that they run."""
    with start_simulation(nodes=2) as simulation:
        yield simulation


@pytest.fixture
def other(simulation, lab, cluster, ada):
    other = add_cluster(
        name="other",
        by=ada,
        at=timezone.now(),
        kubeconfig=str(simulation.kubeconfig),
        tools_url="http://{tool}.other.test/",
        ingress_class="none",
        **images_of(lab),
    )
    for row in (cluster, other):
        check(row, connect(row), now=timezone.now())
        assert row.is_reachable, row.trouble
    return other


def work(until, *, seconds=600):
    """Look at everything as the worker does, until something holds of the last move."""
    worker, end = Worker(), time.monotonic() + seconds
    while time.monotonic() < end:
        worker.now = timezone.now()
        worker.look()
        move = Relocation.objects.first()
        if until(move):
            return move
        time.sleep(0.3)
    raise AssertionError(f"{move} {move.status} {move.waits_for} {move.reason}")


def has(status):
    return lambda move: move.status == status


def ran_in(place, tool, forge, alice, text):
    """Release 1 of the tool, which runs in that cluster as far as it runs anything."""
    Tool.objects.filter(pk=tool.pk).update(cluster=place)
    tool.refresh_from_db()
    url, commit = forge.repository(tool.name, {"index.html": text})
    now = timezone.now()
    build = Build.objects.create(
        tool=tool, number=1, source_url=url, commit=commit, status=BuildStatus.SUCCEEDED,
        created_at=now,
    )  # fmt: skip
    Tool.objects.filter(pk=tool.pk).update(last_build_number=1)
    digest = f"sha256:{'a' * 64}"
    image = Image.objects.create(
        tool=tool, build=build, digest=digest, size=1, processes={"web": ["serve"]},
        reference=f"{place.registry}/tool-{tool.name}/{tool.name}@{digest}",
        default_process="web", created_at=now,
    )  # fmt: skip
    operations.deploy(image, by=alice, at=now)
    return commit


def test_a_tool_moves_from_one_cluster_to_another(
    lab, simulation, cluster, other, tool, forge, alice, ada, settings
):
    settings.GIT_TRUSTED_PREFIXES, settings.MOVE_GRACE_SECONDS = [forge.url], 0
    kepi = tool("kepi")
    commit = ran_in(other, kepi, forge, alice, "<h1>Moved</h1>")
    serve(kepi, until=is_live(1))
    assert simulation.get("deployment", "kepi", "-n", "tool-kepi")["status"]["readyReplicas"] == 1
    start_move(kepi, to=cluster, by=ada, at=timezone.now())
    work(has(RelocationStatus.DEPLOYING))
    kept = simulation.get("deployment", "kepi", "-n", "tool-kepi")["status"]
    assert kept["readyReplicas"] == 1
    move = work(has(RelocationStatus.CLEANING))
    assert "Moved" in page(lab, "kepi")
    assert move.build.commit == commit
    work(has(RelocationStatus.DONE))
    left = simulation.get("namespaces")["items"]
    assert not [each for each in left if each["metadata"]["name"].endswith("-kepi")]
    live = Webservice.objects.get(tool=kepi).live
    assert (live.number, live.place) == (2, cluster)
    assert live.image.reference.startswith(f"{lab.registry}/tool-kepi/kepi@sha256:")


def test_a_move_to_where_nothing_can_be_built_is_cancelled_and_no_visitor_notices(
    lab, simulation, cluster, other, tool, source, alice, ada
):
    cloche = tool("cloche")
    build_and_deploy(cloche, source("cloche", index_html="<h1>Stays</h1>"), alice)
    serve(cloche, until=is_live(1))
    page(lab, "cloche")
    with Visitor(lab, "cloche") as visitor:
        move = start_move(cloche, to=other, by=ada, at=timezone.now())
        work(lambda move: move.build and move.build.status == BuildStatus.RUNNING)
        cancel_move(move, by=ada, at=timezone.now())
        move = work(has(RelocationStatus.CANCELLED))
        work(lambda move: not move.build.next_look_at or move.build.is_final, seconds=120)
    assert visitor.failures == []
    assert visitor.pages
    assert move.build.tool.cluster == cluster
