"""The kinds of objects that the portal reads or writes in a cluster, and where they live."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote


@dataclass(frozen=True)
class Kind:
    """A kind at the version that the portal speaks."""

    api_version: str
    name: str
    plural: str
    is_namespaced: bool = True

    @property
    def group(self) -> str:
        """The API group; "" for the core."""
        return self.api_version.rpartition("/")[0]

    def path(self, *, namespace: str = "", name: str = "") -> str:
        """Where the API server keeps it: one object, or all of them."""
        parts = ["apis" if self.group else "api", self.api_version]
        if self.is_namespaced and namespace:
            parts += ["namespaces", quote(namespace, safe="")]
        parts += [self.plural, quote(name, safe="")]
        return "/" + "/".join(part for part in parts if part)


NAMESPACE = Kind("v1", "Namespace", "namespaces", is_namespaced=False)
POD = Kind("v1", "Pod", "pods")
EVENT = Kind("v1", "Event", "events")
SECRET = Kind("v1", "Secret", "secrets")
SERVICE = Kind("v1", "Service", "services")
SERVICE_ACCOUNT = Kind("v1", "ServiceAccount", "serviceaccounts")
RESOURCE_QUOTA = Kind("v1", "ResourceQuota", "resourcequotas")
LIMIT_RANGE = Kind("v1", "LimitRange", "limitranges")
CONFIG_MAP = Kind("v1", "ConfigMap", "configmaps")
NETWORK_POLICY = Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies")
INGRESS = Kind("networking.k8s.io/v1", "Ingress", "ingresses")
INGRESS_CLASS = Kind("networking.k8s.io/v1", "IngressClass", "ingressclasses", is_namespaced=False)
DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments")
AUTOSCALER = Kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
LEASE = Kind("coordination.k8s.io/v1", "Lease", "leases")
PIPELINE = Kind("tekton.dev/v1", "Pipeline", "pipelines")
PIPELINE_RUN = Kind("tekton.dev/v1", "PipelineRun", "pipelineruns")
TASK_RUN = Kind("tekton.dev/v1", "TaskRun", "taskruns")
CUSTOM_RESOURCE = Kind(
    "apiextensions.k8s.io/v1",
    "CustomResourceDefinition",
    "customresourcedefinitions",
    is_namespaced=False,
)
API_SERVICE = Kind("apiregistration.k8s.io/v1", "APIService", "apiservices", is_namespaced=False)
KINDS = (
    NAMESPACE, POD, EVENT, SECRET, SERVICE, SERVICE_ACCOUNT, RESOURCE_QUOTA, LIMIT_RANGE,
    CONFIG_MAP, NETWORK_POLICY, INGRESS, INGRESS_CLASS, DEPLOYMENT, AUTOSCALER, LEASE, PIPELINE,
    PIPELINE_RUN, TASK_RUN, CUSTOM_RESOURCE, API_SERVICE,
)  # fmt: skip
_BY_NAME = {(each.api_version, each.name): each for each in KINDS}


# Kind, namespace and name.
Key = tuple[str, str, str]


def key_of(manifest: dict[str, Any]) -> Key:
    """What makes an object the same one. Raises KeyError for a kind that is not known."""
    metadata = manifest["metadata"]
    return kind_of(manifest).name, metadata.get("namespace", ""), metadata["name"]


def kind_of(manifest: dict[str, object]) -> Kind:
    """The kind of a manifest. Raises KeyError for one that the portal does not know."""
    return _BY_NAME[str(manifest["apiVersion"]), str(manifest["kind"])]
