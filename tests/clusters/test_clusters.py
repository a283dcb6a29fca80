"""Clusters as records: who may see and change them, and what is remembered of a look."""

from datetime import timedelta

import pytest

from portal.cluster.base import ClusterUnavailable, CredentialsRefused, Right
from portal.cluster.memory import MemoryCluster
from portal.cluster.rights import cluster_role, needed
from portal.cluster.upgrades import REMOVALS, Use, findings, version_of
from portal.clusters.checking import check
from portal.clusters.models import Cluster
from portal.clusters.operations import (
    ClusterRefusedChange,
    add_cluster,
    edit_cluster,
    remove_cluster,
)
from portal.tools.models import AuditEvent, Tool
from portal.tools.operations import register_tool
from tests.clusters.contract import OURS
from tests.clusters.made_up import FIELDS
from tests.conftest import NOW


@pytest.fixture
def memory():
    return MemoryCluster()


@pytest.fixture
def tools(ada):
    return add_cluster(name="tools", by=ada, at=NOW, **FIELDS)


def later(minutes):
    return NOW + timedelta(minutes=minutes)


def test_adding_and_editing_is_remembered(tools, ada):
    edit_cluster(tools, by=ada, at=NOW, target_version="1.37")
    edited, added = AuditEvent.objects.filter(action__startswith="cluster.")[:2]
    assert (added.action, added.summary, added.actor) == ("cluster.added", "tools", ada)
    assert (edited.before, edited.after) == (
        {"target_version": ""},
        {"target_version": "1.37"},
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("registry", "https://registry.example.org"),
        ("registry", "-x"),
        ("tools_url", "https://tools.example.org/{tool}"),
        ("tools_url", "https://{tool}{tool}.example.org/"),
        ("builder", ""),
    ],
)
def test_ugly_values_are_refused_with_their_field(ada, field, value):
    with pytest.raises(ClusterRefusedChange) as refused:
        add_cluster(name="tools", by=ada, at=NOW, **(FIELDS | {field: value}))
    assert refused.value.field == field
    assert not Cluster.objects.exists()


def test_new_tools_are_put_on_the_default_cluster(tools, alice, ada):
    assert register_tool("cap", by=alice, at=NOW, title="Cap").cluster is None
    edit_cluster(tools, by=ada, at=NOW, is_default=True)
    assert register_tool("hat", by=alice, at=NOW, title="Hat").cluster == tools


def test_one_cluster_is_the_default(tools, ada):
    edit_cluster(tools, by=ada, at=NOW, is_default=True)
    beta = add_cluster(name="toolsbeta", by=ada, at=NOW, is_default=True, **FIELDS)
    assert list(Cluster.objects.filter(is_default=True)) == [beta]


def test_a_cluster_with_tools_is_not_forgotten(tools, hat, ada):
    Tool.objects.update(cluster=tools)
    with pytest.raises(ClusterRefusedChange, match="Move them"):
        remove_cluster(tools, by=ada, at=NOW)
    Tool.objects.update(cluster=None)
    remove_cluster(tools, by=ada, at=NOW)
    assert not Cluster.objects.exists()


def test_a_look_notes_since_when(tools, memory):
    check(tools, memory, now=NOW)
    check(tools, memory, now=later(5))
    tools.refresh_from_db()
    assert tools.is_reachable
    assert (tools.since, tools.last_seen_at) == (NOW, later(5))
    assert tools.version.startswith("v")


@pytest.mark.parametrize("fault", [ClusterUnavailable("away"), CredentialsRefused("ran out")])
def test_a_cluster_that_is_away_is_unknown_since_then_and_comes_back(tools, memory, fault):
    check(tools, memory, now=NOW)
    memory.fault = fault
    check(tools, memory, now=later(1))
    check(tools, memory, now=later(2))
    tools.refresh_from_db()
    assert not tools.is_reachable
    assert (tools.since, tools.last_seen_at, tools.trouble) == (later(1), NOW, str(fault))
    assert tools.version
    memory.fault = None
    check(tools, memory, now=later(3))
    tools.refresh_from_db()
    assert (tools.is_reachable, tools.since, tools.trouble) == (True, later(3), "")


def test_most_looks_are_one_request(tools, memory):
    check(tools, memory, now=NOW)
    memory.requests.clear()
    check(tools, memory, now=later(1))
    assert memory.requests == [("version", "")]


def test_missing_rights_are_named_with_the_manifest_that_gives_them(
    tools, memory, client_of, ada, alice
):
    memory.denied.add(Right("create", "tekton.dev", "pipelineruns"))
    check(tools, memory, now=NOW)
    page = client_of(ada).get("/clusters/tools/").content.decode()
    assert "pipelineruns" in page
    assert "portal-missing" in page
    assert "portal-missing" not in client_of(alice).get("/clusters/tools/").content.decode()


def test_the_role_gives_everything_that_is_needed():
    given = {
        (verb, group, resource)
        for rule in cluster_role()["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert {(each.verb, each.group, each.resource) for each, _rule in needed()} == given
    assert "*" not in {word for each in given for word in each}


def test_components_are_found_with_their_versions(tools, memory):
    memory.put(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {
                "name": "pipelineruns.tekton.dev",
                "labels": {"app.kubernetes.io/version": "v1.15.0"},
            },
        }
    )
    check(tools, memory, now=NOW)
    tekton = next(each for each in tools.components if each["name"].startswith("Tekton"))
    assert (tekton["version"], tekton["is_installed"]) == ("v1.15.0", True)
    cert_manager = next(each for each in tools.components if each["name"] == "cert-manager")
    assert not cert_manager["is_installed"]


def test_it_is_told_whether_the_cluster_measures(tools, memory):
    def measures(after):
        check(tools, memory, now=later(after))
        [found] = [each for each in tools.components if each["name"] == "Metrics server"]
        return found["is_installed"]

    assert not measures(after=0)
    memory.put(
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": "v1beta1.metrics.k8s.io"},
        }
    )
    assert measures(after=60)


def test_who_writes_is_noted_once_however_much_it_writes(tools, memory):
    for number in range(30):
        place = {"namespace": "tool-hat", "name": f"hat-{number}", "labels": OURS}
        writer = {"apiVersion": "apps/v1", "manager": "kube-controller-manager"}
        memory.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "tool-hat"}})
        memory.put(
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": place | {"managedFields": [writer]},
            }
        )
    check(tools, memory, now=NOW)
    assert tools.uses.count(["apps/v1", "Deployment", "kube-controller-manager"]) == 1
    assert len(tools.uses) == len({tuple(each) for each in tools.uses})


def test_old_api_versions_are_found():
    uses = [
        Use("autoscaling/v2beta2", "HorizontalPodAutoscaler", "helm"),
        Use("v1", "Endpoints", "someone"),
        Use("apps/v1", "Deployment", "the portal's manifests"),
    ]
    found = findings(uses, (1, 36))
    assert [(each.use.by, each.is_gone) for each in found] == [("helm", True), ("someone", False)]
    assert findings(uses, (1, 22)) == []


def test_our_own_manifests_stand_against_no_upgrade(tools, memory, ada):
    check(tools, memory, now=NOW)
    edit_cluster(tools, by=ada, at=NOW, target_version="1.40")
    assert tools.findings() == []


def test_removals_come_after_deprecations():
    assert all(each.removed_in is None or each.deprecated_in < each.removed_in for each in REMOVALS)


@pytest.mark.parametrize(
    ("text", "version"), [("v1.36.2+k3s1", (1, 36)), ("1.9", (1, 9)), ("", None), ("new", None)]
)
def test_versions_are_read(text, version):
    assert version_of(text) == version


def test_everyone_sees_how_a_cluster_is_and_not_how_it_is_reached(tools, client, ada):
    edit_cluster(tools, by=ada, at=NOW, token_file="/etc/portal/token", way="token")
    assert b"tools" in client.get("/clusters/").content
    assert b"/etc/portal" not in client.get("/clusters/tools/").content
    assert "token_file" not in client.get("/api/v1/clusters/tools/").json()


def test_administrators_add_edit_and_remove_in_the_browser(client_of, ada, alice):
    answer = client_of(alice).post("/clusters/add/", {"name": "tools", **FIELDS})
    assert answer.status_code == 403
    client = client_of(ada)
    form = {"name": "tools", "way": "inside", "ingress_namespace": "ingress", **FIELDS}
    form["registry_kind"] = "distribution"
    answer = client.post("/clusters/add/", {**form, "open_blocks": "[]"})
    assert answer.status_code == 302, answer.content.decode()
    answer = client.post("/clusters/tools/edit/", {**form, "registry": "https://x"})
    assert answer.status_code == 200
    assert Cluster.objects.get().registry == "registry.example.org"
    client.post("/clusters/tools/edit/", {**form, "open_blocks": "[]", "target_version": "1.37"})
    assert Cluster.objects.get().target_version == "1.37"
    client.post("/clusters/tools/remove/")
    assert not Cluster.objects.exists()


def test_administrators_do_the_same_by_rest(api_of, ada, alice):
    new = {"name": "tools", **FIELDS}
    assert api_of(alice).post("/api/v1/clusters/", new).status_code == 403
    api = api_of(ada)
    assert api.post("/api/v1/clusters/", new).status_code == 201
    answer = api.patch("/api/v1/clusters/tools/", {"target_version": "1.37"})
    assert answer.status_code == 200
    answer = api.get("/api/v1/clusters/tools/report/")
    assert answer.json() == {"missing_rights": [], "target_version": "1.37", "findings": []}
    assert api_of(alice).get("/api/v1/clusters/tools/report/").status_code == 403
    assert api.delete("/api/v1/clusters/tools/").status_code == 204
