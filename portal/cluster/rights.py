"""What the portal needs to be allowed in a cluster: one table, for asking and for granting."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from portal.cluster.base import Manifest, Right

ROLE = "portal"
_LOOK = ("get", "list", "watch")
_KEEP = (*_LOOK, "create", "patch", "delete")


@dataclass(frozen=True)
class Rule:
    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    # For people: what does not work without it.
    purpose: str


RULES = (
    Rule("", ("namespaces",), _KEEP, "homes of tools"),
    Rule("", ("secrets",), _KEEP, "variables and registry credentials"),
    Rule("", ("serviceaccounts", "resourcequotas", "limitranges"), _KEEP, "homes of tools"),
    Rule("", ("services",), _KEEP, "webservices"),
    Rule("", ("pods",), _LOOK, "how builds and webservices stand"),
    Rule("", ("pods/log",), ("get",), "logs"),
    Rule("", ("events",), ("list",), "reasons"),
    Rule("", ("configmaps",), ("get",), "versions of components"),
    Rule("networking.k8s.io", ("networkpolicies",), _KEEP, "walls around tools"),
    Rule("networking.k8s.io", ("ingresses",), _KEEP, "webservices"),
    Rule("networking.k8s.io", ("ingressclasses",), ("list",), "versions of components"),
    Rule("apps", ("deployments",), _KEEP, "webservices"),
    Rule("autoscaling", ("horizontalpodautoscalers",), _KEEP, "autoscaling"),
    Rule("tekton.dev", ("pipelines",), ("get", "create", "patch"), "builds"),
    Rule("tekton.dev", ("pipelineruns",), _KEEP, "builds"),
    Rule("tekton.dev", ("taskruns",), _LOOK, "builds"),
    Rule("coordination.k8s.io", ("leases",), ("get", "create", "patch"), "choosing one watcher"),
    Rule(
        "apiextensions.k8s.io",
        ("customresourcedefinitions",),
        ("get",),
        "versions of components",
    ),
    Rule("apiregistration.k8s.io", ("apiservices",), ("get",), "versions of components"),
)


def needed() -> Iterator[tuple[Right, Rule]]:
    """Every single right, with the rule that it is part of."""
    for rule in RULES:
        for resource in rule.resources:
            for verb in rule.verbs:
                yield Right(verb, rule.group, resource), rule


def cluster_role(rules: Sequence[Rule] = RULES, *, name: str = ROLE) -> Manifest:
    """The manifest that gives these rights; bind it to the portal's service account."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": [
            {
                "apiGroups": [rule.group],
                "resources": list(rule.resources),
                "verbs": list(rule.verbs),
            }
            for rule in rules
        ],
    }


def giving(missing: Sequence[Right]) -> Manifest:
    """The manifest that gives just what is missing."""
    rules = [Rule(each.group, (each.resource,), (each.verb,), "") for each in missing]
    return cluster_role(rules, name=f"{ROLE}-missing")
