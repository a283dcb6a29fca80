"""What the portal relies on in a Kubernetes API server, seen on a real one."""

import json

import pytest

from tests.cluster.manifests import MODEST, RESTRICTED
from tests.cluster.processes import LabError

pytestmark = pytest.mark.cluster


def a_pod(**security):
    container = {"name": "main", "image": "hat", "securityContext": security}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "hat", "namespace": "tool-hat"},
        "spec": {"containers": [container]},
    }


def role_for(service_account, *verbs):
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": list(verbs)}
    names = {"name": "reader", "namespace": "tool-hat"}
    subject = {"kind": "ServiceAccount", "name": service_account, "namespace": "tool-hat"}
    rbac = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": names}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"}
    return (
        {**rbac, "kind": "Role", "rules": [rule]},
        {**rbac, "kind": "RoleBinding", "roleRef": reference, "subjects": [subject]},
    )


@pytest.fixture(scope="module")
def namespace(cluster):
    cluster.create_namespace("tool-hat", RESTRICTED)
    yield "tool-hat"
    cluster.kubectl("delete", "namespace", "tool-hat", "--wait=false")


def test_pod_security_refuses_a_privileged_pod(cluster, namespace):
    with pytest.raises(LabError, match=r'violates PodSecurity "restricted:latest": privileged'):
        cluster.kubectl("create", "-f", "-", stdin=json.dumps(a_pod(privileged=True)))


def test_pod_security_admits_a_modest_pod(cluster, namespace):
    cluster.apply(a_pod(**MODEST))
    assert cluster.get("pod", "hat", "-n", namespace)["status"]["phase"] == "Pending"


def test_a_service_account_may_do_what_its_role_says_and_no_more(cluster, namespace):
    cluster.apply(*role_for("default", "list"))
    config = cluster.kubeconfig_for("default", namespace=namespace)
    listing = ("get", "configmaps", "-n", namespace, "--kubeconfig", str(config))
    assert "kube-root-ca.crt" in cluster.kubectl(*listing)
    with pytest.raises(LabError, match=r'cannot list resource "secrets"'):
        cluster.kubectl("get", "secrets", "-n", namespace, "--kubeconfig", str(config))


def test_what_belongs_to_a_deleted_object_is_deleted_too(cluster, namespace):
    cluster.kubectl("create", "configmap", "owner", "-n", namespace)
    owner = cluster.get("configmap", "owner", "-n", namespace)["metadata"]
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["uid"]}
    metadata = {"name": "owned", "namespace": namespace, "ownerReferences": [reference]}
    cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    cluster.kubectl("delete", "configmap", "owner", "-n", namespace, "--cascade=foreground")
    words = ("get", "configmap", "owned", "-n", namespace, "--ignore-not-found")
    assert not cluster.kubectl(*words)
