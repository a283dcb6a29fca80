"""A look at a cluster: its components, what the portal may there, which API versions are used."""

from dataclasses import dataclass

from portal.cluster.base import MANAGER, OWNER_LABEL, Cluster, Manifest, Right, below
from portal.cluster.kinds import (
    API_SERVICE,
    CONFIG_MAP,
    CUSTOM_RESOURCE,
    DEPLOYMENT,
    INGRESS,
    INGRESS_CLASS,
    KINDS,
    Kind,
)
from portal.cluster.rights import needed
from portal.cluster.upgrades import Use

VERSION_LABEL = "app.kubernetes.io/version"
TEKTON = "pipelineruns.tekton.dev"
CERT_MANAGER = "certificates.cert-manager.io"
METRICS = "v1beta1.metrics.k8s.io"
# What is no part of the version that the portal's manifests speak.
_OWN_KINDS = tuple(kind for kind in KINDS if kind.name != "Event")


@dataclass(frozen=True)
class Component:
    name: str
    version: str  # "" if it does not say
    is_installed: bool


def components(cluster: Cluster) -> list[Component]:
    return [
        _tekton(cluster),
        *_ingress(cluster),
        _defined(cluster, "cert-manager", CERT_MANAGER),
        _defined(cluster, "Metrics server", METRICS, kind=API_SERVICE),
    ]


def _defined(
    cluster: Cluster, name: str, resource: str, *, kind: Kind = CUSTOM_RESOURCE
) -> Component:
    there = cluster.get(kind, resource)
    return Component(name, _version(there or {}), there is not None)


def _tekton(cluster: Cluster) -> Component:
    """Its controller publishes its version; the definitions alone may be of another one."""
    found = _defined(cluster, "Tekton Pipelines", TEKTON)
    info = cluster.get(CONFIG_MAP, "pipelines-info", namespace="tekton-pipelines") or {}
    version = str(below(info, "data").get("version", "")) or found.version
    return Component(found.name, version, found.is_installed)


def _ingress(cluster: Cluster) -> list[Component]:
    classes = cluster.list(INGRESS_CLASS).items
    if not classes:
        return [Component("Ingress", "", is_installed=False)]
    return [
        Component(
            f"Ingress {each['metadata']['name']} ({each.get('spec', {}).get('controller', '')})",
            _version(each),
            is_installed=True,
        )
        for each in classes
    ]


def _version(manifest: Manifest) -> str:
    return str(below(manifest, "metadata", "labels").get(VERSION_LABEL, ""))


def missing_rights(cluster: Cluster) -> list[Right]:
    return [right for right, _rule in needed() if not cluster.may(right)]


def uses(cluster: Cluster) -> list[Use]:
    """API versions in the portal's manifests, and of whoever else writes into its objects."""
    own = [Use(kind.api_version, kind.name, "the portal's manifests") for kind in _OWN_KINDS]
    others = [
        Use(entry.get("apiVersion", ""), kind.name, entry.get("manager", ""))
        for kind in (DEPLOYMENT, INGRESS)
        for item in cluster.list(kind, labels={OWNER_LABEL: MANAGER}).items
        for entry in _writers(item)
    ]
    # Each once: a cluster has thousands of objects, and few writers.
    return list(dict.fromkeys(own + [use for use in others if use.by != MANAGER]))


def _writers(item: Manifest) -> list[Manifest]:
    return item["metadata"].get("managedFields") or []
