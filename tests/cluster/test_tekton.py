"""Tekton in the lab runs pipelines, and its webhook refuses what is wrong."""

import json

import pytest

from tests.cluster.processes import LabError, wait_until

pytestmark = pytest.mark.cluster
NAMESPACE = "image-build"


@pytest.fixture(scope="module", autouse=True)
def _namespace(lab):
    lab.create_namespace(NAMESPACE)
    yield
    lab.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def a_run(lab, *scripts):
    steps = [
        {"name": f"step-{number}", "image": lab.run_image, "script": script}
        for number, script in enumerate(scripts)
    ]
    task = {"name": "only", "taskSpec": {"results": [{"name": "word"}], "steps": steps}}
    result = {"name": "word", "value": "$(tasks.only.results.word)"}
    return {
        "apiVersion": "tekton.dev/v1",
        "kind": "PipelineRun",
        "metadata": {"name": "hat-1", "namespace": NAMESPACE},
        "spec": {"pipelineSpec": {"tasks": [task], "results": [result]}},
    }


def status_of(lab):
    return lab.get("pipelinerun", "hat-1", "-n", NAMESPACE).get("status", {})


def is_over(lab):
    conditions = status_of(lab).get("conditions", ())
    return any(each["type"] == "Succeeded" and each["status"] != "Unknown" for each in conditions)


def test_a_run_of_two_steps_succeeds_and_gives_its_result(lab):
    scripts = ("echo brim >/workspace/hat", "tr -d '\\n' </workspace/hat >$(results.word.path)")
    lab.apply(a_run(lab, *scripts))
    wait_until(lambda: is_over(lab), what="the run is over", seconds=120)
    status = status_of(lab)
    assert status["conditions"][0]["reason"] == "Succeeded", status
    assert status["results"] == [{"name": "word", "value": "brim"}]


def test_the_webhook_refuses_a_run_without_tasks(lab):
    run = a_run(lab, "true")
    run["spec"]["pipelineSpec"]["tasks"] = []
    with pytest.raises(LabError, match=r"admission webhook .* denied the request"):
        lab.kubectl("create", "-f", "-", stdin=json.dumps(run))
