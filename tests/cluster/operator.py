"""What an operator does before a portal can use a lab: an account, settings, a row's fields."""

from pathlib import Path
from typing import Any

import yaml

from portal.cluster.rights import cluster_role
from tests.cluster import ingress, tekton
from tests.cluster.cluster import Cluster
from tests.cluster.lab import Lab
from tests.cluster.processes import LabError, wait_until

DOMAIN = "tools.test"
# As docs/operate-kubernetes.md asks of Tekton.
FLAGS = {"set-security-context": "true", "disable-creds-init": "true"}


def let_in(lab: Lab) -> Path:
    """The portal's kubeconfig, and Tekton as the portal needs it."""
    account = account_in(lab)
    # Its webhook checks that, and may be reached some seconds later than it is ready.
    wait_until(lambda: _has_flags(lab), what="Tekton takes its flags")
    return account


def _has_flags(lab: Lab) -> bool:
    place = ("-n", tekton.NAMESPACE, "--type=merge", "-p", yaml.safe_dump({"data": FLAGS}))
    try:
        lab.kubectl("patch", "configmap", "feature-flags", *place)
    except LabError:
        return False
    return True


def account_in(cluster: Cluster) -> Path:
    """The kubeconfig of a service account with the rights that the portal asks for."""
    cluster.create_namespace("portal")
    account = {"name": "portal", "namespace": "portal"}
    group = "rbac.authorization.k8s.io"
    cluster.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account},
        cluster_role(),
        {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "portal"},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "portal"},
            "subjects": [{"kind": "ServiceAccount", **account}],
        },
    )
    return cluster.kubeconfig_for("portal", namespace="portal")


def fields_of(lab: Lab) -> dict[str, Any]:
    """Of the row of the lab but for the way to it; its webservices are at names below DOMAIN."""
    return {
        "tools_url": f"http://{{tool}}.{DOMAIN}/",
        "ingress_class": ingress.CLASS,
        "ingress_namespace": ingress.NAMESPACE,
        "open_blocks": ["0.0.0.0/0"],
        **images_of(lab),
    }


def images_of(lab: Lab) -> dict[str, Any]:
    """What of a row is about images."""
    return {
        "registry": lab.registry,
        "registry_is_insecure": True,
        "builder": lab.builder_image,
        "run_image": lab.run_image,
        "git_image": lab.run_image,
    }
