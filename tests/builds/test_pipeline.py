"""What the portal gives to Tekton, looked at."""

import base64
from dataclasses import replace

import pytest

from builds.engines.base import Order
from builds.engines.pipeline import BuildSettings, pipeline, pipeline_run, place, variables
from portal.cluster.home import Home, home_of

SETTINGS = BuildSettings(
    registry="registry.example.org",
    builder="registry.example.org/builder:1",
    run_image="registry.example.org/run:1",
    git_image="registry.example.org/git:1",
    operator={"PIP_INDEX_URL": "https://pypi.example.org/simple"},
    home=Home(tool="", push_credentials='{"auths": {}}'),
)
ORDER = Order(
    name="hat-17",
    tool="hat",
    tool_id=3,
    source_url="https://git.example.org/hat.git",
    ref="main",
    environment={"TOKEN": "a\nb", "../../etc/passwd": "no", "-x": "no"},
)
WITH_CREDENTIALS = {"analyze", "restore", "export"}
WITH_VARIABLES = {"detect", "build"}


@pytest.fixture
def run():
    return pipeline_run(ORDER, SETTINGS)


@pytest.fixture
def task():
    return pipeline("hat")["spec"]["tasks"][0]["taskSpec"]


def mounted(task, volume):
    return {
        step["name"]
        for step in task["steps"]
        if volume in {each["name"] for each in step.get("volumeMounts", [])}
    }


def test_a_run_is_named_after_its_build(run):
    assert run["metadata"]["name"] == "hat-17"
    assert run["metadata"]["namespace"] == "build-hat"
    assert run["metadata"]["labels"]["portal.example.org/build"] == "hat-17"


def test_a_run_pushes_to_its_tools_own_place(run):
    params = {each["name"]: each["value"] for each in run["spec"]["params"]}
    assert params["image"] == "registry.example.org/tool-hat/hat:17"
    assert params["cache-image"] == "registry.example.org/tool-hat/hat-cache"


def test_every_param_of_a_run_is_one_of_the_pipeline(run):
    known = {each["name"] for each in pipeline("hat")["spec"]["params"]}
    assert {each["name"] for each in run["spec"]["params"]} <= known


def test_nothing_runs_as_root_or_with_a_token(run, task):
    template = run["spec"]["taskRunTemplate"]["podTemplate"]
    assert template["securityContext"]["runAsNonRoot"]
    assert template["automountServiceAccountToken"] is False
    security = task["stepTemplate"]["securityContext"]
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert not any("securityContext" in step for step in task["steps"])


def test_credentials_are_mounted_only_where_the_registry_is_spoken_to(task):
    assert mounted(task, "registry") == WITH_CREDENTIALS


def test_variables_are_mounted_only_where_buildpacks_run(task):
    assert mounted(task, "environment") == WITH_VARIABLES
    assert mounted(task, "operator") == WITH_VARIABLES


def test_the_phases_come_in_the_order_of_the_specification(task):
    names = [step["name"] for step in task["steps"]]
    assert names == ["clone", "analyze", "detect", "restore", "build", "export", "report"]


def test_a_build_never_asks_for_more_than_it_may_use():
    small = replace(SETTINGS, memory_bytes=1000)
    use = pipeline_run(ORDER, small)["spec"]["taskRunSpecs"][0]["computeResources"]
    assert use["requests"]["memory"] == use["limits"]["memory"] == "1000"


def test_no_script_holds_a_param(task):
    assert not any("$(params" in step.get("script", "") for step in task["steps"])


def test_variables_become_files_with_their_bytes(task):
    environment, operator = variables(ORDER, SETTINGS)
    assert base64.b64decode(environment["data"]["TOKEN"]) == b"a\nb"
    assert set(environment["data"]) == {"TOKEN"}
    assert set(operator["data"]) == {"PIP_INDEX_URL"}
    names = {volume["secret"]["secretName"] for volume in task["volumes"] if "secret" in volume}
    assert "$(params.environment-secret)" in names


def test_a_place_has_walls_quota_and_the_pipeline():
    kinds = [each["kind"] for each in place(Home(tool="hat", push_credentials="{}"))]
    assert kinds == [
        "Namespace", "ResourceQuota", "LimitRange", "ServiceAccount", "NetworkPolicy",
        "NetworkPolicy", "Secret", "Pipeline",
    ]  # fmt: skip


@pytest.fixture
def home():
    return {
        (each["metadata"].get("namespace", ""), each["kind"], each["metadata"]["name"]): each
        for each in home_of(Home(tool="hat", push_credentials="push", pull_credentials="pull"))
    }


def test_namespaces_are_restricted(home):
    for name in ("tool-hat", "build-hat"):
        labels = home["", "Namespace", name]["metadata"]["labels"]
        assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_only_the_place_of_builds_has_what_may_push(home):
    def secret(namespace):
        data = home[namespace, "Secret", "registry"]["data"][".dockerconfigjson"]
        return base64.b64decode(data)

    assert secret("build-hat") == b"push"
    assert secret("tool-hat") == b"pull"


def test_what_runs_cannot_reach_private_addresses(home):
    rules = home["tool-hat", "NetworkPolicy", "outside"]["spec"]["egress"]
    blocks = [to["ipBlock"] for rule in rules for to in rule.get("to", [])]
    assert "169.254.0.0/16" in blocks[0]["except"]
    assert "10.0.0.0/8" in blocks[0]["except"]


def test_requests_come_from_the_ingress_alone(home):
    nothing = home["tool-hat", "NetworkPolicy", "nothing"]["spec"]
    assert nothing == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    let_in = home["tool-hat", "NetworkPolicy", "ingress"]["spec"]["ingress"]
    assert len(let_in) == 1
    assert ("build-hat", "NetworkPolicy", "ingress") not in home


def test_accounts_have_no_token(home):
    for namespace in ("tool-hat", "build-hat"):
        assert home[namespace, "ServiceAccount", "tool"]["automountServiceAccountToken"] is False
