"""What an operator applies is what the code asks for, and as modest as the portal asks of tools."""

from pathlib import Path

import pytest
import yaml
from django.conf import settings

from portal.cluster.rights import cluster_role
from portal.cluster.upgrades import Use, findings

DEPLOY = Path(settings.BASE_DIR) / "deploy"
BASE = DEPLOY / "kubernetes" / "base"
# What the image's buildpacks asked for reaches programs that its launcher starts, and no others.
LAUNCHER = "/cnb/lifecycle/launcher"
PROCFILE = DEPLOY.parent / "Procfile"
PROCESSES = [f"/cnb/process/{line.split(':')[0]}" for line in PROCFILE.read_text().splitlines()]


def manifests():
    listed = yaml.safe_load((BASE / "kustomization.yaml").read_text())["resources"]
    return [each for name in listed for each in yaml.safe_load_all((BASE / name).read_text())]


def pods():
    found = []
    for each in manifests():
        template = each.get("spec", {}).get("template")
        if template:
            found.append((each["metadata"]["name"], template["spec"]))
    return found


def test_every_file_is_listed():
    listed = yaml.safe_load((BASE / "kustomization.yaml").read_text())["resources"]
    assert {path.name for path in BASE.glob("*.yaml")} == {*listed, "kustomization.yaml"}


def test_the_role_is_what_the_portal_needs():
    [role] = [each for each in manifests() if each["kind"] == "ClusterRole"]
    assert role == cluster_role()


def test_everything_that_the_portal_is_made_of_is_there():
    assert {name for name, _pod in pods()} == {"web", "worker", "beat", "watcher", "migrate"}


@pytest.mark.parametrize(("name", "pod"), pods())
def test_pods_are_restricted_and_limited(name, pod):
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False
        assert security["readOnlyRootFilesystem"]
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]
        assert container["command"][0] in (LAUNCHER, *PROCESSES)


def test_every_claim_and_configuration_that_is_named_is_there():
    names = {(each["kind"], each["metadata"]["name"]) for each in manifests()}
    for _name, pod in pods():
        for volume in pod.get("volumes", []):
            claim = volume.get("persistentVolumeClaim")
            assert not claim or ("PersistentVolumeClaim", claim["claimName"]) in names
        for source in pod["containers"][0]["envFrom"]:
            if "configMapRef" in source:
                assert ("ConfigMap", source["configMapRef"]["name"]) in names


def test_no_manifest_uses_what_is_going_away():
    uses = [Use(each["apiVersion"], each["kind"], "deploy/") for each in manifests()]
    assert findings(uses, (1, 40)) == []


@pytest.mark.parametrize("name", ["tools", "toolsbeta"])
def test_overlays_change_what_is_there(name):
    overlay = DEPLOY / "kubernetes" / "overlays" / name / "kustomization.yaml"
    text = yaml.safe_load(overlay.read_text())
    there = {(each["kind"], each["metadata"]["name"]) for each in manifests()}
    for patch in text["patches"]:
        target = patch["target"]
        assert (target["kind"], target["name"]) in there
